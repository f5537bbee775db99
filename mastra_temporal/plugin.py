"""`MastraPlugin`: the plugin that sets up Temporal clients and workers for Mastra workflows."""

from __future__ import annotations

import dataclasses
import os
import socket
import uuid
import warnings
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from temporalio.common import VersioningBehavior
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultPayloadConverter
from temporalio.plugin import SimplePlugin
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import ReplayerConfig, WorkerConfig, WorkerDeploymentConfig

from mastra_temporal._data.suggest import names_arguments
from mastra_temporal._tracing.interceptor import TracingHeaders
from mastra_temporal._tracing.setup import set_up_tracing, warn_of_others
from mastra_temporal.errors import ConfigurationError
from mastra_temporal.shutdown_grace import settle_at_exit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider


__all__ = ["MastraPlugin", "heartbeating_runtime"]

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""The interval of worker heartbeats and step heartbeats. `Run.restart` needs it to see within seconds that a worker is
gone."""

STICKY_TIMEOUT = timedelta(seconds=2)
"""How long a workflow task stays on the sticky queue. With the SDK's default of 10 seconds, a task for a dead worker
would wait that long before another worker gets it."""


class WorkerRegistry(Protocol):
    """The part of `Mastra` that the plugin needs."""

    def workflow_types(self, versioning: VersioningBehavior = VersioningBehavior.UNSPECIFIED) -> Sequence[type]:
        """Return the Temporal workflow types to register, with their behavior under Worker Versioning."""
        ...

    def activities(self, threads: Executor | None = None) -> Sequence[Callable[..., Any]]:
        """Return the activities to register. Steps that are not async run in ``threads``."""
        ...


class MastraPlugin(SimplePlugin):
    """A Temporal plugin that registers the workflows and steps of a ``Mastra`` object.

    Give it to the client, ``Client.connect(..., plugins=[MastraPlugin(mastra)])``; workers of that client inherit it.
    It sets what restarts need: a worker identity that no other process has had, and heartbeats every second. It also
    makes pydantic convert the payloads. Your own codec, runtime, identity and interceptors are kept. Steps that are
    not async run in ``Worker(activity_executor=...)``, unless that is a process pool.

    With Worker Versioning, the workflows of the registry are AUTO_UPGRADE: open runs continue on the newest build. They
    can, because each run takes its graph along. ``default_versioning_behavior`` of the worker changes that.
    """

    @names_arguments
    def __init__(
        self, mastra: WorkerRegistry, *, tracing: bool | TracerProvider | ReplaySafeTracerProvider | None = None
    ) -> None:
        """Create the plugin for a registry.

        Args:
            mastra: The registry.
            tracing: An OpenTelemetry tracer provider. True uses the process's provider, or makes one from the
                ``OTEL_*`` environment variables; False switches tracing off. By default tracing is on if the
                environment names an exporter or an endpoint.

        Raises:
            ConfigurationError: Tracing is on, and a package that it needs is not installed.
        """
        self._tracing = set_up_tracing(tracing)
        super().__init__(
            "mastra_temporal.MastraPlugin",
            data_converter=_with_pydantic,
            interceptors=[TracingHeaders(self._tracing)],
        )
        self.mastra = mastra

    async def connect_service_client(
        self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[ServiceClient]]
    ) -> ServiceClient:
        """See base class."""
        settle_at_exit()
        if config.runtime is None:
            config.runtime = heartbeating_runtime()
        if config.identity == _default_identity():
            config.identity = f"{config.identity}-{_process_suffix(os.getpid())}"
        return await next(config)

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class."""
        # The SDK warns of a local activity that ended while it was being canceled, which happens to runs that are read
        # by many. Where warnings are errors (`python -W error`, pytest), that warning would end the worker.
        warnings.filterwarnings("ignore", message="Cannot find activity to cancel for token")
        config = super().configure_worker(config)
        types = self.mastra.workflow_types(_versioning_of_ours(config.get("deployment_config")))
        config["workflows"] = [*(config.get("workflows") or []), *types]
        activities = self.mastra.activities(_threads(config.get("activity_executor")))
        config["activities"] = [*(config.get("activities") or []), *activities]
        if self._tracing is not None:
            client = config.get("client")
            if client is not None:
                warn_of_others(client.config(active_config=True).get("interceptors", []))
            warn_of_others(config.get("interceptors") or [])
        # Longer timeouts and intervals of the user are shortened. With them a workflow task would wait longer on the
        # sticky queue of a dead worker, and a restart would take longer to see whether a step is alive.
        sticky = config.get("sticky_queue_schedule_to_start_timeout") or STICKY_TIMEOUT
        config["sticky_queue_schedule_to_start_timeout"] = min(sticky, STICKY_TIMEOUT)
        for name in ("max_heartbeat_throttle_interval", "default_heartbeat_throttle_interval"):
            config[name] = min(config.get(name) or HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL)
        if config.get("max_cached_workflows") == 0 and config.get("tuner") is None:
            # Without a cache, a second workflow task evicts the first run while its local activities are running.
            # They would be canceled and started again, and might never finish.
            config["max_concurrent_workflow_tasks"] = 1
        return config

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """See base class."""
        config = super().configure_replayer(config)
        config["workflows"] = [*(config.get("workflows") or []), *self.mastra.workflow_types()]
        return config


def _versioning_of_ours(deployment: WorkerDeploymentConfig | None) -> VersioningBehavior:
    """Return the behavior of our workflow types, or UNSPECIFIED for that of the worker.

    It is set on the types and not as the worker's default, so that the SDK still asks for the behavior of the user's
    own workflows, which may not be able to change their build.
    """
    if deployment is None or not deployment.use_worker_versioning:
        return VersioningBehavior.UNSPECIFIED
    if deployment.default_versioning_behavior != VersioningBehavior.UNSPECIFIED:
        return VersioningBehavior.UNSPECIFIED
    return VersioningBehavior.AUTO_UPGRADE


def _threads(executor: Executor | None) -> Executor | None:
    """Return the worker's executor, or None if it is a process pool: steps need the memory of the worker."""
    return None if isinstance(executor, ProcessPoolExecutor) else executor


def _with_pydantic(converter: DataConverter | None) -> DataConverter:
    converter = converter or DataConverter.default
    if issubclass(converter.payload_converter_class, PydanticPayloadConverter):
        return converter
    if converter.payload_converter_class is DefaultPayloadConverter:
        return dataclasses.replace(converter, payload_converter_class=PydanticPayloadConverter)
    raise ConfigurationError(
        f"The client's payload converter is {converter.payload_converter_class.__name__}, which does not know pydantic "
        "models. Derive it from temporalio.contrib.pydantic.PydanticPayloadConverter."
    )


@cache
def heartbeating_runtime() -> Runtime:
    """Return the runtime of this process, whose workers send the heartbeats that `Run.restart` needs."""
    return Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=HEARTBEAT_INTERVAL)


def _default_identity() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"


@cache
def _process_suffix(pid: int) -> str:
    """Return a random suffix for the worker identity of this process.

    A container that is started again has the same pid and host. Without the suffix its worker would have the identity
    of the dead one, and `Run.restart` could not tell them apart. The pid is the cache key, so that a forked process
    gets a suffix of its own.
    """
    return uuid.uuid4().hex[:8]
