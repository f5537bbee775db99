"""Check whether the result of an activity fits into a payload, or into the external storage of its worker."""

from __future__ import annotations

from temporalio import activity

from mastra_temporal._protocol import limits
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo

__all__ = ["size_error"]


def size_error(value: CamelModel, what: str) -> ErrorInfo | None:
    """Return the error if an envelope that this activity sends is too large, and None if it fits."""
    return limits.size_error(value, what, limits.stored_from(activity.client().data_converter))
