"""`MastraPlugin`: the one way in which a Temporal client or worker learns about Mastra workflows."""

from __future__ import annotations

import dataclasses
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultPayloadConverter
from temporalio.plugin import SimplePlugin
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import WorkerConfig

from mastra_temporal._tracing.interceptor import TracingHeaders
from mastra_temporal._tracing.setup import set_up_tracing, warn_of_others
from mastra_temporal.errors import ConfigurationError
from mastra_temporal.shutdown_grace import settle_at_exit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider


__all__ = ["MastraPlugin", "heartbeating_runtime"]

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""Of workers and of steps: what `Run.restart` needs to tell within seconds that a worker is gone."""

STICKY_TIMEOUT = timedelta(seconds=2)
"""How long a workflow task waits for the worker that has the run in memory: if that is dead, for nothing."""


class WorkerRegistry(Protocol):
    """What a worker registers: the `Mastra` object, seen from the plugin."""

    @property
    def workflow_types(self) -> Sequence[type]:
        """The Temporal workflow types."""
        ...

    def activities(self, threads: Executor | None = None) -> Sequence[Callable[..., Any]]:
        """The activities; steps that are not async run in these threads."""
        ...


class MastraPlugin(SimplePlugin):
    """Registers the workflows and steps of a ``Mastra`` object. Put it on the client; workers made from it inherit it.

    ``Client.connect(..., plugins=[MastraPlugin(mastra)])``. It sets what restarts rely on: a worker identity that no
    other process ever had, heartbeats every second, and payloads read and written by pydantic. What you have set
    yourself (codec, runtime, identity, interceptors) is kept. ``Worker(activity_executor=...)`` gets the steps that are
    not async, if it has threads.
    """

    def __init__(
        self, mastra: WorkerRegistry, *, tracing: bool | TracerProvider | ReplaySafeTracerProvider | None = None
    ) -> None:
        """Create the plugin of a registry.

        Args:
            mastra: The registry.
            tracing: An OpenTelemetry tracer provider; True for the process's own, or for one made from the ``OTEL_*``
                environment variables; False for no traces. By default there are traces if the environment names an
                exporter or its endpoint.

        Raises:
            ConfigurationError: Traces are asked for, and a package that they need is missing.
        """
        self._tracing = set_up_tracing(tracing)
        super().__init__(
            "mastra_temporal.MastraPlugin",
            data_converter=_with_pydantic,
            workflows=lambda existing: [*(existing or []), *mastra.workflow_types],
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
        config = super().configure_worker(config)
        activities = self.mastra.activities(_threads(config.get("activity_executor")))
        config["activities"] = [*(config.get("activities") or []), *activities]
        if self._tracing is not None:
            client = config.get("client")
            if client is not None:
                warn_of_others(client.config(active_config=True).get("interceptors", []))
            warn_of_others(config.get("interceptors") or [])
        sticky = config.get("sticky_queue_schedule_to_start_timeout") or STICKY_TIMEOUT
        config["sticky_queue_schedule_to_start_timeout"] = min(sticky, STICKY_TIMEOUT)
        for name in ("max_heartbeat_throttle_interval", "default_heartbeat_throttle_interval"):
            config[name] = min(config.get(name) or HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL)
        if config.get("max_cached_workflows") == 0 and config.get("tuner") is None:
            # A second task would throw the first run out of memory in the middle of its local activities: they would
            # be canceled and begin again, and might never come to an end.
            config["max_concurrent_workflow_tasks"] = 1
        return config


def _threads(executor: Executor | None) -> Executor | None:
    """The worker's executor, if steps can run there: they share memory with the worker."""
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
    """The runtime of this process: its workers send heartbeats, which `Run.restart` relies on."""
    return Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=HEARTBEAT_INTERVAL)


def _default_identity() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"


@cache
def _process_suffix(pid: int) -> str:
    """What tells this process from an earlier one with the same pid and host, as containers have them."""
    return uuid.uuid4().hex[:8]
