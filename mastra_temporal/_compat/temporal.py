"""Private members of Temporal's SDK. If an SDK upgrade changes them, only this module breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar, cast

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WithStartWorkflowOperation
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

__all__ = ["ReadingRunner", "started_workflow"]

T = TypeVar("T")


class ReadingRunner(UnsandboxedWorkflowRunner, Generic[T]):
    """Replays a workflow and reads its state just before the workflow is evicted from the cache.

    The SDK's `Replayer` gives no access to the workflow object, and eviction cancels the workflow's tasks, which
    changes its state. So this class wraps ``activate``, which is not public. An exception while reading is stored,
    because the SDK would retry the eviction forever if ``activate`` raised.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        """Create a runner.

        Args:
            read: Reads the workflow. It is called while the workflow is still in the state that its history led to.
        """
        self._read = read
        self._found: Future[T] = Future()

    def result(self) -> T:
        """Return what ``read`` returned, or raise what it raised."""
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


def started_workflow(operation: WithStartWorkflowOperation[Any, Any]) -> asyncio.Future[Any]:
    """Return the future that the SDK completes once it has started the workflow of an update-with-start.

    ``operation.workflow_handle()`` is public, but a coroutine. Cancelling a task that awaits it cancels this future,
    and the SDK raises InvalidStateError when it completes a cancelled one.
    """
    return cast(Any, operation)._workflow_handle
