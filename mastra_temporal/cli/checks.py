"""The checks of ``mastra-temporal doctor``. Each returns what it found, with a remedy for each fault.

No check writes anything that lasts: the clock is read by a poll of a task queue that nobody else uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import Any, Literal

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkflowExecutionResponse,
    GetSystemInfoRequest,
    ListWorkersRequest,
    PollActivityTaskQueueRequest,
)
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from mastra_temporal._client.records.listing import is_ours
from mastra_temporal._client.records.search_attributes import KEYS
from mastra_temporal._client.recovery.liveness import OUR_INTERVAL_SECONDS, LivenessChecker, describe
from mastra_temporal._client.recovery.queues import has_pollers, pinned_version, queues_of
from mastra_temporal._client.recovery.reschedule import workers_of
from mastra_temporal._protocol.model import CamelModel

__all__ = ["Finding", "Patient", "examine"]

PLUGIN = "mastra_temporal.MastraPlugin"
"""The name under which the server lists our plugin."""
OLDEST_SDK = (1, 35)
"""The oldest version of the SDK that workers may have: that of our own dependency."""
SHORTEST_RETENTION = timedelta(days=1)
CLOCK_TOLERANCE = timedelta(seconds=5)
"""The difference of clocks from which times in results and the check for pollers are misleading."""
EXAMINED_RUNS = 100
"""How many open runs are examined, the newest first."""


class Finding(CamelModel):
    """What a check has found."""

    check: str
    status: Literal["ok", "fault", "unknown"]
    what: str
    remedy: str | None = None


@dataclass(frozen=True)
class Patient:
    """What is examined."""

    client: Client
    task_queue: str | None
    """The task queue that was asked for. None: only the queues of open runs."""


Check = Callable[[Patient], Awaitable[list[Finding]]]


def now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(timezone.utc)


async def examine(patient: Patient) -> list[Finding]:
    """Perform all checks at the same time. Return the findings in the order of the checks.

    A namespace that does not exist is the only finding then.
    """
    namespace = await _namespace(patient)
    if namespace[0].status == "fault" and namespace[0].check == "namespace":
        return namespace
    checks: list[Check] = [_server, _heartbeats, _search_attributes, _clock, _queues_and_runs]
    found = await asyncio.gather(*(_safely(check, patient) for check in checks))
    return [_versions(), *namespace, *(finding for findings in found for finding in findings)]


async def _safely(check: Check, patient: Patient) -> list[Finding]:
    """Return the findings of a check. A server that refuses a call is a finding, not the end of all checks."""
    try:
        return await check(patient)
    except RPCError as error:
        name = check.__name__.strip("_").replace("_", " ")
        return [_unknown(name, f"the server refused the question: {error.message}", "Check the rights of this client.")]


def _ok(check: str, what: str) -> Finding:
    return Finding(check=check, status="ok", what=what)


def _fault(check: str, what: str, remedy: str) -> Finding:
    return Finding(check=check, status="fault", what=what, remedy=remedy)


def _unknown(check: str, what: str, remedy: str) -> Finding:
    return Finding(check=check, status="unknown", what=what, remedy=remedy)


def _versions() -> Finding:
    packages = ", ".join(f"{name} {version(name)}" for name in ("mastra-temporal", "temporalio", "pydantic"))
    return _ok("versions", f"{packages}, Python {platform.python_version()}")


async def _namespace(patient: Patient) -> list[Finding]:
    name = patient.client.namespace
    try:
        found = await patient.client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    except RPCError as error:
        remedy = f"Create it (`temporal operator namespace create {name}`) or name another one with --namespace."
        return [_fault("namespace", f"namespace {name} cannot be read: {error.message}", remedy)]
    retention = found.config.workflow_execution_retention_ttl.ToTimedelta()
    findings = [_ok("namespace", f"{name}, closed runs are kept for {retention}")]
    if retention < SHORTEST_RETENTION:
        remedy = f"Keep them for a day or more: `temporal operator namespace update -n {name} --retention 72h`."
        findings.append(_fault("retention", f"closed runs are deleted after {retention}", remedy))
    capabilities = found.namespace_info.capabilities
    if not (capabilities.sync_update and capabilities.async_update):
        remedy = (
            "Set `frontend.enableUpdateWorkflowExecution` and `frontend.enableUpdateWorkflowExecutionAsyncAccepted` to "
            "true in the server's dynamic configuration, or use a server of version 1.28 or newer."
        )
        findings.append(_fault("updates", "the server takes no updates, which start, resume and restart need", remedy))
    return findings


async def _server(patient: Patient) -> list[Finding]:
    info = await patient.client.workflow_service.get_system_info(GetSystemInfoRequest())
    address = patient.client.service_client.config.target_host
    findings = [_ok("server", f"{address}, version {info.server_version}")]
    if not (info.capabilities.upsert_memo and info.capabilities.supports_schedules):
        findings.append(_fault("server", "it knows no memos or schedules", "Use a server of version 1.28 or newer."))
    return findings


async def _heartbeats(patient: Patient) -> list[Finding]:
    """Check the flags that `restart()` needs to tell a dead worker from a live one."""
    client, findings = patient.client, list[Finding]()
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    if not found.namespace_info.capabilities.worker_heartbeats:
        findings.append(
            _fault("heartbeats", "the server takes no heartbeats of workers", _flag("WorkerHeartbeatsEnabled"))
        )
    try:
        await client.workflow_service.list_workers(ListWorkersRequest(namespace=client.namespace), retry=False)
    except RPCError as error:
        what = f"the server does not list workers ({error.message})"
        findings.append(_fault("list of workers", what, _flag("ListWorkersEnabled")))
    return findings or [_ok("heartbeats", "the server takes and lists the heartbeats of workers")]


def _flag(name: str) -> str:
    return (
        f"Set `frontend.{name}` to true in the server's dynamic configuration, see deploy/dynamicconfig.yaml. Without "
        "it `restart()` waits for the heartbeats of steps, up to 8 seconds."
    )


async def _search_attributes(patient: Patient) -> list[Finding]:
    client = patient.client
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), retry=False
    )
    missing = [key.name for key in KEYS if key.name not in found.custom_attributes]
    wrong = [
        key.name
        for key in KEYS
        if key.name not in missing and found.custom_attributes[key.name] != int(key.indexed_value_type)
    ]
    findings: list[Finding] = []
    if missing:
        remedy = "Register them with `mastra-temporal search-attributes`."
        findings.append(_fault("search attributes", f"{', '.join(missing)} are missing", remedy))
    if wrong:
        remedy = (
            "Remove them (`temporal operator search-attribute remove --name NAME`) and register them again with "
            "`mastra-temporal search-attributes`."
        )
        findings.append(_fault("search attributes", f"{', '.join(wrong)} are not of type Keyword", remedy))
    return findings or [_ok("search attributes", ", ".join(key.name for key in KEYS))]


async def _clock(patient: Patient) -> list[Finding]:
    """Compare our clock with the server's, which it notes when somebody polls a task queue."""
    client = patient.client
    queue = f"mastra-temporal.doctor-{uuid.uuid4()}"
    # The server notes only polls with an identity.
    request = PollActivityTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), identity="mastra-temporal doctor"
    )
    before = now()
    polling = asyncio.ensure_future(
        client.workflow_service.poll_activity_task_queue(request, retry=False, timeout=timedelta(seconds=3))
    )
    try:
        server = await _last_poll(client, queue, polling)
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
    if server is None:
        return [_unknown("clock", "the server did not tell its time", "Compare the clocks by hand.")]
    ahead = max(before - server, server - now(), timedelta())
    if ahead <= CLOCK_TOLERANCE:
        return [_ok("clock", "this machine and the server agree")]
    remedy = "Synchronize both with a time server (NTP): times in results and the check for pollers are misleading."
    return [_fault("clock", f"this machine and the server differ by {ahead.total_seconds():.0f} s", remedy)]


async def _last_poll(client: Client, queue: str, polling: asyncio.Future[Any]) -> datetime | None:
    while not polling.done():
        found = await _described(client, queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        for poller in found.pollers:
            return poller.last_access_time.ToDatetime(tzinfo=timezone.utc)
        await asyncio.sleep(0.05)
    return None


async def _described(client: Client, queue: str, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind)
    )


async def _queues_and_runs(patient: Patient) -> list[Finding]:
    """Check the open runs, and the workers of their task queues and of the one that was asked for."""
    client = patient.client
    executions = [each async for each in client.list_workflows("ExecutionStatus = 'Running'", limit=EXAMINED_RUNS)]
    ours = [each for each in executions if is_ours(each)]
    found = await asyncio.gather(*(_description(client, each) for each in ours))
    runs = [each for each in found if each is not None]
    queues = {queue for each in runs for queue in queues_of(each)}
    if patient.task_queue:
        queues.add((patient.task_queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW))
    if not queues:
        remedy = "Name a queue with --task-queue, or an app with --app."
        return [_unknown("workers", "there are no open runs, so no task queue is known", remedy)]
    by_queue, by_run = await asyncio.gather(
        asyncio.gather(*(_queue(client, *queue) for queue in sorted(queues))),
        asyncio.gather(*(_run(LivenessChecker(client), client, each) for each in runs)),
    )
    return [finding for findings in (*by_queue, *by_run) for finding in findings]


async def _description(client: Client, execution: WorkflowExecution) -> DescribeWorkflowExecutionResponse | None:
    with contextlib.suppress(RPCError):  # it has just been deleted
        return await describe(client, execution.id, execution.run_id)
    return None


async def _queue(client: Client, queue: str, kind: TaskQueueType.ValueType) -> list[Finding]:
    what = "workflow tasks" if kind == TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW else "steps"
    if not await has_pollers(client, queue, kind):
        remedy = f"Start one: `mastra-temporal worker --app MODULE:ATTRIBUTE --task-queue {queue}`."
        return [_fault("workers", f"no worker polls task queue {queue} for {what}", remedy)]
    beats = await _live_workers(client, queue)
    findings = [*_without_plugin(queue, beats), *_same_identity(queue, beats), *_sdk_versions(queue, beats)]
    silent = {poller.identity for poller in (await _described(client, queue, kind)).pollers}
    silent -= {beat.worker_identity for beat in beats}
    if silent and beats:
        findings.append(_silent(queue, silent))
    count = len({beat.worker_instance_key for beat in beats}) or len(silent)
    return findings or [_ok("workers", f"{count} on task queue {queue} for {what}")]


async def _live_workers(client: Client, queue: str) -> list[WorkerHeartbeat]:
    """Return the last heartbeats of the workers on a queue. A list that the server refuses is another finding."""
    with contextlib.suppress(RPCError):
        found = await client.workflow_service.list_workers(ListWorkersRequest(namespace=client.namespace), retry=False)
        beats = [worker.worker_heartbeat for worker in found.workers_info]
        running = WorkerStatus.WORKER_STATUS_RUNNING
        return [beat for beat in beats if beat.task_queue == queue and beat.status == running]
    return []


def _without_plugin(queue: str, beats: Iterable[WorkerHeartbeat]) -> list[Finding]:
    findings: list[Finding] = []
    for beat in beats:
        if all(plugin.name != PLUGIN for plugin in beat.plugins):
            remedy = "Give its client the plugin: `Client.connect(..., plugins=[MastraPlugin(mastra)])`, or stop it."
            what = f"worker {beat.worker_identity} on task queue {queue} has no MastraPlugin"
            findings.append(_fault("workers", what, remedy))
        elif (seconds := beat.elapsed_since_last_heartbeat.ToTimedelta().total_seconds()) > OUR_INTERVAL_SECONDS:
            remedy = "Give its client `runtime=` with `worker_heartbeat_interval=timedelta(seconds=1)`, or none."
            what = f"worker {beat.worker_identity} on task queue {queue} sends a heartbeat every {seconds:.0f} s only"
            findings.append(_fault("workers", what, remedy))
    return findings


def _same_identity(queue: str, beats: Iterable[WorkerHeartbeat]) -> list[Finding]:
    processes: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for beat in beats:
        processes[beat.worker_identity].add((beat.host_info.host_name, beat.host_info.process_id))
    remedy = "Leave `identity` out, or give each process its own: restarts tell dead workers from live ones by it."
    return [
        _fault("workers", f"{len(found)} processes on task queue {queue} have the identity {identity}", remedy)
        for identity, found in processes.items()
        if len(found) > 1
    ]


def _sdk_versions(queue: str, beats: Iterable[WorkerHeartbeat]) -> list[Finding]:
    remedy = "Update `temporalio` there: the oldest version that works is " + ".".join(map(str, OLDEST_SDK)) + "."
    return [
        _fault(
            "versions", f"worker {beat.worker_identity} on task queue {queue} has temporalio {beat.sdk_version}", remedy
        )
        for beat in beats
        if beat.sdk_name == "temporal-python" and _numbers(beat.sdk_version) < OLDEST_SDK
    ]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _silent(queue: str, identities: Iterable[str]) -> Finding:
    what = f"pollers of task queue {queue} without heartbeats: {', '.join(sorted(identities))}"
    remedy = "If they are not stopped since a few minutes, give their clients the MastraPlugin."
    return _unknown("workers", what, remedy)


async def _run(liveness: LivenessChecker, client: Client, run: DescribeWorkflowExecutionResponse) -> list[Finding]:
    run_id = run.workflow_execution_info.execution.workflow_id
    findings: list[Finding] = []
    remedy = f"`mastra-temporal restart {run_id}`"
    if run.pending_workflow_task.attempt > 1:
        failing = f"the workflow task of run {run_id} has failed {run.pending_workflow_task.attempt - 1} times"
        fixed = f"Read the worker's log, deploy a worker that can run it, then {remedy} if it does not go on by itself."
        findings.append(_fault("runs", failing, fixed))
    elif gone := await liveness.gone(run_id, workers_of(run.pending_activities)):
        what = f"run {run_id} has lost its worker {', '.join(sorted(gone))}"
        findings.append(_fault("runs", what, f"{remedy} goes on at once, or `restart --all --app MODULE:ATTRIBUTE`."))
    pinned = pinned_version(run)
    queue = run.workflow_execution_info.task_queue
    if pinned and not await has_pollers(client, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, pinned):
        what = f"run {run_id} is pinned to build {pinned.build_id}, which no worker of task queue {queue} has"
        findings.append(
            _fault(
                "runs", what, "Start a worker of that build, or move the run with `temporal workflow update-options`."
            )
        )
    return findings
