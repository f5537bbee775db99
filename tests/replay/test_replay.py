"""Histories of every kind of run replay on today's workflow code."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from mastra_temporal import MastraPlugin
from tests.replay.workflows import WORKFLOWS, mastra

HISTORIES = Path(__file__).parent / "histories"


def test_there_is_a_history_of_every_kind_of_run():
    assert {path.stem for path in HISTORIES.glob("*.json")} == set(WORKFLOWS)


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
async def test_a_recorded_history_replays(name: str):
    history = WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())
    replayer = Replayer(workflows=[], plugins=[MastraPlugin(mastra)], workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)


async def test_a_history_of_another_workflow_does_not_replay():
    text = (HISTORIES / "sequence.json").read_text().replace('"sequence.b"', '"sequence.x"')
    history = WorkflowHistory.from_json("other", text)
    replayer = Replayer(workflows=[], plugins=[MastraPlugin(mastra)], workflow_runner=UnsandboxedWorkflowRunner())
    with pytest.raises(Exception, match="does not match"):
        await replayer.replay_workflow(history)
