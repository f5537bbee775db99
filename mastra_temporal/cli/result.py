"""`print_result`: the result of a run that a command has waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

from rich.text import Text

from mastra_temporal._client.run import Run
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._worker.workflow.completion import without_meta
from mastra_temporal.cli.exit_status import NegativeAnswerError
from mastra_temporal.cli.output import as_json, line, print_json, styled

__all__ = ["in_time", "print_result"]

WELL = ("success", "suspended", "paused", "running", "waiting")
"""The statuses that are no failure."""


async def in_time(run: Run[Any], waiting: Awaitable[WorkflowResult[Any]], timeout: float | None) -> WorkflowResult[Any]:
    """Wait for a result.

    Raises:
        asyncio.TimeoutError: The run is not over in time. It continues.
    """
    try:
        return await asyncio.wait_for(waiting, timeout)
    except asyncio.TimeoutError:
        raise asyncio.TimeoutError(
            f"{run.label} goes on, but was not over within {timeout:g} seconds: "
            f"`mastra-temporal show {run.run_id}` shows what it waits for."
        ) from None


def print_result(run: Run[Any], result: WorkflowResult[Any], app: str | None, *, for_programs: bool) -> None:
    """Print the result of a run: as JSON for programs, otherwise in words.

    Raises:
        NegativeAnswerError: The run failed, was stopped or was canceled.
    """
    if for_programs:
        print_json(result)
    else:
        line(Text.assemble(styled(result.status), f"  {run.label}"))
        if result.status == "success":
            line(json.dumps(as_json(result.result), ensure_ascii=False))
        for path in result.suspended or []:
            step = result.steps.get(path[0])
            payload = without_meta(None if step is None else step.suspend_payload)
            told = f": {json.dumps(payload, ensure_ascii=False)}" if payload else ""
            line(f"step {'.'.join(path)} waits for an answer{told}")
            with_app = f" --app {app}" if app else ""
            line(f"answer with: mastra-temporal resume {run.run_id} --step {'.'.join(path)}{with_app}")
    require_success(run, result)


def require_success(run: Run[Any], result: WorkflowResult[Any]) -> None:
    """Raise an error unless the run succeeded or waits.

    Raises:
        NegativeAnswerError: The run failed, was stopped or was canceled.
    """
    if result.status in WELL:
        return
    why = (result.error or {}).get("message") or (result.tripwire or {}).get("reason")
    raise NegativeAnswerError(f"{run.label} ended with status {result.status}{f': {why}' if why else '.'}")
