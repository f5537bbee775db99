"""RECORD: what our results, callbacks and errors look like in the corpus's format."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from mastra_temporal import CallbackInfo, MastraError, WorkflowResult, WorkflowState, WorkflowStateReader


def result_record(result: WorkflowResult) -> dict[str, Any]:
    record = result.model_dump(by_alias=True, mode="json")
    record["steps"] = steps_record(record.get("steps", {}), record.get("input"))
    return record


def steps_record(steps: dict[str, dict[str, Any]], input_data: Any) -> dict[str, Any]:
    """Mastra keeps the input among the steps, and their errors as Error objects."""
    shown = {
        step_id: {key: {"$error": value} if key == "error" else value for key, value in step.items()}
        for step_id, step in steps.items()
    }
    return {"input": input_data, **shown}


def state_record(state: WorkflowState) -> dict[str, Any]:
    record = state.model_dump(by_alias=True, mode="json")
    # Mastra has a row of a run that is not started, we know it from memory.
    record.pop("isFromInMemory", None)
    return record


def reader_record(reader: WorkflowStateReader, method: str, *arguments: str) -> Any:
    found = getattr(reader, to_snake(method))(*arguments)
    if isinstance(found, list):
        return [each.model_dump(by_alias=True, mode="json") for each in found]
    return found.model_dump(by_alias=True, mode="json") if isinstance(found, BaseModel) else found


def callback_record(name: str, info: CallbackInfo) -> dict[str, Any]:
    record: dict[str, Any] = {
        "cb": name,
        "status": info.status,
        "result": info.result,
        "error": info.error,
        "runId": info.run_id,
        "workflowId": info.workflow_id,
        "resourceId": info.resource_id,
        "state": info.state,
        "stepExecutionPath": info.step_execution_path,
        "initData": info.init_data,
        "requestContext": dict(info.request_context),
    }
    if info.steps is not None:
        steps = {step_id: step.model_dump(by_alias=True, mode="json") for step_id, step in info.steps.items()}
        record["steps"] = steps_record(steps, info.init_data)
    return {key: value for key, value in record.items() if value is not None}


def thrown_record(error: BaseException) -> dict[str, Any]:
    name = error.wire_name if isinstance(error, MastraError) else type(error).__name__
    return {"$error": {"name": name, "message": str(error)}}


def renamed(record: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The record with generated ids replaced, wherever they occur: in keys, in values and within texts."""
    written = json.dumps(record)
    for generated in sorted(names, key=len, reverse=True):
        written = written.replace(generated, names[generated])
    return json.loads(written)
