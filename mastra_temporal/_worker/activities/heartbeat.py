"""The heartbeat of one attempt. It stores what must survive a killed worker, and detects what happened to the attempt.

It begins with the body and not earlier. An attempt that waits for a thread or for a blocked event loop makes no
progress, so the server should give it to another worker. Once begun, it needs only a running process
(`HeartbeatThread`).

We send the heartbeats that count ourselves, because the SDK sends its own from the event loop, which may be blocked.
The SDK still gets a heartbeat now and then, or it would assume that the attempt timed out. It also sends what is
recorded at the end of an attempt, because it guarantees that this heartbeat precedes the result.
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
"""Maximum seconds between two heartbeats. `Run.restart` assumes that a step is lost after 2.5 s without one."""
FIRST_SECONDS = 0.5
"""Seconds until the first heartbeat. A shorter body sends none."""
LATE_SECONDS = 1.0
"""Seconds from an attempt's start to its body, after which it first asks the server whether it is still wanted.

Its worker was blocked, frozen or disconnected in the meantime. No other worker gets the step sooner: `restart()` waits
for 2.5 s without a heartbeat, and a terminated run for 2 s. If the clock is further ahead of the server's than this,
each step costs one extra call. If it is behind, the attempt asks later.
"""
BEATS_PER_TIMEOUT = 4
"""Minimum number of heartbeats within a short heartbeat timeout."""
NEVER = float("inf")
"""A time that never comes."""
ANSWER_TIMEOUT = timedelta(seconds=2)
"""How long to wait for the server's answer to one heartbeat."""

CUT_OFF = 0.8
"""Fraction of the heartbeat timeout without an answer after which an attempt is lost."""
RECONNECT_SECONDS = 1.0
"""Seconds that an attempt gets to reach the server after its process was frozen."""
BLOCKED_LIMIT_SECONDS = 300.0
"""Seconds after which a blocked event loop counts as dead. Its attempts send no more heartbeats."""

SDK_SECONDS = 10.0
"""Maximum seconds between two heartbeats to the SDK. Its own timeout is 5 s longer than the server's."""
SDK_GRACE_SECONDS = 2.0
"""Seconds added to half the heartbeat timeout, if that is shorter than `SDK_SECONDS`."""


class AttemptLost(ApplicationError):
    """The attempt is lost, whatever its body does. Temporal retries it without counting a failure of the step."""

    def __init__(self, message: str, kind: str, *, retry_after: timedelta | None = None) -> None:
        """Create the error.

        Args:
            message: What happened.
            kind: The error's type in Temporal.
            retry_after: Delay before the retry. None uses the retry policy, as after a crash.
        """
        super().__init__(message, type=kind, next_retry_delay=retry_after, category=ApplicationErrorCategory.BENIGN)


class Heartbeat:
    """The heartbeat of the running activity, and what it records for the next attempt.

    Use it with ``async with`` around user code, and call `begin` when that begins. If the attempt loses its connection
    to the server, the block raises `AttemptLost`, whatever the body returned or raised.
    """

    def __init__(self, owner: str, lost: LostAttempts) -> None:
        """Create the heartbeat of the running activity.

        Args:
            owner: Whose heartbeat it is, for messages.
            lost: What is known of the attempts before this one.
        """
        self.owner = owner
        self.lost = lost
        self.recorded = lost.recorded
        """The details of the next heartbeat."""
        self.abort_signal = AbortSignal()
        self.given_up = Future[bool]()
        """Set when the attempt is no longer wanted. The value is whether its result still counts."""
        self.is_cut_off = False
        """Whether the attempt lost its connection to the server. It stays lost even if the server answers again."""
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
        # `activity.heartbeat` works only in the activity's context, also if the heartbeat thread calls it.
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
        # A heartbeat that arrives late would overwrite what `count_failure` or `hand_back` recorded, and a failure or a
        # planned shutdown would count as a lost attempt.
        if self._beating is not None:
            await asyncio.wait({asyncio.wrap_future(self._beating)}, timeout=ANSWER_TIMEOUT.total_seconds())
        if self.is_cut_off and not self.given_up.done():
            # Another attempt may already be running. This one must report neither a result nor a failure.
            activity.heartbeat(self.recorded)
            raise AttemptLost(f"{self.owner}: the worker was cut off from the server", "CutOff") from None

    # The attempt, from its beginning to its end

    async def begin(self) -> None:
        """Begin to send heartbeats. A repeated or late attempt first asks the server whether it is still wanted.

        Raises:
            AttemptLost: The server gave the attempt up before its body could begin.
            LostAttemptsError: Too many attempts in a row were lost before this one.
        """
        self._take_turn()
        if self._must_ask():
            await self._ask()
        self._start()

    def begin_in_thread(self) -> None:
        """Do the same as `begin`, from a thread."""
        self._take_turn()
        if self._must_ask():
            asyncio.run_coroutine_threadsafe(self._ask(), self._loop).result()
        self._start()

    def _take_turn(self) -> None:
        if time.monotonic() - self._received > CUT_OFF * self._timeout:
            # The server has timed this attempt out or is about to. The body would run twice at once.
            raise AttemptLost(f"{self.owner} waited too long for its turn on this worker.", "NotBegun")
        self.recorded = self.lost.with_this_one(self._client.identity)

    def _must_ask(self) -> bool:
        late = (datetime.now(timezone.utc) - self._info.started_time).total_seconds()
        return late > min(LATE_SECONDS, self._timeout / 2) or self.lost.is_repeated

    async def _ask(self) -> None:
        # Send the raised count and await the answer before the body runs. Otherwise code that kills its worker at once
        # would never reach `max_lost_attempts`.
        await self.lost.check(self.owner)
        asked = NEVER
        # Only a fresh answer counts: if the process was frozen or blocked while it waited, another worker may have
        # finished the step by now.
        while abs(time.monotonic() - asked) > min(LATE_SECONDS, self._timeout / 2):
            asked = time.monotonic()
            try:
                canceled = await self._send(retry=True)
            except RPCError as error:
                over = error.status == RPCStatusCode.NOT_FOUND
                what = "when its attempt was over already" if over else "out of reach of the server"
                raise AttemptLost(f"{self.owner} began {what}.", "NotBegun") from error
            if canceled:
                # The run is canceled, or `restart()` gave this attempt up: the server knows it until it ends.
                self._began = True  # lets the SDK hear of the cancellation
                self._give_up(await why_given_up(self._client, self._info, known=True), known=True)
                raise AttemptLost(f"{self.owner} was given up before it began.", "NotBegun")

    def _start(self) -> None:
        self._began = True
        self._answered = time.monotonic()
        self._due = self._answered + min(FIRST_SECONDS, self._interval)

    def save(self, value: Any) -> None:
        """Record a checkpoint of the body, from any thread. The next heartbeat carries it and is due at once."""
        # Only a new value resets the count. A step that always dies at the same point must reach the limit.
        progress = {"value": value, "lost": 0} if value != self.recorded.value else {}
        self.recorded = self.recorded.model_copy(update=progress)
        if not self._ended:  # the body may be an abandoned thread
            self._due = min(self._due, time.monotonic())

    def count_failure(self) -> None:
        """Record that the step's own code failed. The SDK sends this heartbeat before it reports the failure."""
        self.recorded = Checkpoint(failures=self.recorded.failures + 1, value=self.recorded.value)
        activity.heartbeat(self.recorded)

    def hand_back(self) -> None:
        """Record that the attempt does not count as lost although it did not finish."""
        self.recorded = self.recorded.model_copy(update={"lost": self.lost.recorded.lost})
        activity.heartbeat(self.recorded)

    # On the thread

    def tick(self, now: float, *, awake_since: float) -> None:
        """Send a heartbeat if one is due, and detect a lost connection. See `Beating`."""
        if self._due == NEVER:
            return
        silent = now - self._answered > CUT_OFF * self._timeout
        # After the process was frozen, the last answer is old although the server can be reached. Without the second
        # condition every resumed process would abandon its attempts.
        if silent and now - awake_since > min(RECONNECT_SECONDS, self._timeout / 2):
            self.is_cut_off = True
            self.abort_signal._set("cut_off")  # pyright: ignore[reportPrivateUsage]
        # Send only one heartbeat at a time: of two, the older could arrive last and undo a checkpoint.
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
            # Other errors are not reported here: `tick` detects a lost connection.
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
        """Send one heartbeat.

        Args:
            retry: Whether to retry the call if it fails.

        Returns:
            Whether the server requests the cancellation of the attempt.

        Raises:
            RPCError: The server could not be reached, or does not know the attempt (NOT_FOUND).
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
            except Exception:  # a codec may be bound to the worker's event loop
                _logger.warning("The checkpoint of %s could not be encoded", self.owner, exc_info=True)
                self._encoding_fails = True
                self._encoded = (recorded, self._encoded[1])
        return self._encoded[1]

    # For the SDK

    def tell_sdk(self) -> None:
        """Let the SDK send a heartbeat and learn of a cancellation by the answer. Call it in the activity's loop."""
        if self._began and not self._ended:
            activity.heartbeat(self.recorded)

    async def _keep_sdk(self) -> None:
        """Send a heartbeat through the SDK. Otherwise it assumes that the attempt timed out and drops its result."""
        self._sdk_told = time.monotonic()
        if self._encoding_fails or self._watch.blocked_seconds < FIRST_SECONDS:
            self._loop.call_soon_threadsafe(self.tell_sdk, context=self._context)
            return
        others = asyncio.all_tasks()
        # The activity's event loop is blocked. `activity.heartbeat` creates a task on the running loop, which is this
        # thread's. Finish it here: the SDK awaits it when the activity ends, and a pending task of another loop would
        # raise there.
        self._context.copy().run(self.tell_sdk)
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
