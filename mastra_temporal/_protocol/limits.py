"""The server's limit for one payload. Over it a workflow task would fail and be retried for ever; so look before.

A data converter with an external storage sends a reference in the place of a large payload. Workflow code must not ask
its worker for one, since a replay may be on another worker: who starts or resumes a run tells it (``stored_from``).
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from temporalio.converter import DataConverter

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, WorkflowResult

__all__ = ["ANSWER", "LIMIT", "REMEDY", "compact", "is_small", "sent_size", "size_error", "stored_from"]

LIMIT = 2 * 1024 * 1024
"""Bytes: Temporal's default limit of a payload."""


SMALL = 16 * 1024
"""Bytes."""


ANSWER = LIMIT // 4
"""Bytes: of an answer to those who wait for a suspension. More than one may go with the same message."""


REMEDY = (
    "Pass a reference (a file, a key of a store) instead of the data, or give the data converter of all clients and "
    "workers an external storage (temporalio.converter.ExternalStorage)."
)


MARGIN = 16 * 1024
"""Bytes for the frame around the payload."""


def size_of(value: CamelModel) -> int:
    """The bytes of an envelope in its payload: it is written as the payload converter writes it."""
    return len(to_json(value))


def stored_from(converter: DataConverter) -> int | None:
    """The bytes from which a data converter gives payloads to its external storage; None if it has none."""
    return None if converter.external_storage is None else converter.external_storage.payload_size_threshold


def sent_size(value: CamelModel, stored_from: int | None) -> int:
    """The bytes that at most go to the server of an envelope.

    Args:
        value: The envelope.
        stored_from: The bytes from which payloads go to an external storage. What a codec has made smaller than that
            before is sent after all, so it counts as that much.
    """
    size = size_of(value)
    return size if stored_from is None or size < stored_from else min(stored_from, LIMIT - MARGIN)


def size_error(value: CamelModel, what: str, stored_from: int | None) -> ErrorInfo | None:
    """What is wrong with the size of an envelope; None when it fits, or an external storage takes it."""
    if sent_size(value, stored_from) <= LIMIT - MARGIN:
        return None
    return {
        "name": "PayloadTooLargeError",
        "message": f"{what} has {size_of(value):,} bytes, more than the {LIMIT:,} that Temporal takes in one payload. "
        f"{REMEDY}",
    }


def is_small(result: WorkflowResult[Any]) -> bool:
    """Whether a result may be in the history twice: as the answer to those who wait, who then need not ask again."""
    return size_of(result) <= SMALL


def compact(result: WorkflowResult[Any], stored_from: int | None, limit: int = LIMIT - MARGIN) -> WorkflowResult[Any]:
    """A result that fits: one that is too large leaves its steps to the history, where a reader finds them."""
    if sent_size(result, stored_from) <= limit:
        return result
    left_out: dict[str, Any] = {"steps": {}, "input": None, "state": None, "suspend_payload": None}
    return result.model_copy(update={**left_out, "compacted": True})
