"""Callbacks: whatever they do, the run ends as it would have, and its callers get their answer."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mastra_temporal import CallbackInfo, RunRefusedError, Workflow, WorkflowEvent, create_step, create_workflow
from mastra_temporal._worker.workflow import function_calls as execution_calls
from tests.odd_exceptions import KINDS
from tests.support import Stage, run, until, within

Fail = Callable[..., Any]
AnyWorkflow = Workflow[Any, Any, Any]


def workflow_of(id: str, callbacks: dict[str, Fail], execute: Fail = lambda value: value) -> AnyWorkflow:
    return create_workflow(id=id, options=callbacks).then(create_step(id="work", execute=execute)).commit()


def refuse() -> None:
    raise ValueError("nothing to do")


def as_a_coroutine(fail: Fail) -> Fail:
    async def later() -> None:
        fail()

    return lambda info: later()


def of_each_kind(calls: Counter[str], make: Callable[[str, Fail], AnyWorkflow]) -> dict[str, AnyWorkflow]:
    def failing(kind: str) -> Fail:
        def fail() -> None:
            calls[kind] += 1
            KINDS[kind][0]()

        return fail

    return {kind: make(f"calling-{index}", failing(kind)) for index, kind in enumerate(KINDS)}


@pytest.mark.parametrize("written", [lambda fail: lambda info: fail(), as_a_coroutine])
async def test_what_on_start_raises_is_raised_by_start(stage: Stage, written: Callable[[Fail], Fail]):
    calls = Counter[str]()
    workflows = of_each_kind(
        calls, lambda id, fail: workflow_of(id, {"on_start": written(fail)}, lambda: stage.effects.add("work"))
    )
    async with stage.worker(*workflows.values()):
        raised = await asyncio.gather(*(run(workflow) for workflow in workflows.values()), return_exceptions=True)
    for kind, error in zip(workflows, raised, strict=True):
        assert isinstance(error, RunRefusedError), kind
        if kind != "cancelled thread":  # it has no message
            assert KINDS[kind][1] in str(error)
    assert calls == dict.fromkeys(KINDS, 1)
    assert not stage.effects.counts()


@pytest.mark.parametrize("written", [lambda fail: lambda info: fail(), as_a_coroutine])
async def test_what_callbacks_at_the_end_raise_is_logged(
    stage: Stage, written: Callable[[Fail], Fail], caplog: pytest.LogCaptureFixture
):
    """`on_error` is called although `on_finish` raised."""
    calls = Counter[str]()
    workflows = of_each_kind(
        calls,
        lambda id, fail: workflow_of(id, {"on_finish": written(fail), "on_error": written(fail)}, refuse),
    )
    with caplog.at_level(logging.WARNING):
        async with stage.worker(*workflows.values()):
            results = await asyncio.gather(*(run(workflow) for workflow in workflows.values()))
    error = {"name": "ValueError", "message": "nothing to do"}
    assert [(result.status, result.error) for result in results] == [("failed", error)] * len(KINDS)
    assert calls == dict.fromkeys(KINDS, 2)
    for callback in ("on_finish", "on_error"):
        for workflow in workflows.values():
            told = f"{callback} of workflow `{workflow.id}` raised, which changes nothing for the run"
            assert told in caplog.text


async def test_a_success_stays_one(stage: Stage):
    calls = Counter[str]()
    workflows = of_each_kind(calls, lambda id, fail: workflow_of(id, {"on_finish": as_a_coroutine(fail)}))
    async with stage.worker(*workflows.values()):
        results = await asyncio.gather(*(run(workflow, input_data=3) for workflow in workflows.values()))
    assert [(result.status, result.result) for result in results] == [("success", 3)] * len(KINDS)
    assert calls == dict.fromkeys(KINDS, 1)


async def test_a_callback_that_returns_an_awaitable_runs_to_its_end(stage: Stage):
    async def note(info: CallbackInfo) -> None:
        await asyncio.sleep(0.05)
        stage.effects.add(f"{info.status}")

    callbacks: dict[str, Fail] = {"on_start": lambda info: note(info), "on_finish": lambda info: note(info)}
    async with stage.worker(workflow_of("calling", callbacks)) as mastra:
        await run(mastra.get_workflow("calling"))
    assert stage.effects.counts() == {"None": 1, "success": 1}


async def test_a_callback_that_hangs_is_given_up_at_its_limit(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """However it hangs. It is not called again, and the run's end stays."""
    monkeypatch.setattr(execution_calls, "CALLBACK_LIMIT", timedelta(seconds=4))

    async def hang(info: CallbackInfo) -> None:
        stage.effects.add("async")
        await asyncio.Event().wait()

    async def refuse_to_end(info: CallbackInfo) -> None:
        stage.effects.add("stubborn")
        while not stage.effects.is_open("end"):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.1)

    def block(info: CallbackInfo) -> None:
        stage.effects.add("sync")
        time.sleep(600)

    def hold_the_loop(info: CallbackInfo) -> Any:
        async def later() -> None:
            stage.effects.add("blocking")
            time.sleep(6)

        return later()

    callbacks: list[Fail] = [hang, refuse_to_end, block, hold_the_loop]
    workflows = [workflow_of(f"hanging-{i}", {"on_finish": callback}) for i, callback in enumerate(callbacks)]
    with caplog.at_level(logging.WARNING):
        async with stage.worker(*workflows):
            results = await asyncio.gather(*(run(workflow, input_data=3) for workflow in workflows))
            stage.effects.open("end")
    assert [(result.status, result.result) for result in results] == [("success", 3)] * 4
    assert stage.effects.counts() == {"async": 1, "stubborn": 1, "sync": 1, "blocking": 1}
    for workflow in workflows:
        assert f"on_finish of workflow `{workflow.id}` exceeded its start-to-close timeout" in caplog.text


async def test_a_callback_is_called_although_what_it_is_told_is_too_large(stage: Stage):
    """Input and state fit apart, not together."""
    half = "x" * 1_200_000

    async def work(value: str, ctx: Any) -> None:
        ctx.set_state({"half": half})

    async def note(info: CallbackInfo) -> None:
        stage.effects.add(f"{info.status} {info.init_data} {info.state}")

    async with stage.worker(workflow_of("calling", {"on_finish": note}, work)) as mastra:
        result = await run(mastra.get_workflow("calling"), input_data=half)
    assert result.status == "success"
    assert stage.effects.counts() == {"success None {}": 1}


async def test_what_a_watcher_raises_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture):
    """Also what would end the event loop of its process."""
    calls = Counter[str]()
    async with stage.worker(workflow_of("watched", {})) as mastra:
        flow_run = await mastra.get_workflow("watched").create_run()

        def watcher(kind: str) -> Callable[[WorkflowEvent], object]:
            async def later() -> None:
                KINDS[kind][0]()

            def called(event: WorkflowEvent) -> object:
                calls[kind] += 1
                return later() if event.type == "workflow-step-start" else KINDS[kind][0]()

            return called

        watches = [await flow_run.watch(watcher(kind)) for kind in KINDS]
        result = await within(flow_run.start(input_data=3))
        await until(lambda: calls == dict.fromkeys(KINDS, 3))
        for watch in watches:
            await within(watch())
    assert result.status == "success"
    raised = [record for record in caplog.records if "A watcher of run" in record.getMessage()]
    assert len(raised) == 3 * len(KINDS)
    assert "called sys.exit(2)" in caplog.text
