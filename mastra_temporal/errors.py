"""Every error this package raises, in one tree.

::

    MastraError
    ├── DefinitionError            a workflow or step is defined wrongly; raised where it is defined
    ├── SchemaValidationError      data does not match its schema; nothing was started with it
    ├── MappingError               a path or template of ``.map()`` does not fit the data
    ├── SerializationError         a value cannot be written to Temporal's history
    │   ├── PayloadTooLargeError   it is larger than the server takes
    │   └── DataConversionError    the client's data converter, or its codec, cannot write or read it
    ├── NonRetryableError          raise it in a step to fail at once, whatever ``retries`` says
    │   └── LostAttemptsError      too many attempts in a row were lost: their workers died or did not answer
    ├── TripWire                   raise it in a step to end the run with status ``tripwire``
    ├── StepTimeoutError           an attempt of a step took longer than its start-to-close timeout
    ├── WorkflowNotFoundError      no workflow of that id is registered
    ├── ScheduleError              a schedule is missing, its id is taken, or only its declaration can change it
    ├── RunError
    │   ├── RunNotFoundError       Temporal knows no run of that id
    │   ├── RunNotActiveError      the run is in a state that cannot be restarted
    │   ├── RunNotSuspendedError   the run, or the step that is named, is not suspended
    │   │   └── ResumeAlreadyClaimedError  somebody else resumed the same suspension
    │   ├── TimeTravelError        the target of a time travel does not exist, or cannot be reached
    │   ├── RunAlreadyStartedError the run id is taken by a run with another input
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
    "TimeTravelError",
    "TripWire",
    "WorkflowNotFoundError",
]


class MastraError(Exception):
    """Base of every error raised by this package."""

    wire_name: ClassVar[str] = "Error"
    """The ``name`` under which Mastra knows this kind of error in results and events."""


class DefinitionError(MastraError):
    """A step or workflow is defined wrongly. Raised where it is defined, before anything runs."""


class SchemaValidationError(MastraError):
    """Data does not match its schema.

    The message is Mastra's: a first line that says which data, then a line ``- <path>: <what is wrong>`` per issue.
    """

    def __init__(self, message: str, *, code: str, issues: list[dict[str, Any]], carries_issues: bool = True) -> None:
        """Create the error.

        Args:
            message: The whole message, issues included.
            code: Mastra's error id, for example ``WORKFLOW_STEP_INPUT_VALIDATION_FAILED``.
            issues: ``{"path": [...], "message": ...}`` for each thing that is wrong.
            carries_issues: Whether the recorded error has the issues as its cause, as some of Mastra's have.
        """
        super().__init__(message)
        self.code = code
        self.issues = issues
        self.carries_issues = carries_issues


class MappingError(MastraError):
    """A path or a template of ``.map()`` does not fit the data it met."""


class SerializationError(MastraError):
    """A value cannot be written to Temporal's history as JSON."""

    wire_name = "SerializationError"


class NonRetryableError(MastraError):
    """Raise it in a step to fail at once: no retry, neither of the step nor of a workflow around it.

    It counts also inside an exception group, and as the cause of another error. Mastra's ``MastraNonRetryableError``.
    """

    wire_name = "MastraNonRetryableError"


class LostAttemptsError(NonRetryableError):
    """The workers of a step's, function's or callback's last attempts died or did not answer: it is not tried again.

    The limit is ``max_lost_attempts`` of `StepOptions` and of `Mastra`.
    """

    wire_name = "LostAttemptsError"


class TripWire(MastraError):
    """Raise it in a step to end the run with status ``tripwire``. Like any error it is retried first.

    It counts also inside an exception group. Mastra's ``TripWire``.
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
            reason: Why the run is stopped; ``result.tripwire["reason"]``.
            retry: Whether the caller may try again.
            metadata: JSON-able data for the caller.
            processor_id: What tripped the wire.
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
    """No workflow of that id is registered with the ``Mastra`` object."""


class PayloadTooLargeError(SerializationError):
    """A value is larger than the server takes in one payload (2 MiB by default)."""

    wire_name = "PayloadTooLargeError"


class DataConversionError(SerializationError):
    """This client's data converter, or the codec in it, cannot write or read the data: no codec, another key, an error.

    Nothing was started or changed.
    """


class RunError(MastraError):
    """Base of the errors about one run."""


class RunNotFoundError(RunError):
    """Temporal knows no run of that id."""


class RunNotActiveError(RunError):
    """The run was never started, is suspended, paused or canceled: there is nothing to restart."""


class RunNotSuspendedError(RunError):
    """There is nothing to resume, or it is not clear what: the message lists the suspended steps. Nothing changed."""


class ResumeAlreadyClaimedError(RunNotSuspendedError):
    """Another caller has resumed the same suspension first. Nothing changed."""


class TimeTravelError(RunError):
    """The target cannot be reached, the run is running, or another caller was faster. Nothing changed.

    A target cannot be reached if it does not exist, or if what comes before it was not recorded.
    """


class RunAlreadyStartedError(RunError):
    """The run id belongs to a run that is live or finished and was started with another input."""


class RunRefusedError(RunError):
    """The workflow's ``on_start`` raised: the run ended before its first step."""


class ScheduleError(MastraError):
    """A schedule does not exist, its id is taken, or it can be changed only where it is declared."""


class ConfigurationError(MastraError):
    """A setting, an ``--app``, a port or an optional package is wrong or missing."""


class ServerUnreachableError(MastraError):
    """No Temporal server answers at the address."""
