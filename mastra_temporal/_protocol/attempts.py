"""Which attempts of steps are still those that `restart()` saw: asked on the worker, right before the run acts on it.

Between the caller's verdict and its update's arrival any time may pass, if no worker is up. The server may have given
the step to another worker meanwhile, and then it must not be given up.
"""

from __future__ import annotations

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo

__all__ = ["attempt_started"]

NOT_STARTED = "not started"


def attempt_started(pending: PendingActivityInfo) -> str:
    """When an attempt started, by the server's clock: what tells it from all other attempts of its activity."""
    if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
        return NOT_STARTED
    return f"{pending.last_started_time.seconds}.{pending.last_started_time.nanos:09}"
