"""Events of a run for clients: a stream with a result, an observer, or a callback."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.rpc_errors import translate_rpc_errors
from mastra_temporal._client.streams.execution import Execution, current_execution
from mastra_temporal._client.streams.feed import Feed, Item, from_now
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
    """One event of a run, in Mastra's format: https://mastra.ai/reference/streaming/workflows/stream.

    ``model_dump(by_alias=True)`` returns exactly the data that Mastra sends.
    """

    type: str
    """``workflow-step-start``, ``workflow-step-result`` and so on, or the type passed to ``writer.custom()``."""
    run_id: str | None = None
    source: Any = Field(default=None, alias="from")
    """``WORKFLOW`` for the engine, ``USER`` for data that a step wrote. None in `Run.watch`, as in Mastra."""
    payload: Any = None
    """Data of an engine event."""
    data: Any = None
    """Data of a custom event."""
    offset: int = Field(default=-1, exclude=True)
    """Position in the run's stream. To continue after this event, observe with ``from_offset=event.offset + 1``."""


def _streamed(item: Item, run_id: str) -> WorkflowEvent:
    """Return an item as an event of a stream."""
    event = {"from": "WORKFLOW", **item.event, "runId": run_id, "offset": item.offset}
    if not item.written and "id" in item.event["payload"]:
        event["payload"] = {"stepName": item.event["payload"]["id"], **item.event["payload"]}
    return WorkflowEvent.model_validate(event)


def _start(run_id: str, workflow_id: str) -> WorkflowEvent:
    """Return the first event for a run that was refused and has no events."""
    event = {"type": "workflow-start", "payload": {"workflowId": workflow_id}}
    return _streamed(Item(-1, event, written=False), run_id)


def _finish(run_id: str, status: RunStatus, offset: int, error: Exception | None = None) -> WorkflowEvent:
    """Return the last event for a run that could not write it, because it was refused or closed from outside."""
    metadata: dict[str, Any] = {}
    if error is not None:
        name = error.wire_name if isinstance(error, MastraError) else type(error).__name__
        metadata = {"error": {"name": name, "message": str(error)}, "errorMessage": str(error)}
    payload = {"workflowStatus": status, "metadata": metadata, "output": {"usage": NO_USAGE}}
    return _streamed(Item(offset, {"type": "workflow-finish", "payload": payload}, written=False), run_id)


def _mark(item: Item) -> Mark | None:
    """Return what an event means for the run as a whole: start, suspension or end. None for all other events."""
    if item.written or item.event["type"] not in ("workflow-start", "workflow-finish"):
        return None
    if item.event["type"] == "workflow-start":
        return "start"
    return "suspended" if item.event["payload"]["workflowStatus"] == "suspended" else "end"


async def observe(
    run: RunHandle, from_offset: int, status: Callable[[], Awaitable[RunStatus]], *, follow: bool = True
) -> AsyncGenerator[WorkflowEvent]:
    """Yield all events of a run from an offset to its end, across suspensions. See `Run.observe_stream`.

    Args:
        run: The run.
        from_offset: Offset of the first event.
        status: Returns the status of the run, for the last event of a run that was closed from outside.
        follow: Whether to wait for further events of an open run.
    """
    if from_offset < 0:
        raise RunError(f"{run.label}: from_offset counts from 0, got {from_offset}.")
    execution = await _execution(run)
    if execution is None:
        raise RunNotFoundError(f"{run.label} was not found: there is nothing to observe.")
    end = None if follow else await _end_so_far(run)
    if end is not None and from_offset >= end:
        return
    # Begin one event earlier: if the caller has already seen the end, no second finish event may be added.
    feed = Feed(run.client, run.run_id, execution.first, max(0, from_offset - 1))
    last: Item | None = None
    async with contextlib.aclosing(feed.items()) as items:
        async for item in items:
            last = item
            if item.offset >= from_offset:
                yield _streamed(item, run.run_id)
            if end is not None and item.offset >= end - 1:
                return
    if last is not None and _mark(last) != "end":
        yield _finish(run.run_id, await status(), feed.offset)


@translate_rpc_errors
async def _execution(run: RunHandle) -> Execution | None:
    return await current_execution(run.client, run.run_id)


@translate_rpc_errors
async def _end_so_far(run: RunHandle) -> int | None:
    """Return the offset behind the last event of an open run. None if the run is closed, and its stream ends by itself.

    An open run can have several executions, so the feed of the first one cannot simply be stopped: it would leave out
    the events of the others.
    """
    feed = await from_now(run.client, run.run_id)
    return feed.offset if feed.found else None


class WorkflowRunOutput(Generic[OutT]):
    """Stream of the events of a run, and its result. Mastra's ``WorkflowRunOutput``.

    It collects events in the background from its creation on. Any number of readers may iterate over it at any time;
    each gets all events from the first one.
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
        """Use `Run.stream`, `Run.resume_stream` or `Run.time_travel_stream` instead.

        Args:
            run_id: The run.
            workflow_id: The workflow of the run.
            position: Returns the feed of the events. Called before ``action``, so that no event is missed.
            action: Starts or resumes the run and waits for its result.
            status: Returns the status of the run.
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
        # Retrieve the error, which is also in the events. Otherwise asyncio would log "exception was never retrieved"
        # if the caller does not await the result.
        self._result.add_done_callback(lambda result: result.cancelled() or result.exception())
        self._collecting = asyncio.create_task(self._collect())

    @property
    def full_stream(self) -> AsyncIterator[WorkflowEvent]:
        """All events, beginning with the first one. Mastra's ``fullStream``."""
        return self._replay()

    def __aiter__(self) -> AsyncIterator[WorkflowEvent]:
        return self._replay()

    @property
    def status(self) -> RunStatus:
        """Status of the run: ``running`` until the last event has arrived."""
        return self._status

    @property
    def result(self) -> Awaitable[WorkflowResult[OutT]]:
        """Result of the run: ``await output.result`` returns or raises the same as the method that does not stream."""
        # Without the shield, cancelling one caller would cancel the result for all.
        return asyncio.shield(self._result)

    @property
    def trace_id(self) -> str | None:
        """Trace id of the run, once the result is available. None if the run is not traced."""
        known = self._result.done() and not self._result.cancelled() and self._result.exception() is None
        return self._result.result().trace_id if known else None

    @property
    def usage(self) -> Awaitable[dict[str, int]]:
        """Tokens that the run used, from its last event: ``await output.usage``."""
        return self._usage()

    async def aclose(self) -> None:
        """Stop reading. The run continues."""
        self._collecting.cancel()
        await asyncio.gather(self._collecting, return_exceptions=True)

    async def _usage(self) -> dict[str, int]:
        last = [event async for event in self._replay()][-1]
        return last.payload["output"]["usage"]

    async def _replay(self) -> AsyncGenerator[WorkflowEvent]:
        """Yield the collected events, and wait for further ones until the stream is complete."""
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
        """Run the action and collect the events meanwhile."""
        reading: asyncio.Task[None] | None = None
        try:
            # Find the position before the action starts. Otherwise the first events would be missed.
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
        """Complete the stream after an error of the action, or note an error of reading."""
        if self._result.done():
            self._broken = error  # the run has a result, but its events cannot be read any more
            return
        self._result.set_exception(error)
        if not self._events:
            await self._add(_start(self.run_id, self.workflow_id), "start")
        await self._add(_finish(self.run_id, "failed", -1, error))

    async def _read(self, feed: Feed) -> None:
        """Collect events from the next start or resume of the run to its end or suspension."""
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
    """A watch on a run: calls a function for every engine event until it is stopped with ``await watch()``."""

    def __init__(self, run_id: str, feed: Feed, callback: WatchCallback) -> None:
        """Use `Run.watch` instead."""
        self._run_id = run_id
        self._callback = callback
        self._stop = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(feed))

    async def __call__(self) -> None:
        """Stop the watch after the callback has received all events that happened so far."""
        self._stop.set()
        await self._watching

    async def _watch(self, feed: Feed) -> None:
        """Follow the run across new starts and time travels until the watch is stopped."""
        while True:
            async for item in feed.items(self._stop):
                await self._tell(item)
            if not feed.found:
                return
            feed = feed.following()

    async def _tell(self, item: Item) -> None:
        """Call the callback with the events of an item. A step result is followed by a step finish event."""
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
