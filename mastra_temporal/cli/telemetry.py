"""Logs and metrics of the ``worker`` command."""

from __future__ import annotations

import importlib.util
import logging
import sys
from enum import Enum

from temporalio.runtime import LoggingConfig, LoggingFormat, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter

from mastra_temporal._tracing.logs import MastraLogFilter
from mastra_temporal.cli.addresses import host_and_port, listening
from mastra_temporal.errors import ConfigurationError
from mastra_temporal.plugin import HEARTBEAT_INTERVAL

__all__ = ["LogFormat", "LogLevel", "sdk_runtime", "set_up_logs"]

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""The format of a line of text."""
FIELDS = (
    "%(levelname)s %(name)s %(message)s %(mastra_run_id)s %(mastra_workflow_id)s %(mastra_step_id)s %(mastra_trace_id)s"
)
"""The fields of a JSON object, in their order."""
RENAMED = {
    "levelname": "level",
    "name": "logger",
    **{f"mastra_{name}": name for name in ("run_id", "workflow_id", "step_id", "trace_id")},
}
"""Names of fields in JSON that differ from those of log records."""


class LogFormat(str, Enum):
    """How log records are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(str, Enum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def set_up_logs(level: LogLevel = LogLevel.INFO, format: LogFormat = LogFormat.TEXT) -> None:
    """Log to standard error. The SDK's own records are logged from WARNING on, or all of them at DEBUG.

    Raises:
        ConfigurationError: The package for JSON is not installed.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json() if format is LogFormat.JSON else logging.Formatter(TEXT))
    handler.addFilter(MastraLogFilter())
    number = int(getattr(logging, level.name))
    logging.basicConfig(level=number, handlers=[handler])
    if level is not LogLevel.DEBUG:
        logging.getLogger("temporalio").setLevel(max(number, logging.WARNING))


def sdk_runtime(metrics_address: str | None, format: LogFormat = LogFormat.TEXT) -> Runtime:
    """Return a runtime that serves metrics for Prometheus, and whose own log has the format of ours.

    Args:
        metrics_address: The host and port at which ``/metrics`` is served. None serves no metrics.
        format: The format of the log of the SDK's core.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    metrics = None
    if metrics_address is not None:
        metrics = PrometheusConfig(
            bind_address=_free(metrics_address), counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
        )
    log = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        format=LoggingFormat.JSON if format is LogFormat.JSON else None,
    )
    try:
        return Runtime(
            telemetry=TelemetryConfig(metrics=metrics, logging=log), worker_heartbeat_interval=HEARTBEAT_INTERVAL
        )
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"Metrics cannot be served at {metrics_address}: {error}.") from error


def _free(address: str) -> str:
    """Return the address with a number as its host. The SDK takes no names, and does not notice a port in use."""
    host, port = host_and_port(address, option="--metrics-address")
    with listening(host, port) as listener:
        number = listener.getsockname()[0]
    return f"[{number}]:{port}" if ":" in number else f"{number}:{port}"


def _json() -> logging.Formatter:
    if importlib.util.find_spec("pythonjsonlogger") is None:
        raise ConfigurationError("JSON logs need a package: run `pip install 'mastra-temporal[worker]'`.")
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(FIELDS, rename_fields=RENAMED, timestamp="time")
