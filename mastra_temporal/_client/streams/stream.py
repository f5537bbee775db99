"""The events of a run as its clients see them: as a stream with a result, by an observer, or by a callback."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.rpc_errors import translate_rpc_errors
from mastra_temporal._client.streams.feed import Execution, Feed, Item, current_execution
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import NO_USAGE, RunStatus, WorkflowResult
from mastra_temporal._worker.activities import boundary
from mastra_temporal._worker.activities.failure import recorded_cause
from mastra_temporal.errors import MastraError, RunError, RunNotFoundError

__all__ = ["Watch", "WorkflowEvent", "WorkflowRunOutput", "observe"]

OutT = TypeVar("OutT")

Mark = Literal["start", "suspended", "end"]

logger = logging.getLogger(__name__)


class WorkflowEvent(CamelModel, extra="allow"):
    """One event of a run, in the shape of Mastra's: https://mastra.ai/reference/streaming/workflows/stream.

    ``model_dump(by_alias=True)`` gives exactly what Mastra sends.
    """

    type: str
    """``workflow-step-start``, ``workflow-step-result`` and so on, or what a step gave to ``writer.custom()``."""
    run_id: str | None = None
    source: Any = Field(default=None, alias="from")
    """``WORKFLOW``, or ``USER`` for what a step wrote. None for those who watch, as in Mastra."""
    payload: Any = None
    data: Any = None
    """Of a custom event."""
    offset: int = Field(default=-1, exclude=True)
    """Its place in the run's stream. A reader that breaks off goes on with ``from_offset=event.offset + 1``."""


def _streamed(item: Item, run_id: str) -> WorkflowEvent:
    event = {"from": "WORKFLOW", **item.event, "runId": run_id, "offset": item.offset}
    if not item.written and "id" in item.event["payload"]:
        event["payload"] = {"stepName": item.event["payload"]["id"], **item.event["payload"]}
    return WorkflowEvent.model_validate(event)


def _start(run_id: str, workflow_id: str) -> WorkflowEvent:
    """The first event of a run that was refused."""
    event = {"type": "workflow-start", "payload": {"workflowId": workflow_id}}
    return _streamed(Item(-1, event, written=False), run_id)


def _finish(run_id: str, status: RunStatus, offset: int, error: Exception | None = None) -> WorkflowEvent:
    """The last event of a run that could not tell it itself, because it was refused or terminated."""
    metadata: dict[str, Any] = {}
    if error is not None:
        name = error.wire_name if isinstance(error, MastraError) else type(error).__name__
        metadata = {"error": {"name": name, "message": str(error)}, "errorMessage": str(error)}
    payload = {"workflowStatus": status, "metadata": metadata, "output": {"usage": NO_USAGE}}
    return _streamed(Item(offset, {"type": "workflow-finish", "payload": payload}, written=False), run_id)


def _mark(item: Item) -> Mark | None:
    """What an event says of the run as a whole."""
    if item.written or item.event["type"] not in ("workflow-start", "workflow-finish"):
        return None
    if item.event["type"] == "workflow-start":
        return "start"
    return "suspended" if item.event["payload"]["workflowStatus"] == "suspended" else "end"


async def observe(
    run: RunHandle, from_offset: int, status: Callable[[], Awaitable[RunStatus]]
) -> AsyncGenerator[WorkflowEvent]:
    """All events of a run from an offset on, through all suspensions, to its end. See `Run.observe_stream`."""
    if from_offset < 0:
        raise RunError(f"{run.label}: from_offset counts from 0, got {from_offset}.")
    execution = await _execution(run)
    if execution is None:
        raise RunNotFoundError(f"{run.label} was not found: there is nothing to observe.")
    # Begin one event earlier: it tells whether the last one has been seen.
    feed = Feed(run.client, run.run_id, execution.first, max(0, from_offset - 1))
    last: Item | None = None
    async for item in feed.items():
        last = item
        if item.offset >= from_offset:
            yield _streamed(item, run.run_id)
    if last is not None and _mark(last) != "end":
        yield _finish(run.run_id, await status(), feed.offset)


@translate_rpc_errors
async def _execution(run: RunHandle) -> Execution | None:
    return await current_execution(run.client, run.run_id)


class WorkflowRunOutput(Generic[OutT]):
    """The stream of a run, and its result. Mastra's ``WorkflowRunOutput``.

    The events are collected from the moment it is made. Any number of readers may iterate over it, early or late: each
    gets all events from the first one on.
    """

    def __init__(
        self,
        *,
        run_id: str,
        workflow_id: str,
        position: Callable[[], Awaitable[Feed]],
        action: Callable[[], Awaitable[WorkflowResult[OutT]]],
        status: Callable[[], Awaitable[RunStatus]],
        close_on_suspend: bool = True,
    ) -> None:
        """Use `Run.stream`, `Run.resume_stream` or `Run.time_travel_stream`.

        Args:
            run_id: The run.
            workflow_id: Its workflow.
            position: Where its events begin. Found before ``action``.
            action: Starts or resumes the run and waits for its result.
            status: Asks for the run's status.
            close_on_suspend: Whether the stream ends when the run is suspended.
        """
        self.run_id = run_id
        self.workflow_id = workflow_id
        self._position = position
        self._action = action
        self._ask_status = status
        self._close_on_suspend = close_on_suspend
        self._events: list[WorkflowEvent] = []
        self._changed = asyncio.Condition()
        self._complete = False
        self._broken: Exception | None = None
        self._status: RunStatus = "running"
        self._result: asyncio.Future[WorkflowResult[OutT]] = asyncio.get_running_loop().create_future()
        # Nobody has to ask for the result: its error is in the events, too.
        self._result.add_done_callback(lambda result: result.cancelled() or result.exception())
        self._collecting = asyncio.create_task(self._collect())

    @property
    def full_stream(self) -> AsyncIterator[WorkflowEvent]:
        """All events, from the first one on. Mastra's ``fullStream``."""
        return self._replay()

    def __aiter__(self) -> AsyncIterator[WorkflowEvent]:
        return self._replay()

    @property
    def status(self) -> RunStatus:
        """``running`` until the last event is in."""
        return self._status

    @property
    def result(self) -> Awaitable[WorkflowResult[OutT]]:
        """What the method without ``_stream`` would return or raise: ``await output.result``."""
        return asyncio.shield(self._result)

    @property
    def trace_id(self) -> str | None:
        """The run's trace, once the result is there; None where nothing is traced."""
        known = self._result.done() and not self._result.cancelled() and self._result.exception() is None
        return self._result.result().trace_id if known else None

    @property
    def usage(self) -> Awaitable[dict[str, int]]:
        """The tokens that the run used, as its last event tells: ``await output.usage``."""
        return self._usage()

    async def aclose(self) -> None:
        """Stop reading. The run goes on."""
        self._collecting.cancel()
        await asyncio.gather(self._collecting, return_exceptions=True)

    async def _usage(self) -> dict[str, int]:
        last = [event async for event in self._replay()][-1]
        return last.payload["output"]["usage"]

    async def _replay(self) -> AsyncGenerator[WorkflowEvent]:
        position = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda at=position: self._complete or len(self._events) > at)
            while position < len(self._events):
                yield self._events[position]
                position += 1
            if self._complete:
                break
        if self._broken is not None:
            raise self._broken

    async def _collect(self) -> None:
        reading: asyncio.Task[None] | None = None
        try:
            feed = await self._position()
            reading = asyncio.create_task(self._read(feed))
            self._result.set_result(await self._action())
            await reading
            if self._status == "running":
                await self._add(_finish(self.run_id, await self._ask_status(), feed.offset))
        except Exception as error:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            await self._fail(error)
        finally:
            if reading is not None:
                reading.cancel()
            self._result.cancel()
            async with self._changed:
                self._complete = True
                self._changed.notify_all()

    async def _fail(self, error: Exception) -> None:
        if self._result.done():
            self._broken = error  # the run is well, but cannot be read any more
            return
        self._result.set_exception(error)
        if not self._events:
            await self._add(_start(self.run_id, self.workflow_id), "start")
        await self._add(_finish(self.run_id, "failed", -1, error))

    async def _read(self, feed: Feed) -> None:
        """Collect from the next start (or resume) of the run to its end or suspension."""
        begun = False
        async for item in feed.items():
            mark = _mark(item)
            skipped = mark == "start" if begun else mark != "start"
            begun = begun or mark == "start"
            if skipped or (mark == "suspended" and not self._close_on_suspend):
                continue
            await self._add(_streamed(item, self.run_id), mark)
            if mark in ("suspended", "end"):
                return

    async def _add(self, event: WorkflowEvent, mark: Mark | None = "end") -> None:
        async with self._changed:
            self._events.append(event)
            if mark in ("suspended", "end"):
                self._status = event.payload["workflowStatus"]
            self._changed.notify_all()


WatchCallback = Callable[[WorkflowEvent], object]


class Watch:
    """Calls back with what the engine does in a run, until it is called: ``await watch()``."""

    def __init__(self, run_id: str, feed: Feed, callback: WatchCallback) -> None:
        """Use `Run.watch`."""
        self._run_id = run_id
        self._callback = callback
        self._stop = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(feed))

    async def __call__(self) -> None:
        """Stop, after what has happened until now has been told."""
        self._stop.set()
        await self._watching

    async def _watch(self, feed: Feed) -> None:
        while True:
            async for item in feed.items(self._stop):
                await self._tell(item)
            if not feed.found:
                return
            feed = feed.following()

    async def _tell(self, item: Item) -> None:
        if item.written or _mark(item) is not None:
            return
        events = [WorkflowEvent(**item.event, offset=item.offset)]
        if events[0].type == "workflow-step-result":
            about = {key: value for key, value in item.event["payload"].items() if key in ("id", "stepCallId")}
            payload: dict[str, Any] = {**about, "metadata": {}}
            events.append(WorkflowEvent(type="workflow-step-finish", payload=payload, offset=item.offset))
        for event in events:
            try:
                tell = functools.partial(self._callback, event)
                await boundary.call(tell, owner=f"a watcher of run `{self._run_id}`", executor=None)
            except Exception as error:
                message = "A watcher of run `%s` raised at %s, which changes nothing"
                logger.error(message, self._run_id, event.type, exc_info=recorded_cause(error))
