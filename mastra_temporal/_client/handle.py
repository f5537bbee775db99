"""`RunHandle`: a run by its id, with what all client functions need from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription

from mastra_temporal._client.outcome import wait_for_outcome
from mastra_temporal._client.presentation import start_options
from mastra_temporal._client.records.description import describe, workflow_types
from mastra_temporal._client.session import Session
from mastra_temporal._data.gate import json_object
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.names import MEMO_RESUME_COUNT
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal.context import RequestContext
from mastra_temporal.errors import RunError, RunNotFoundError

__all__ = ["RunHandle"]

START_SECONDS, POLL_SECONDS = 5, 0.02
"""Maximum wait, and pause between two looks, for a run whose start request is in flight. Seconds."""


@dataclass(frozen=True)
class RunHandle:
    """A run by its id, passed to the functions that act on it."""

    session: Session
    workflow: WorkflowDefinition
    run_id: str
    resource_id: str | None

    @property
    def label(self) -> str:
        """Description of the run for error messages."""
        return f"run `{self.run_id}` of workflow `{self.workflow.id}`"

    @property
    def client(self) -> Client:
        """The Temporal client."""
        return self.session.client

    async def describe(self, *, known: bool = False) -> WorkflowExecutionDescription | None:
        """Return Temporal's description of the run, or None if Temporal has no such run.

        Args:
            known: Whether the caller knows that the run existed in Temporal.

        Raises:
            RunError: The run id belongs to a run of another workflow.
            RunNotFoundError: The run existed and is gone.
        """
        description = await describe(self.client, self.run_id)
        if description is not None and description.workflow_type not in workflow_types(self.workflow.id):
            raise RunError(
                f"Run id `{self.run_id}` belongs to a run of workflow `{description.workflow_type}`, "
                f"not of `{self.workflow.id}`: use another run id."
            )
        if description is None and known:
            raise RunNotFoundError(f"Snapshot not found for run {self.run_id}")
        return description

    async def describe_when_started(self) -> WorkflowExecutionDescription | None:
        """Wait until a run exists whose start request is in flight. Return None if that takes too long."""
        for _ in range(round(START_SECONDS / POLL_SECONDS)):
            if (description := await self.describe()) is not None:
                return description
            await asyncio.sleep(POLL_SECONDS)
        return None

    async def outcome(self) -> WorkflowResult[Any]:
        """Wait until the run has ended or is suspended."""
        description = await self.describe()
        # The update id contains the count. With an older one, the server would return an earlier suspension's reply.
        resume_count = 0 if description is None else int((await description.memo()).get(MEMO_RESUME_COUNT, 0))
        return await wait_for_outcome(self.client, self.run_id, resume_count)

    def start_options(self, envelope: StartEnvelope) -> dict[str, Any]:
        """Return the arguments of Temporal's call that starts an execution with this envelope."""
        return start_options(self.workflow, envelope, self.run_id, self.session.task_queue)

    def request_context(self, value: RequestContext | dict[str, Any] | None) -> dict[str, Any]:
        """Return a request context as JSON data.

        Raises:
            SerializationError: A value cannot be written as JSON; the message names its key.
        """
        what = f"The request context of {self.label}"
        if isinstance(value, RequestContext):
            return value.to_json(what=what)
        return json_object(value, what=what)
