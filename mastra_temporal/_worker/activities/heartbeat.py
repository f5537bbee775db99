"""The heartbeat of one attempt: it carries what survives a killed worker, and is told what became of the attempt.

It begins with the body, not before: an attempt that waits for a thread, or for an event loop that is blocked, is not
alive, and the server gives it to another worker. From then on it depends on the process alone (`HeartbeatThread`).

The beats that count are our own calls, since the SDK sends its own from the event loop. The SDK is told now and then
that the attempt is alive, or it would take it for dead; and it sends what is recorded at an attempt's end, because it
knows how to send that before the result.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import Payloads
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.converter import ActivitySerializationContext
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode
from typing_extensions import Self

from mastra_temporal._protocol.step_calls import Checkpoint
from mastra_temporal._worker.activities.given_up import why_given_up
from mastra_temporal._worker.activities.heartbeat_thread import HEARTBEATS
from mastra_temporal._worker.activities.lost_attempts import LostAttempts
from mastra_temporal.context import AbortReason, AbortSignal

__all__ = ["AttemptLost", "Heartbeat"]

_logger = logging.getLogger("mastra_temporal.worker")

INTERVAL_SECONDS = 1.0
"""Between two beats at most: `Run.restart` takes a step for lost that has not beaten for 2.5 s."""
FIRST_SECONDS = 0.5
"""After so long the first beat is sent. A body that is over before costs none."""
LATE_SECONDS = 1.0
"""An attempt that begins later than this after its worker took it asks first whether it is still wanted.

Its worker was blocked, frozen or cut off meanwhile. No other worker is given the step sooner: `restart()` waits for
2.5 s of silence, a terminated run for 2 s. Where the clock is ahead of the server's by more, each step costs one call;
where it is behind, the question is asked later.
"""
BEATS_PER_TIMEOUT = 4
"""At least, where the heartbeat timeout is short."""
NEVER = float("inf")
ANSWER_TIMEOUT = timedelta(seconds=2)

CUT_OFF = 0.8
"""The part of the heartbeat timeout after which an attempt that the server does not hear of is lost."""
RECONNECT_SECONDS = 1.0
"""What an attempt gets to reach the server after its process stood still."""
BLOCKED_LIMIT_SECONDS = 300.0
"""An event loop that has been blocked for so long does not come back: its attempts beat no more."""

SDK_SECONDS = 10.0
"""Between two signs of life for the SDK, at most. It waits for 5 s longer than the server does."""
SDK_GRACE_SECONDS = 2.0


class AttemptLost(ApplicationError):
    """The attempt decides nothing, whatever its body does: Temporal tries again, without counting a failure."""

    def __init__(self, message: str, kind: str, *, retry_after: timedelta | None = None) -> None:
        """Create the error.

        Args:
            message: What happened.
            kind: The error's type for Temporal.
            retry_after: How long Temporal waits; by default as after a crash.
        """
        super().__init__(message, type=kind, next_retry_delay=retry_after, category=ApplicationErrorCategory.BENIGN)


class Heartbeat:
    """The heartbeat of the activity that is running, and what it has recorded for the next attempt.

    ``async with`` it while user code runs; call `begin` when that begins. The block raises `AttemptLost`, whatever it
    came to, if the attempt was cut off from the server.
    """

    def __init__(self, owner: str, lost: LostAttempts) -> None:
        """Create it.

        Args:
            owner: Whose heartbeat it is, for messages.
            lost: What became of the attempts before.
        """
        self.owner = owner
        self.lost = lost
        self.recorded = lost.recorded
        """What the next beat says."""
        self.abort_signal = AbortSignal()
        self.given_up = Future[bool]()
        """Set when the attempt is not wanted any more: whether its result still is."""
        self.is_cut_off = False
        """Whether the attempt was told so: it is lost, also when the server comes back."""
        self._info = activity.info()
        self._client = activity.client()
        timeout = self._info.heartbeat_timeout
        self._timeout = NEVER if timeout is None else timeout.total_seconds()
        self._interval = min(INTERVAL_SECONDS, self._timeout / BEATS_PER_TIMEOUT)
        self._converter = self._client.data_converter.with_context(_serialization_context(self._info))
        self._encoded: tuple[Checkpoint, Payloads | None] = (Checkpoint(), None)
        self._began = self._ended = self._encoding_fails = False
        self._received = self._answered = self._sdk_told = time.monotonic()
        self._due = NEVER
        self._beating: Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._watching = HEARTBEATS.watching()
        self._watch = self._watching.__enter__()
        HEARTBEATS.add(self)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._ended = True
        self._due = NEVER
        HEARTBEATS.remove(self)
        self._watching.__exit__(None, None, None)
        if self._beating is not None:  # it must not come after what is recorded at the end
            await asyncio.wait({asyncio.wrap_future(self._beating)}, timeout=ANSWER_TIMEOUT.total_seconds())
        if self.is_cut_off and not self.given_up.done():
            # Another attempt may be under way: whatever this one came to, it decides nothing.
            activity.heartbeat(self.recorded)
            raise AttemptLost(f"{self.owner}: the worker was cut off from the server", "CutOff") from None

    # The attempt, from its beginning to its end

    async def begin(self) -> None:
        """Begin to beat. An attempt that others came before, or that is late, asks the server first.

        Raises:
            AttemptLost: The server has given it up while it waited for its turn.
            LostAttemptsError: Too many in a row were lost before it.
        """
        self._take_turn()
        if self._must_ask():
            await self._ask()
        self._start()

    def begin_in_thread(self) -> None:
        """`begin`, in a thread."""
        self._take_turn()
        if self._must_ask():
            asyncio.run_coroutine_threadsafe(self._ask(), self._loop).result()
        self._start()

    def _take_turn(self) -> None:
        if time.monotonic() - self._received > CUT_OFF * self._timeout:
            raise AttemptLost(f"{self.owner} waited too long for its turn on this worker.", "NotBegun")
        self.recorded = self.lost.with_this_one(self._client.identity)

    def _must_ask(self) -> bool:
        late = (datetime.now(timezone.utc) - self._info.started_time).total_seconds()
        return late > min(LATE_SECONDS, self._timeout / 2) or self.lost.is_repeated

    async def _ask(self) -> None:
        await self.lost.check(self.owner)
        asked = time.monotonic()
        try:
            await self._send(retry=True)
        except RPCError as error:
            over = error.status == RPCStatusCode.NOT_FOUND
            what = "when its attempt was over already" if over else "out of reach of the server"
            raise AttemptLost(f"{self.owner} began {what}.", "NotBegun") from error
        if time.monotonic() - asked > CUT_OFF * self._timeout:  # the event loop was blocked meanwhile
            raise AttemptLost(f"{self.owner} was held up before it could begin.", "NotBegun")

    def _start(self) -> None:
        self._began = True
        self._answered = time.monotonic()
        self._due = self._answered + min(FIRST_SECONDS, self._interval)

    def save(self, value: Any) -> None:
        """Take over a checkpoint of the body, which may run in a thread; the next beat, due at once, carries it."""
        progress = {"value": value, "lost": 0} if value != self.recorded.value else {}
        self.recorded = self.recorded.model_copy(update=progress)
        if not self._ended:  # the body may be a thread that nobody waits for
            self._due = min(self._due, time.monotonic())

    def count_failure(self) -> None:
        """Record that the step's own code failed: on its way to the server before the failure is reported."""
        self.recorded = Checkpoint(failures=self.recorded.failures + 1, value=self.recorded.value)
        activity.heartbeat(self.recorded)

    def hand_back(self) -> None:
        """Record that the attempt does not count as lost, although it did not come to its end."""
        self.recorded = self.recorded.model_copy(update={"lost": self.lost.recorded.lost})
        activity.heartbeat(self.recorded)

    # On the thread

    def tick(self, now: float, *, awake_since: float) -> None:
        """See `Beating`."""
        if self._due == NEVER:
            return
        silent = now - self._answered > CUT_OFF * self._timeout
        if silent and now - awake_since > min(RECONNECT_SECONDS, self._timeout / 2):
            self.is_cut_off = True
            self.abort_signal._set("cut_off")  # pyright: ignore[reportPrivateUsage]
        if now < self._due or self._beating is not None or self._watch.blocked_seconds > BLOCKED_LIMIT_SECONDS:
            return
        self._due = now + self._interval
        self._beating = Future[None]()
        self._task = asyncio.create_task(self._beat(self._beating))

    async def _beat(self, beating: Future[None]) -> None:
        try:
            canceled = await self._send(retry=False)
            self._answered = time.monotonic()
            if canceled and not self.given_up.done():
                self._give_up(await why_given_up(self._client, self._info, known=True), known=True)
            if self._answered - self._sdk_told > min(SDK_SECONDS, self._timeout / 2 + SDK_GRACE_SECONDS):
                await self._keep_sdk()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                self._due = NEVER
                self._give_up(await why_given_up(self._client, self._info, known=False), known=False)
        finally:
            self._beating = None
            beating.set_result(None)

    def _give_up(self, reason: AbortReason, *, known: bool) -> None:
        self.abort_signal._set(reason)  # pyright: ignore[reportPrivateUsage]
        if not self.given_up.done():
            self.given_up.set_result(known and reason == "canceled")

    async def _send(self, *, retry: bool) -> bool:
        """Beat once.

        Returns:
            Whether the attempt is canceled.
        """
        answer = await self._client.workflow_service.record_activity_task_heartbeat(
            RecordActivityTaskHeartbeatRequest(
                namespace=self._info.namespace,
                identity=self._client.identity,
                task_token=self._info.task_token,
                details=await self._details(),
            ),
            retry=retry,
            timeout=ANSWER_TIMEOUT,
        )
        return answer.cancel_requested

    async def _details(self) -> Payloads | None:
        recorded = self.recorded
        if recorded is not self._encoded[0]:
            try:
                self._encoded = (recorded, Payloads(payloads=await self._converter.encode([recorded])))
            except Exception:  # a codec that can be used on the worker's own event loop alone
                _logger.warning("The checkpoint of %s could not be encoded", self.owner, exc_info=True)
                self._encoding_fails = True
                self._encoded = (recorded, self._encoded[1])
        return self._encoded[1]

    # For the SDK

    def tell_sdk(self) -> None:
        """Have the SDK send a beat, and hear of a cancellation by its answer. Called in the activity's own loop."""
        if self._began and not self._ended:
            activity.heartbeat(self.recorded)

    async def _keep_sdk(self) -> None:
        """Tell the SDK that the attempt is alive: it would not report the result of one that it takes for dead."""
        self._sdk_told = time.monotonic()
        if self._encoding_fails or self._watch.blocked_seconds < FIRST_SECONDS:
            self._loop.call_soon_threadsafe(self.tell_sdk, context=self._context)
            return
        others = asyncio.all_tasks()
        self._context.copy().run(self.tell_sdk)  # what it does takes a task of the running loop, whichever that is
        await asyncio.gather(*(asyncio.all_tasks() - others))


def _serialization_context(info: activity.Info) -> ActivitySerializationContext:
    return ActivitySerializationContext(
        namespace=info.namespace,
        workflow_id=info.workflow_id,
        workflow_type=info.workflow_type,
        activity_type=info.activity_type,
        activity_id=info.activity_id,
        activity_task_queue=info.task_queue,
        is_local=info.is_local,
    )
