"""Compiles definitions into Temporal workflow types.

The generated classes add only the name that the Temporal UI shows. All behavior is in `MastraWorkflow`.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import VersioningBehavior

from mastra_temporal._protocol.names import typescript_workflow_type
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._worker.workflow.temporal_workflow import MastraWorkflow, ResumeCheck

__all__ = ["compile_workflow", "compile_workflows"]


def compile_workflows(
    workflow_ids: list[str],
    check_resume_data: ResumeCheck,
    versioning: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> list[type]:
    """Return the workflow types of a registry: for each ID one of that name, and one that TypeScript clients start."""

    class OfRegistry(MastraWorkflow):
        pass

    OfRegistry.check_resume_data = staticmethod(check_resume_data)
    types_by_name = {workflow_id: workflow_id for workflow_id in workflow_ids}
    for workflow_id in workflow_ids:
        types_by_name.setdefault(typescript_workflow_type(workflow_id), workflow_id)
    return [compile_workflow(workflow_id, name, OfRegistry, versioning) for name, workflow_id in types_by_name.items()]


def compile_workflow(
    workflow_id: str,
    name: str,
    base: type[MastraWorkflow] = MastraWorkflow,
    versioning: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> type:
    """Return a Temporal workflow type called ``name`` that executes the definition ``workflow_id``."""
    first = typescript_workflow_type(workflow_id)

    class Generated(base):
        @workflow.init
        def __init__(self, envelope: StartEnvelope | None = None) -> None:
            super().__init__(envelope or StartEnvelope())

        async def run(self, envelope: StartEnvelope | None = None) -> WorkflowResult[Any]:
            return await self.execute()

    Generated.workflow_id = workflow_id
    Generated.__qualname__ = Generated.__name__ = f"{first[:1].upper()}{first[1:]}"
    # The SDK recognizes a method by its qualified name. It refuses the run method of a class inside a function, whose
    # qualified name contains "<locals>".
    Generated.run.__qualname__ = f"{Generated.__name__}.run"
    Generated.run = workflow.run(Generated.run)
    return workflow.defn(name=name, sandboxed=False, versioning_behavior=versioning)(Generated)
