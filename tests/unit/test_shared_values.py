"""Snapshots are written with each value once, and read back with the same objects at the same places."""

from typing import Any

import pytest
from pydantic_core import to_json

from mastra_temporal._protocol.results import StepResult
from mastra_temporal._protocol.snapshot import ProgressSnapshot, RunSnapshot, ScopeSnapshot
from mastra_temporal._protocol.start import StartEnvelope


def envelope(items: list[Any], outputs: dict[int, Any]) -> StartEnvelope:
    made = {"deep": [None, "text", {"output": 1, "state": "not a number"}]}
    progress = ProgressSnapshot(
        input_data=items,
        results={"each[7]": StepResult(status="suspended", payload=items[0], suspend_payload=made, started_at=1)},
        outputs=outputs,
        children={"each[7]": ScopeSnapshot(run_id="child", init_data=items[0], input_data=made, state={"state": made})},
    )
    steps = {"state": StepResult(status="success", payload=made, output=items, started_at=1, ended_at=2)}
    scope = ScopeSnapshot(
        run_id="r", init_data=made, state={"output": made}, steps=steps, position=1, input_data=items, progress=progress
    )
    return StartEnvelope(input_data=made, run_id="r", snapshot=RunSnapshot(scope=scope, resume_count=3))


def read_back(written: StartEnvelope) -> StartEnvelope:
    return StartEnvelope.model_validate_json(to_json(written))


@pytest.mark.parametrize("item", ["a", "a long item " * 1000])
@pytest.mark.parametrize("outputs", [{}, {0: 1}, {0: None, 1: [2], 5: "x", 6: {}}])
def test_what_is_read_is_what_was_written(item: str, outputs: dict[int, Any]):
    written = envelope([item + str(index) for index in range(8)], outputs)
    read = read_back(written)
    assert written.snapshot is not None
    assert read.snapshot is not None
    assert read.input_data == written.input_data
    assert read.snapshot.model_copy(update={"size": 0}) == written.snapshot
    again = read_back(read)
    assert again == read


def test_a_value_is_sent_once():
    items = [f"item {index} " * 20 for index in range(100)]
    assert len(to_json(envelope(items, {}))) < 1.1 * len(to_json(items))
    read = read_back(envelope(items, {}))
    assert read.snapshot is not None
    scope = read.snapshot.scope
    assert scope.progress is not None
    assert scope.input_data is scope.progress.input_data is scope.steps["state"].output
    assert scope.init_data is read.input_data


def test_a_large_snapshot_is_compressed():
    items = list(range(100_000))
    assert len(to_json(envelope(items, dict(enumerate(items))))) < 1.5 * len(to_json(items))


def test_a_short_snapshot_can_be_read_by_people():
    written = to_json(envelope(["apple"], {})).decode()
    assert written.count("apple") == 2  # once in the list, once as the item that is suspended
