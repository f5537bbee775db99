"""What is used of Temporal's SDK beyond its public API. An upgrade breaks here or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar, cast

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

__all__ = ["ReadingRunner"]

T = TypeVar("T")


class ReadingRunner(UnsandboxedWorkflowRunner, Generic[T]):
    """Replays a workflow and reads its state just before it leaves the cache.

    The SDK's `Replayer` gives no access to the workflow object. Leaving the cache cancels the workflow's tasks, which
    changes its state. So ``activate``, which is not part of the public API, is wrapped. Reading raises nothing then:
    the SDK would try for ever to let the workflow go.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        """Create a runner.

        Args:
            read: Reads the workflow while it still is as its history left it.
        """
        self._read = read
        self._found: Future[T] = Future()

    def result(self) -> T:
        """Return what was read, or raise what reading raised."""
        return self._found.result(timeout=0)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        instance = super().create_instance(det)
        activate = instance.activate

        def reading(act: WorkflowActivation) -> WorkflowActivationCompletion:
            if any(job.HasField("remove_from_cache") for job in act.jobs) and not self._found.done():
                try:
                    self._found.set_result(self._read())
                except BaseException as error:
                    self._found.set_exception(error)
            return activate(act)

        cast(Any, instance).activate = reading
        return instance
