"""Assembles the result of a run from its scopes."""

from __future__ import annotations

from typing import Any

from temporalio.exceptions import ApplicationError

from mastra_temporal._protocol.keys import step_id_of
from mastra_temporal._protocol.limits import LIMIT, MARGIN, compact, sent_size
from mastra_temporal._protocol.messages import FailedStep
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.names import FAILED_RUN
from mastra_temporal._protocol.results import RunStatus, StepResult, WorkflowResult
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.scope import RunState, Scope
from mastra_temporal._worker.workflow.suspension import labels, suspend_data

__all__ = ["assemble", "failure_of", "run_status", "visible_steps"]


def run_status(completion: Completion) -> RunStatus:
    """Return the status of a run with this completion. An early end by ``bail()`` is a success."""
    if completion.status == "continued_as_new":
        return "running"
    return "success" if completion.status == "bailed" else completion.status


def assemble(run: RunState, scope: Scope, completion: Completion) -> WorkflowResult[Any]:
    """Return the result of a run that ended or is suspended."""
    suspended = completion.status == "suspended"
    return WorkflowResult(
        status=run_status(completion),
        steps=visible_steps(scope),
        input=scope.init_data,
        step_execution_path=scope.step_execution_path,
        result=completion.result if completion.status in ("success", "bailed") else None,
        error=completion.error,
        tripwire=completion.tripwire,
        suspended=completion.suspended if suspended else None,
        suspend_payload=_suspend_payloads(scope) if suspended else None,
        resume_labels=_resume_labels(scope) if suspended else None,
        state=scope.state,
        run_id=run.run_id,
    )


def failure_of(run: RunState, scope: Scope | None, result: WorkflowResult[Any]) -> ApplicationError:
    """Return the error with which a failed run ends. Its details are the result of the run and the failed step.

    The message names the step but contains no input data: payload codecs do not encrypt messages.
    """
    error = result.error or {"message": (result.tripwire or {}).get("reason")}
    path, step = ([], None) if scope is None else _failed_step(run, scope)
    workflow = f"workflow `{'' if scope is None else scope.workflow_id}`"
    where = workflow if step is None else f"step `{'.'.join(path)}` of {workflow}"
    details: list[CamelModel] = [compact(result, run.stored_from)]
    if step is not None:
        blamed = FailedStep(step=".".join(path), input=step.payload)
        # The details are sent together with the message. Without the margin, the workflow task would fail for ever.
        if sum(sent_size(detail, run.stored_from) for detail in (*details, blamed)) <= LIMIT - MARGIN:
            details.append(blamed)
    return ApplicationError(f"{where}: {error.get('message')}", *details, type=FAILED_RUN, non_retryable=True)


def _failed_step(run: RunState, scope: Scope) -> tuple[list[str], StepResult | None]:
    """Return the path of the innermost failed step, and its result."""
    for step_id, step in scope.steps.items():
        if step.status != "failed":
            continue
        for path, child in run.scopes.items():
            if path[:-1] == scope.path and path and step_id_of(path[-1]) == step_id:
                inside, failed = _failed_step(run, child)
                if failed is not None:
                    return [path[-1], *inside], failed
        return [step_id], step
    return [], None


def visible_steps(scope: Scope) -> dict[str, StepResult]:
    """Return the results of the steps. As in Mastra, a payload that equals the previous output is left out."""
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
        if result.payload is not None and result.payload == before and result.output is not None:
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
