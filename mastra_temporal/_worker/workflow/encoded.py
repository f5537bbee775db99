"""Encodes arguments of activities once: for the checks of their size, and for the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue

from mastra_temporal._protocol.model import CamelModel

__all__ = ["Encoded", "decode", "encode"]

T = TypeVar("T")


@dataclass(frozen=True)
class Encoded:
    """An envelope as its payload converter wrote it."""

    value: RawValue
    size: int
    """Bytes of its data."""


def encode(envelope: CamelModel) -> Encoded:
    """Encode an envelope with the payload converter of the run. The SDK sends the result as it is."""
    payload = workflow.payload_converter().to_payload(envelope)
    return Encoded(RawValue(payload), len(payload.data))


def decode(raw: RawValue, result_type: type[T]) -> T:
    """Decode the raw result of an activity."""
    return workflow.payload_converter().from_payload(raw.payload, result_type)
