"""Whether what an activity gives fits into a payload, or into the external storage of its worker."""

from __future__ import annotations

from temporalio import activity

from mastra_temporal._protocol import limits
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo

__all__ = ["size_error"]


def size_error(value: CamelModel, what: str) -> ErrorInfo | None:
    """What is wrong with the size of an envelope that this activity sends; None when it fits."""
    return limits.size_error(value, what, limits.stored_from(activity.client().data_converter))
