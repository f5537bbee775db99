"""The tree of all errors that this package raises.

::

    MastraError
    ├── DefinitionError            a workflow or step is defined wrongly; raised where it is defined
    ├── SchemaValidationError      data do not match their schema; nothing was started
    ├── MappingError               a path or template of ``.map()`` does not match the data
    ├── SerializationError         a value cannot be written to Temporal's history
    │   ├── PayloadTooLargeError   the value is larger than the server takes
    │   └── DataConversionError    the client's data converter or codec cannot write or read the value
    ├── HistoryTooLargeError       a run is about to reach the size at which the server terminates it
    ├── NonRetryableError          raise it in a step to fail without retries
    │   └── LostAttemptsError      too many attempts in a row were lost: their workers died or did not answer
    ├── TripWire                   raise it in a step to end the run with status ``tripwire``
    ├── StepTimeoutError           an attempt of a step took longer than its start-to-close timeout
    ├── WorkflowNotFoundError      no workflow with this id is registered
    ├── ScheduleError              a schedule does not exist, its id is taken, or it can be changed only in the code
    ├── RunError
    │   ├── RunNotFoundError       Temporal has no run with this id
    │   ├── RunNotActiveError      the run is in a state in which it cannot be restarted
    │   ├── RunNotSuspendedError   the run or the named step is not suspended
    │   │   └── ResumeAlreadyClaimedError  another caller resumed the same suspension first
    │   ├── TimeTravelError        the target of a time travel does not exist or cannot be reached
    │   │   └── TimeTravelConflictError  the run is running, or another caller was faster
    │   ├── RunAlreadyStartedError the run id belongs to a run with another input
    │   └── RunRefusedError        ``on_start`` raised; no step ran
    ├── ConfigurationError         a setting, an ``--app``, a port or a package is wrong or missing
    └── ServerUnreachableError     no Temporal server answers at the address
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "ConfigurationError",
    "DataConversionError",
    "DefinitionError",
    "HistoryTooLargeError",
    "LostAttemptsError",
    "MappingError",
    "MastraError",
    "NonRetryableError",
    "PayloadTooLargeError",
    "ResumeAlreadyClaimedError",
    "RunAlreadyStartedError",
    "RunError",
    "RunNotActiveError",
    "RunNotFoundError",
    "RunNotSuspendedError",
    "RunRefusedError",
    "ScheduleError",
    "SchemaValidationError",
    "SerializationError",
    "ServerUnreachableError",
    "StepTimeoutError",
    "TimeTravelConflictError",
    "TimeTravelError",
    "TripWire",
    "WorkflowNotFoundError",
]


class MastraError(Exception):
    """Base class of all errors that this package raises."""

    wire_name: ClassVar[str] = "Error"
    """The ``name`` of this kind of error in results and events, as in Mastra."""


class DefinitionError(MastraError):
    """A step or workflow is defined wrongly. It is raised where the step or workflow is defined."""


class SchemaValidationError(MastraError):
    """Data do not match their schema.

    The message is Mastra's: the first line names the data, and each issue has a line ``- <path>: <what is wrong>``.
    """

    def __init__(self, message: str, *, code: str, issues: list[dict[str, Any]], carries_issues: bool = True) -> None:
        """Create the error.

        Args:
            message: The whole message, including the issues.
            code: Mastra's error id, for example ``WORKFLOW_STEP_INPUT_VALIDATION_FAILED``.
            issues: One ``{"path": [...], "message": ...}`` for each issue.
            carries_issues: Whether the recorded error has the issues as its cause, as some of Mastra's errors do.
        """
        super().__init__(message)
        self.code = code
        self.issues = issues
        self.carries_issues = carries_issues


class MappingError(MastraError):
    """A path or a template of ``.map()`` does not match the data."""


class SerializationError(MastraError):
    """A value cannot be written to Temporal's history as JSON."""

    wire_name = "SerializationError"


class NonRetryableError(MastraError):
    """Raise it in a step to fail at once. Neither the step nor a workflow around it is retried.

    It also works inside an exception group and as the cause of another error. Mastra's ``MastraNonRetryableError``.
    """

    wire_name = "MastraNonRetryableError"


class LostAttemptsError(NonRetryableError):
    """Too many attempts in a row of a step, function or callback were lost. It is not tried again.

    An attempt is lost if its worker dies or does not answer. The limit is ``max_lost_attempts`` of `StepOptions` and
    of `Mastra`.
    """

    wire_name = "LostAttemptsError"


class TripWire(MastraError):
    """Raise it in a step to end the run with status ``tripwire``. The step's retries are used first.

    It also works inside an exception group. Mastra's ``TripWire``.
    """

    wire_name = "TripWire"

    def __init__(
        self,
        reason: str,
        *,
        retry: bool | None = None,
        metadata: dict[str, Any] | None = None,
        processor_id: str | None = None,
    ) -> None:
        """Create the error.

        Args:
            reason: Why the run is stopped. Callers read it as ``result.tripwire["reason"]``.
            retry: Whether the caller may try again.
            metadata: JSON-able data for the caller.
            processor_id: The id of the processor that stopped the run.
        """
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.metadata = metadata
        self.processor_id = processor_id


class StepTimeoutError(MastraError):
    """An attempt of a step took longer than the step's start-to-close timeout."""

    wire_name = "StepTimeoutError"


class WorkflowNotFoundError(MastraError):
    """No workflow with this id is registered with the ``Mastra`` object."""


class PayloadTooLargeError(SerializationError):
    """A value is larger than the server takes in one payload (2 MiB by default)."""

    wire_name = "PayloadTooLargeError"


class DataConversionError(SerializationError):
    """The client's data converter or its codec cannot write or read the data. Nothing was started or changed.

    Typical causes are a missing codec, a codec with another key, and an exception in the codec.
    """


class HistoryTooLargeError(MastraError):
    """A run is about to reach the size at which the server terminates it, and cannot go on in a new execution.

    It is recorded as the error of the run. The message names the largest parts of the run's data.
    """

    wire_name = "HistoryTooLargeError"


class RunError(MastraError):
    """Base class of the errors about one run."""


class RunNotFoundError(RunError):
    """Temporal has no run with this id."""


class RunNotActiveError(RunError):
    """The run cannot be restarted: it was never started, or it is suspended, paused or canceled."""


class RunNotSuspendedError(RunError):
    """The run has nothing to resume, or several suspended steps match. Nothing was changed.

    If several steps match, the message lists the suspended steps.
    """


class ResumeAlreadyClaimedError(RunNotSuspendedError):
    """Another caller has resumed the same suspension first. Nothing was changed by this call."""


class TimeTravelError(RunError):
    """The time travel was refused and changed nothing.

    The target does not exist or cannot be reached. A target cannot be reached if the outputs of the steps before it
    were not recorded.
    """


class TimeTravelConflictError(TimeTravelError):
    """The run is running, or another caller was faster. Nothing was changed by this call: look at the run again."""


class RunAlreadyStartedError(RunError):
    """The run id belongs to an open or finished run that was started with another input."""


class RunRefusedError(RunError):
    """The workflow's ``on_start`` callback raised, and the run ended before its first step."""


class ScheduleError(MastraError):
    """A schedule does not exist, its id is taken, or it can be changed only in the code that declares it."""


class ConfigurationError(MastraError):
    """A setting, an ``--app``, a port or an optional package is wrong or missing."""


class ServerUnreachableError(MastraError):
    """No Temporal server answers at the address."""
