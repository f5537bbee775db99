"""Private members of OpenTelemetry, and of the SDK's support for it."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider
from temporalio.contrib.opentelemetry._id_generator import TemporalIdGenerator

__all__ = ["TemporalIdGenerator", "sdk_provider"]


def sdk_provider(provider: TracerProvider | ReplaySafeTracerProvider) -> TracerProvider:
    """Return the OpenTelemetry provider inside a replay-safe one, which has no public access to it.

    We wrap it in our own replay-safe provider, whose spans have the ids that we compute. `TemporalIdGenerator` is
    imported for the same reason: `ReplaySafeTracerProvider` accepts only a generator derived from it.
    """
    if isinstance(provider, ReplaySafeTracerProvider):
        return provider._tracer_provider  # pyright: ignore[reportPrivateUsage]
    return provider
