"""The server's limit for one payload. Over it a workflow task would fail and be retried for ever; so look before."""

from __future__ import annotations

from typing import Any

from mastra_temporal.model import CamelModel
from mastra_temporal.wire import ErrorInfo, WorkflowResult

__all__ = ["compact", "is_small", "size_error"]

LIMIT = 2 * 1024 * 1024
"""Bytes: Temporal's default limit of a payload."""
SMALL = 16 * 1024
"""Bytes."""
MARGIN = 16 * 1024
"""Bytes for the frame around the payload."""


def size_error(value: CamelModel, what: str) -> ErrorInfo | None:
    """What is wrong with the size of an envelope; None when it fits."""
    size = len(value.model_dump_json(by_alias=True))
    if size <= LIMIT - MARGIN:
        return None
    return {
        "name": "PayloadTooLargeError",
        "message": f"{what} has {size:,} bytes, more than the {LIMIT:,} that Temporal takes in one payload. "
        "Pass a reference (a file, a key of a store) instead of the data.",
    }


def is_small(result: WorkflowResult[Any]) -> bool:
    """Whether a result may be in the history twice: as the answer to those who wait, who then need not ask again."""
    return len(result.model_dump_json(by_alias=True)) <= SMALL


def compact(result: WorkflowResult[Any]) -> WorkflowResult[Any]:
    """A result that fits: one that is too large leaves its steps to the history, where a reader finds them."""
    if size_error(result, "result") is None:
        return result
    return result.model_copy(update={"steps": {}, "input": None, "state": None, "compacted": True})
