"""The server's size limit for one payload, and the checks against it.

A workflow task that sends a larger payload fails, and so does each of its retries. So sizes are checked before.

A data converter with an external storage sends a reference instead of a large payload. Workflow code must not read the
storage settings of its worker: a replay may run on a worker with other settings, and would decide differently. So the
client that starts or resumes a run sends its own (``stored_from``), and they are recorded in the history.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from temporalio.converter import DataConverter

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, WorkflowResult

__all__ = [
    "ANSWER",
    "LIMIT",
    "MARGIN",
    "REMEDY",
    "bytes_error",
    "compact",
    "is_small",
    "sent_bytes",
    "sent_size",
    "size_error",
    "stored_from",
]

LIMIT = 2 * 1024 * 1024
"""Bytes of the largest payload: Temporal's default limit."""


SMALL = 16 * 1024
"""Bytes of the largest result that the `outcome` update answers with."""


ANSWER = LIMIT // 4
"""Bytes of the largest answer to a caller that waits for a suspension. One message may contain several answers."""


REMEDY = (
    "Pass a reference (a file, a key of a store) instead of the data, or give the data converter of all clients and "
    "workers an external storage (temporalio.converter.ExternalStorage)."
)


MARGIN = 16 * 1024
"""Bytes that are reserved for the message around the payload."""


def size_of(value: CamelModel) -> int:
    """Return the bytes of an envelope, encoded as the payload converter encodes it."""
    return len(to_json(value))


def stored_from(converter: DataConverter) -> int | None:
    """Return the size in bytes from which a data converter stores payloads externally. None without a storage."""
    return None if converter.external_storage is None else converter.external_storage.payload_size_threshold


def sent_bytes(size: int, stored_from: int | None) -> int:
    """Return how many bytes of a payload are sent to the server at most.

    Args:
        size: The bytes of the encoded envelope.
        stored_from: The size in bytes from which payloads go to an external storage, or None. A codec may compress a
            larger payload below this size. It is then sent, so it counts as this many bytes.
    """
    return size if stored_from is None or size < stored_from else min(stored_from, LIMIT - MARGIN)


def sent_size(value: CamelModel, stored_from: int | None) -> int:
    """Return how many bytes of an envelope are sent to the server at most."""
    return sent_bytes(size_of(value), stored_from)


def size_error(value: CamelModel, what: str, stored_from: int | None) -> ErrorInfo | None:
    """Return an error if an envelope is too large for one payload, or None. Externally stored envelopes never are."""
    return bytes_error(size_of(value), what, stored_from)


def bytes_error(size: int, what: str, stored_from: int | None) -> ErrorInfo | None:
    """Return an error if an encoded envelope is too large for one payload, or None."""
    if sent_bytes(size, stored_from) <= LIMIT - MARGIN:
        return None
    return {
        "name": "PayloadTooLargeError",
        "message": f"{what} has {size:,} bytes, more than {LIMIT - MARGIN:,}: Temporal takes {LIMIT:,} in one payload, "
        f"and {MARGIN:,} are kept for what is sent with it. {REMEDY}",
    }


def is_small(result: WorkflowResult[Any]) -> bool:
    """Return whether an update may answer with a result. That saves a call, but stores the result in history twice."""
    return size_of(result) <= SMALL


def compact(result: WorkflowResult[Any], stored_from: int | None, limit: int = LIMIT - MARGIN) -> WorkflowResult[Any]:
    """Return a result that fits into the limit. A larger one omits its steps, which readers take from the history."""
    if sent_size(result, stored_from) <= limit:
        return result
    left_out: dict[str, Any] = {"steps": {}, "input": None, "state": None, "suspend_payload": None}
    return result.model_copy(update={**left_out, "compacted": True})
