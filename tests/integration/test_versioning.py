"""Worker Versioning: two builds are up, open runs of the old one go on, or wait for it if they are pinned."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersionDrainageStatus
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal import Mastra, Run
from mastra_temporal.devserver import DevServer
from tests.integration.commands import CLI, Command, run, running
from tests.support import until, within

pytestmark = [pytest.mark.any_cache, pytest.mark.timeout(120)]

APP = """
import os
from mastra_temporal import Mastra, create_workflow, step

BUILD = os.environ.get("TEMPORAL_WORKER_BUILD_ID")


@step
async def begin(name: str) -> list[str]:
    return [BUILD]


@step
async def ask(builds: list[str], ctx) -> list[str]:
    return await ctx.suspend() if ctx.resume_data is None else [*builds, BUILD]


asking = create_workflow(id="asking").then(begin).then(ask).commit()
mastra = Mastra(workflows=[asking], task_queue="QUEUE")
"""


@dataclass
class Deployment:
    """A deployment whose builds are worker processes of one app."""

    client: Client
    name: str
    folder: Path
    app: Mastra

    @contextmanager
    def build(self, build_id: str, *flags: str) -> Generator[Command]:
        environment = {"TEMPORAL_DEPLOYMENT_NAME": self.name, "TEMPORAL_WORKER_BUILD_ID": build_id}
        address = self.client.service_client.config.target_host
        arguments = ("worker", "--app", "app:mastra", "--address", address, *flags)
        with running(CLI, *arguments, folder=self.folder, **environment) as worker:
            yield worker

    async def make_current(self, build_id: str) -> None:
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self.client.namespace, deployment_name=self.name, build_id=build_id
        )
        await self._sent(lambda: self.client.workflow_service.set_worker_deployment_current_version(request))

    async def ramp(self, build_id: str, percentage: float) -> None:
        request = SetWorkerDeploymentRampingVersionRequest(
            namespace=self.client.namespace, deployment_name=self.name, build_id=build_id, percentage=percentage
        )
        await self._sent(lambda: self.client.workflow_service.set_worker_deployment_ramping_version(request))

    async def is_draining(self, build_id: str) -> bool:
        version = WorkerDeploymentVersion(deployment_name=self.name, build_id=build_id)
        request = DescribeWorkerDeploymentVersionRequest(namespace=self.client.namespace, deployment_version=version)
        described = await self.client.workflow_service.describe_worker_deployment_version(request)
        status = described.worker_deployment_version_info.drainage_info.status
        return status == VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING

    async def suspended_run(self) -> Run[Any, Any]:
        started = await self.app.get_workflow("asking").create_run()
        assert (await within(started.start(input_data="Ada"))).status == "suspended"
        return started

    async def _sent(self, call: Any) -> None:
        """Send a call that is refused until the server has seen the build's workers."""

        async def accepted() -> bool:
            try:
                await call()
            except RPCError:
                return False
            return True

        await until(accepted)


@pytest.fixture
async def deployment(mastra_client: Client, tmp_path: Path, mastra_task_queue: str) -> Deployment:
    source = APP.replace("QUEUE", mastra_task_queue)
    (tmp_path / "app.py").write_text(source)
    namespace: dict[str, Any] = {"__name__": "app"}
    exec(compile(source, str(tmp_path / "app.py"), "exec"), namespace)
    await namespace["mastra"].connect(mastra_client)
    return Deployment(mastra_client, f"deployment-{mastra_task_queue}", tmp_path, namespace["mastra"])


async def test_open_runs_go_on_on_the_new_build_and_the_old_one_drains(deployment: Deployment):
    with deployment.build("one") as one:
        await deployment.make_current("one")
        old = await deployment.suspended_run()
        with deployment.build("two"):
            await deployment.ramp("two", 100)
            ramped = await deployment.suspended_run()
            assert (await within(ramped.resume(resume_data=True))).result == ["two", "two"]
            await deployment.make_current("two")
            await until(lambda: deployment.is_draining("one"))
            assert await asyncio.to_thread(one.stop) == 0
            assert (await within(old.resume(resume_data=True))).result == ["one", "two"]


async def test_a_pinned_run_whose_build_is_gone_is_told_and_can_be_moved(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
):
    pinned = ("--versioning-behavior", "pinned")
    with deployment.build("one", *pinned) as one:
        await deployment.make_current("one")
        old, moved = await deployment.suspended_run(), await deployment.suspended_run()
        with deployment.build("two", *pinned):
            await deployment.make_current("two")
            assert (await within(old.resume(resume_data=True))).result == ["one", "one"]
            assert await asyncio.to_thread(one.stop) == 0
            with caplog.at_level(logging.WARNING, logger="mastra_temporal.restart"):
                resuming = asyncio.create_task(moved.resume(resume_data=True))
                await until(lambda: "pinned to build `one`" in caplog.text)
            assert f"update-options --workflow-id {moved.run_id}" in caplog.text
            await auto_upgrade(deployment.client, moved.run_id)
            assert (await within(resuming)).result == ["one", "two"]


async def auto_upgrade(client: Client, run_id: str) -> None:
    """What the command in the warning does."""
    await client.workflow_service.update_workflow_execution_options(
        UpdateWorkflowExecutionOptionsRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run_id),
            workflow_execution_options=WorkflowExecutionOptions(
                versioning_override=VersioningOverride(auto_upgrade=True)
            ),
            update_mask=FieldMask(paths=["versioning_override"]),
        )
    )


def test_a_build_without_a_deployment_is_refused(mastra_server: DevServer, tmp_path: Path):
    done = run("-m", CLI, "worker", "--app", "app:mastra", "--build-id", "one", folder=tmp_path)
    assert done.returncode == 2
    assert "--deployment-name" in done.stderr
