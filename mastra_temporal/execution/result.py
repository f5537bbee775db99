"""The result of a run, assembled from its scope."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import to_json

from mastra_temporal.execution.ending import Ending
from mastra_temporal.execution.resume import labels, suspend_data
from mastra_temporal.execution.scope import RunState, Scope
from mastra_temporal.wire import RunStatus, StepResult, WorkflowResult

__all__ = ["assemble", "failure_message", "run_status", "visible_steps"]

MAX_INPUT = 500
"""Characters of a failed step's input in the message of a failed run."""


def run_status(ending: Ending) -> RunStatus:
    """The run's status: an early success by ``bail()`` is a success."""
    if ending.status == "moved":
        return "running"
    return "success" if ending.status == "bailed" else ending.status


def assemble(run: RunState, scope: Scope, ending: Ending) -> WorkflowResult[Any]:
    """The result of a run that ended, or is suspended."""
    suspended = ending.status == "suspended"
    return WorkflowResult(
        status=run_status(ending),
        steps=visible_steps(scope),
        input=scope.init_data,
        step_execution_path=scope.step_execution_path,
        result=ending.result if ending.status in ("success", "bailed") else None,
        error=ending.error,
        tripwire=ending.tripwire,
        suspended=ending.suspended if suspended else None,
        suspend_payload=_suspend_payloads(scope) if suspended else None,
        resume_labels=_resume_labels(scope) if suspended else None,
        state=scope.state,
        run_id=run.run_id,
    )


def failure_message(run: RunState, scope: Scope | None, result: WorkflowResult[Any]) -> str:
    """Why a run failed, for the reader of the Temporal UI: which step, and on which input."""
    error = result.error or {"message": (result.tripwire or {}).get("reason")}
    path, step = ([], None) if scope is None else _failed_step(run, scope)
    workflow = f"workflow `{'' if scope is None else scope.workflow_id}`"
    if step is None:
        return f"{workflow}: {error.get('message')}"
    given = "" if step.payload is None else to_json(step.payload).decode()
    shown = given if len(given) <= MAX_INPUT else f"{given[:MAX_INPUT]}…"
    return f"step `{'.'.join(path)}` of {workflow}: {error.get('message')}" + (
        f" (its input: {shown})" if shown else ""
    )


def _failed_step(run: RunState, scope: Scope) -> tuple[list[str], StepResult | None]:
    """The innermost failed step, and the way to it."""
    for step_id, step in scope.steps.items():
        if step.status != "failed":
            continue
        for path, child in run.scopes.items():
            if path[:-1] == scope.path and path and re.sub(r"(\[\d+\]|#\d+)$", "", path[-1]) == step_id:
                inside, failed = _failed_step(run, child)
                if failed is not None:
                    return [path[-1], *inside], failed
        return [step_id], step
    return [], None


def visible_steps(scope: Scope) -> dict[str, StepResult]:
    """The results of the steps, without payloads that only repeat the output of the step before, as in Mastra."""
    steps = {
        key: result.model_copy(update={"resume_labels": None})
        for key, result in scope.steps.items()
        if result.status not in ("running", "skipped")
    }
    before = scope.init_data
    for step_id in scope.step_execution_path:
        result = steps.get(step_id)
        if result is None:
            continue
        if result.payload is not None and result.payload == before:
            steps[step_id] = result.model_copy(update={"payload": None})
        if result.status == "success":
            before = result.output
    return steps


def _suspend_payloads(scope: Scope) -> dict[str, Any]:
    payloads: dict[str, Any] = {}
    for step_id, result in scope.steps.items():
        if result.status == "suspended":
            payload = suspend_data(result)
            payloads[step_id] = {} if payload is None else payload
    return payloads


def _resume_labels(scope: Scope) -> dict[str, dict[str, Any]]:
    return {label: step.address for label, step in labels(scope).items()}
