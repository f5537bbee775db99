"""What callbacks are given, under Mastra's names."""

import logging
from typing import Any

import pytest

from mastra_temporal import CallbackInfo, create_workflow, step
from tests.support import Stage, run


@step
async def fail(number: int) -> int:
    raise ValueError(f"no {number}")


@pytest.mark.parity("callbacks: getInitData()", "callbacks: logger")
async def test_they_have_the_input_and_a_logger(stage: Stage, caplog: pytest.LogCaptureFixture):
    def callback(info: CallbackInfo) -> None:
        info.logger.warning("%s was given %s", info.status, info.get_init_data())

    options: Any = dict.fromkeys(("on_start", "on_finish", "on_error"), callback)
    flow = create_workflow(id="flow", input_schema=int, options=options).then(fail).commit()
    async with stage.worker(flow):
        with caplog.at_level(logging.WARNING, "mastra_temporal.callbacks"):
            await run(flow, input_data=5)
    said = [record.getMessage() for record in caplog.records if record.name == "mastra_temporal.callbacks"]
    assert said == ["None was given 5", "failed was given 5", "failed was given 5"]
