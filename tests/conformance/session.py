"""What is in the memory of a process during a case: registry, client, Run objects and a worker."""

from typing import Any

from mastra_temporal import Mastra, Run, Workflow
from tests.conformance.build import Builder
from tests.conformance.case_log import CaseLog
from tests.conformance.workers import CaseWorker, LocalWorker, WorkerProcess, registry


class Session:
    """From the start of a case, or a ``reopen``, to the next one."""

    def __init__(self, mastra: Mastra, builder: Builder, worker: CaseWorker, run_ids: dict[str, str]) -> None:
        self.mastra = mastra
        self.builder = builder
        self.worker = worker
        self._run_ids = run_ids
        self._runs: dict[tuple[str, str], Run] = {}

    @classmethod
    async def open(
        cls, definition: dict[str, Any], log: CaseLog, task_queue: str, run_ids: dict[str, str], *, killable: bool
    ) -> "Session":
        worker = (WorkerProcess if killable else LocalWorker)(definition, log, task_queue)
        await worker.start()
        mastra, builder = registry(definition, log, task_queue)
        await mastra.connect()
        return cls(mastra, builder, worker, run_ids)

    async def close(self) -> None:
        await self.worker.stop()

    def workflow(self, action: dict[str, Any]) -> Workflow[Any, Any, Any]:
        """The workflow of an action."""
        return self.mastra.get_workflow(action.get("workflow", self.builder.id))

    async def run(self, action: dict[str, Any]) -> Run:
        """The Run object of an action, made at its first use."""
        name, workflow_id = action.get("run", "r1"), action.get("workflow", self.builder.id)
        if (name, workflow_id) not in self._runs:
            self._runs[name, workflow_id] = await self.workflow(action).create_run(
                run_id=self._run_ids[name], resource_id=action.get("resourceId")
            )
        return self._runs[name, workflow_id]
