"""Set up tracing for ``MastraPlugin(tracing=...)``: whether the process traces, and with which tracer provider."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from mastra_temporal.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider

    from mastra_temporal._tracing.otel import Tracing

__all__ = ["set_up_tracing", "warn_of_others"]

_logger = logging.getLogger("mastra_temporal.tracing")

EXPORTERS = {"otlp": "otlp_proto_http", "otlp http/protobuf": "otlp_proto_http", "otlp grpc": "otlp_proto_grpc"}
"""Entry points of the exporters that the environment variables name."""
PACKAGES = "install `mastra-temporal[otlp]`"


def set_up_tracing(setting: bool | TracerProvider | ReplaySafeTracerProvider | None) -> Tracing | None:
    """Set up the tracing of this process.

    Args:
        setting: A tracer provider. True uses the global one, which is created from the ``OTEL_*`` environment variables
            if there is none. False disables traces. None enables them if the environment names an exporter or an
            endpoint.

    Returns:
        The tracing, or None if it is disabled.

    Raises:
        ConfigurationError: OpenTelemetry, or the exporter that the environment names, is not installed.
    """
    if setting is False or (setting is None and not _wanted_by_environment()):
        return None
    try:
        from mastra_temporal._tracing.otel import Tracing

        return Tracing(_global_provider() if setting is None or setting is True else setting)
    except (ImportError, ConfigurationError) as error:
        problem = error if isinstance(error, ConfigurationError) else f"OpenTelemetry is not installed: {PACKAGES}."
        if setting is None:
            _logger.warning("The environment asks for traces, but there will be none: %s", problem)
            return None
        raise ConfigurationError(f"Tracing: {problem}") from error


def warn_of_others(interceptors: Iterable[Any]) -> None:
    """Log a warning if the SDK's own tracing is also installed: everything would be traced twice."""
    for interceptor in interceptors:
        kinds = [kind for kind in type(interceptor).__mro__ if kind.__module__.startswith("temporalio.contrib.")]
        if any(kind.__name__ in ("TracingInterceptor", "OpenTelemetryInterceptor") for kind in kinds):
            _logger.warning(
                "Tracing is installed twice: by MastraPlugin and by %s. Runs would have doubled or additional spans. "
                "Leave out one of them: MastraPlugin(tracing=False) switches ours off.",
                kinds[0].__name__,
            )


def _wanted_by_environment() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "")
    if exporter:
        return exporter != "none"
    return any(os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def _global_provider() -> TracerProvider | ReplaySafeTracerProvider:
    """Return the tracer provider of the process. If there is none, create one with the environment's settings."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider, create_tracer_provider

    from mastra_temporal._tracing.processor import PromptSpanProcessor

    current = trace.get_tracer_provider()
    if isinstance(current, (TracerProvider, ReplaySafeTracerProvider)):
        return current
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    exporter = _exporter()
    provider = create_tracer_provider(resource=Resource.create({} if named else {SERVICE_NAME: "mastra-temporal"}))
    # A user who sets the delay of batches wants batches.
    batched = "OTEL_BSP_SCHEDULE_DELAY" in os.environ
    provider.add_span_processor(BatchSpanProcessor(exporter) if batched else PromptSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def _exporter() -> Any:
    name = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if name == "otlp":
        protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        name = f"otlp {protocol}" if protocol else name
    found = list(entry_points(group="opentelemetry_traces_exporter", name=EXPORTERS.get(name, name)))
    if not found:
        raise ConfigurationError(
            f"OpenTelemetry's exporter `{name}` is not installed: {PACKAGES} for OTLP over HTTP, or its package."
        )
    return found[0].load()()
