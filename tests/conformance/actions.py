"""ACTIONs: performs the actions of one case and writes their records."""

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_snake

from mastra_temporal import WorkflowResult, WorkflowRunOutput, WorkflowRuns, create_workflow_state_reader
from tests.conformance.case_log import CaseLog
from tests.conformance.records import reader_record, renamed, result_record, state_record, thrown_record
from tests.conformance.session import Session
from tests.conformance.spans import SpanLog

Action = dict[str, Any]
POLL = 0.005
ACTION_TIMEOUT = 40.0
ABORT_SIGNAL_SECONDS = 2.0
VISIBILITY_SECONDS = 0.1
"""Within which a started run is in the lists of a small server."""


class CaseRun:
    """One case being performed."""

    def __init__(self, case: dict[str, Any], folder: Path) -> None:
        self.case = case
        self.definition: dict[str, Any] = case["definition"]
        self.log = CaseLog(folder)
        self.run_ids: dict[str, str] = defaultdict(lambda: str(uuid.uuid4()))
        self.begun: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self.names: dict[str, str] = {}
        self.task_queue = f"conformance-{uuid.uuid4()}"
        self.spans = SpanLog() if self.definition.get("observability") else None
        self.session: Session

    async def records(self) -> list[dict[str, Any]]:
        try:
            self.session = await self.open()
        except Exception as error:
            return [{"op": "build", "throws": thrown_record(error)}]
        try:
            records = [await self.record(action) for action in self.case["actions"]]
        finally:
            for task in self.begun.values():
                task.cancel()
            await self.session.close()
        names = {**self.names, **{run_id: name for name, run_id in self.run_ids.items()}}
        return [renamed(record, names) for record in records]

    async def open(self) -> Session:
        killable = any(action["op"] == "crash" for action in self.case["actions"])
        session = await Session.open(
            self.definition, self.log, self.task_queue, self.run_ids, killable=killable, spans=self.spans
        )
        self.names |= session.builder.generated_ids()
        return session

    async def reopen(self) -> None:
        await self.session.close()
        self.session = await self.open()

    async def record(self, action: Action) -> dict[str, Any]:
        start = self.log.size()
        if action["op"] == "begin":
            self.begun[action["as"]] = asyncio.create_task(self.record(action["action"]))
            return {"op": "begin"}
        if action["op"] == "await":
            return {**await self.begun.pop(action["as"]), "op": "await"}
        record: dict[str, Any] = {"op": action["op"]}
        try:
            record["ok"] = await asyncio.wait_for(self.perform(action), ACTION_TIMEOUT)
        except Exception as error:
            record["throws"] = thrown_record(error)
        return {**record, **self.log.since(start)}

    def name_of(self, run_id: str) -> str:
        return next((name for name, known in self.run_ids.items() if known == run_id), run_id)

    async def perform(self, action: Action) -> Any:
        return await ACTIONS[action["op"]](self, action)


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(POLL)


async def create_run(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return {"runId": run.run_id, "resourceId": run.resource_id, "status": run.status}


START_OPTIONS = {
    "input": "input_data",
    "initialState": "initial_state",
    "requestContext": "request_context",
    "outputOptions": "output_options",
    "perStep": "per_step",
}
RESUME_OPTIONS = {
    "data": "resume_data",
    "step": "step",
    "label": "label",
    "forEachIndex": "for_each_index",
    "requestContext": "request_context",
    "outputOptions": "output_options",
    "perStep": "per_step",
}
TIME_TRAVEL_OPTIONS = {
    "step": "step",
    "input": "input_data",
    "data": "resume_data",
    "initialState": "initial_state",
    "context": "context",
    "nestedStepsContext": "nested_steps_context",
    "requestContext": "request_context",
    "outputOptions": "output_options",
    "perStep": "per_step",
}
RESTART_OPTIONS = {"requestContext": "request_context"}
TRACING = {"tracingOptions": "tracing_options"}


def options(names: dict[str, str], action: Action) -> dict[str, Any]:
    given = {parameter: action[name] for name, parameter in {**names, **TRACING}.items() if name in action}
    if "output_options" in given:
        given["output_options"] = {to_snake(name): value for name, value in given["output_options"].items()}
    return given


async def start(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return result_record(await run.start(**options(START_OPTIONS, action)))


async def start_async(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return {"runId": await run.start_async(**options(START_OPTIONS, action))}


async def resume(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return result_record(await run.resume(**options(RESUME_OPTIONS, action)))


async def time_travel(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    given = {"step": "", **options(TIME_TRAVEL_OPTIONS, action)}
    return result_record(await run.time_travel(**with_times(given)))


def with_times(value: Any) -> Any:
    """The arguments of an action, with the time for "<now>"."""
    return json.loads(json.dumps(value).replace('"<now>"', str(round(time.time() * 1000))))


async def restart(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return result_record(await run.restart(**options(RESTART_OPTIONS, action)))


async def stream(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return await drained(run.stream(**options(START_OPTIONS, action)))


async def resume_stream(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    return await drained(run.resume_stream(**options(RESUME_OPTIONS, action)))


async def time_travel_stream(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action)
    given = {"step": "", **options(TIME_TRAVEL_OPTIONS, action)}
    return await drained(run.time_travel_stream(**with_times(given)))


async def drained(output: WorkflowRunOutput) -> dict[str, Any]:
    events = [event.model_dump(by_alias=True) async for event in output]
    return {"events": events, **await outcome(output.result), "streamStatus": output.status}


async def watch(case: CaseRun, action: Action) -> dict[str, Any]:
    run = await case.session.run(action["action"])
    events: list[dict[str, Any]] = []
    unwatch = await run.watch(lambda event: events.append(event.model_dump(by_alias=True)))
    performed = await outcome(case.perform(action["action"]))
    await unwatch()
    return {"events": events, **performed}


async def outcome(awaited: Awaitable[Any]) -> dict[str, Any]:
    try:
        result = await awaited
    except Exception as error:
        return {"rejected": thrown_record(error)}
    return {"result": result_record(result) if isinstance(result, WorkflowResult) else result}


async def restart_all_active(case: CaseRun, action: Action) -> None:
    mastra = case.session.mastra
    whose: Any = mastra if action.get("all") else mastra.get_workflow(action.get("workflow", case.session.builder.id))
    await (await whose.restart_all_active_workflow_runs()).wait()


async def cancel(case: CaseRun, action: Action) -> None:
    run = await case.session.run(action)
    await run.cancel()
    if case.begun:
        # Mastra's abort signal is set when cancel() returns, ours reaches the running steps soon after.
        await asyncio.wait(case.begun.values(), timeout=ABORT_SIGNAL_SECONDS)


async def wait_call(case: CaseRun, action: Action) -> None:
    await until(lambda: case.log.calls().count(action["step"]) >= action.get("n", 1))
    await asyncio.sleep(0.01)


async def wait_status(case: CaseRun, action: Action) -> None:
    if action.get("workflow", case.session.builder.id) != case.session.builder.id:
        await wait_nested_status(case, action)
        return
    run = await case.session.run(action)
    while await run.fetch_status() != action["status"]:
        await asyncio.sleep(POLL)


async def wait_nested_status(case: CaseRun, action: Action) -> None:
    """The record of a nested workflow goes by its parent's run id."""
    run_id, records = case.run_ids[action.get("run", "r1")], case.session.mastra.records
    while True:
        state = await records.fetch(action["workflow"], run_id, ["status"], nested=False)
        if state is not None and state.status == action["status"]:
            return
        await asyncio.sleep(POLL)


async def open_gate(case: CaseRun, action: Action) -> None:
    case.log.open_gate(action["gate"])


async def pause(case: CaseRun, action: Action) -> None:
    await asyncio.sleep(action["ms"] / 1000)


async def reopen(case: CaseRun, action: Action) -> None:
    await case.reopen()


async def crash(case: CaseRun, action: Action) -> dict[str, Any]:
    """Kills the worker during an action; the caller of that action is taken to have died with it."""
    for before in action.get("before", []):
        await case.perform(before)
    worker = case.session.worker
    performed = asyncio.create_task(case.perform(action["action"]))
    killed = asyncio.create_task(kill_in_time(case, action))
    await until(lambda: worker.dead or (performed.done() and killed.done()))
    performed.cancel()
    killed.cancel()
    [failure, _] = await asyncio.gather(performed, killed, return_exceptions=True)
    if not worker.dead and isinstance(failure, Exception):
        raise failure
    died = worker.dead
    await case.reopen()
    return {"died": died, "snapshots": {}}


async def kill_in_time(case: CaseRun, action: Action) -> None:
    if "killWhenStatus" in action:
        await wait_status(case, {**action["action"], "status": action["killWhenStatus"]})
        await asyncio.sleep(0.03)
        case.session.worker.kill()
    if "killAfterMs" in action:
        # The clock starts with the first call: what was recorded had no worker process to start first.
        await until(lambda: bool(case.log.calls()))
        await asyncio.sleep(action["killAfterMs"] / 1000)
        case.session.worker.kill()


async def spans(case: CaseRun, action: Action) -> dict[str, Any]:
    return {"spans": case.spans.take() if case.spans else []}


async def get_run(case: CaseRun, action: Action) -> dict[str, Any] | None:
    named = {"fields": "fields", "withNestedWorkflows": "with_nested_workflows"}
    run_id = case.run_ids[action.get("run", "r1")]
    state = await case.session.workflow(action).get_workflow_run_by_id(run_id, **options(named, action))
    return None if state is None else state_record(state)


async def listed(case: CaseRun, action: Action) -> WorkflowRuns:
    await asyncio.sleep(VISIBILITY_SECONDS)
    filters = {to_snake(name): value for name, value in action.get("filter", {}).items()}
    for date in ("from_date", "to_date"):
        if date in filters:
            filters[date] = datetime.fromisoformat(filters[date].replace("Z", "+00:00"))
    return await case.session.workflow(action).list_workflow_runs(**filters)


async def list_runs(case: CaseRun, action: Action) -> dict[str, Any]:
    return (await listed(case, action)).model_dump(by_alias=True, mode="json")


async def list_run_ids(case: CaseRun, action: Action) -> dict[str, Any]:
    found = await listed(case, action)
    ids = [f"{case.name_of(run.run_id)}:{run.status}" for run in found.runs]
    return {"total": found.total, "ids": sorted(ids) if action.get("sorted") else ids}


async def list_active(case: CaseRun, action: Action) -> dict[str, Any]:
    await asyncio.sleep(VISIBILITY_SECONDS)
    whole = case.session.mastra if action.get("all") else case.session.workflow(action)
    found = await whole.list_active_workflow_runs()
    return {"total": found.total, "ids": sorted(case.name_of(run.run_id) for run in found.runs)}


async def delete_run(case: CaseRun, action: Action) -> None:
    await case.session.workflow(action).delete_workflow_run_by_id(case.run_ids[action.get("run", "r1")])


async def read_state(case: CaseRun, action: Action) -> dict[str, Any] | None:
    run_id = case.run_ids[action.get("run", "r1")]
    state = await case.session.workflow(action).get_workflow_run_by_id(run_id)
    if state is None:
        return None
    reader = create_workflow_state_reader(state)
    return {":".join(query): reader_record(reader, *query) for query in action["queries"]}


async def show_graph(case: CaseRun, action: Action) -> dict[str, Any]:
    workflow = case.session.workflow(action)
    return {"committed": workflow.committed, "serializedStepGraph": workflow.serialized_step_graph}


async def nothing(case: CaseRun, action: Action) -> None:
    """What concerns Mastra's own storage, which we do not have."""


ACTIONS: dict[str, Callable[[CaseRun, Action], Awaitable[Any]]] = {
    "createRun": create_run,
    "start": start,
    "startAsync": start_async,
    "restart": restart,
    "restartAllActive": restart_all_active,
    "resume": resume,
    "timeTravel": time_travel,
    "cancel": cancel,
    "wait_call": wait_call,
    "wait_status": wait_status,
    "open_gate": open_gate,
    "pause": pause,
    "reopen": reopen,
    "crash": crash,
    "snapshot": nothing,
    "persist": nothing,
    "getRun": get_run,
    "listRuns": list_runs,
    "listRunIds": list_run_ids,
    "listActive": list_active,
    "deleteRun": delete_run,
    "reader": read_state,
    "graph": show_graph,
    "stream": stream,
    "resumeStream": resume_stream,
    "timeTravelStream": time_travel_stream,
    "watch": watch,
    "spans": spans,
}
