"""The identity of an attempt of an activity, by which `restart()` and the worker know that they mean the same one.

Any time may pass between the decision of the client that an attempt is lost and the arrival of its update, if no worker
is up. The server may have started another attempt meanwhile, which must not be given up.
"""

from __future__ import annotations

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo

__all__ = ["attempt_started"]

NOT_STARTED = "not started"


def attempt_started(pending: PendingActivityInfo) -> str:
    """Return the server's start time of the current attempt, which identifies it among the attempts of its activity."""
    if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
        return NOT_STARTED
    return f"{pending.last_started_time.seconds}.{pending.last_started_time.nanos:09}"
