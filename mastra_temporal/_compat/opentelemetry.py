"""What is used of OpenTelemetry, and of the SDK's support for it, beyond their public API."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider
from temporalio.contrib.opentelemetry._id_generator import TemporalIdGenerator

__all__ = ["TemporalIdGenerator", "sdk_provider"]


def sdk_provider(provider: TracerProvider | ReplaySafeTracerProvider) -> TracerProvider:
    """Return the OpenTelemetry provider inside a replay-safe one, which gives no public access to it.

    We make our own replay-safe provider around it, whose spans have the ids that we compute. For the same reason
    `TemporalIdGenerator` is imported: `ReplaySafeTracerProvider` takes only a generator derived from it.
    """
    if isinstance(provider, ReplaySafeTracerProvider):
        return provider._tracer_provider  # pyright: ignore[reportPrivateUsage]
    return provider
