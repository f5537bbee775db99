"""`time_travel()` races other acts on the same run: one of the two is refused, and all who wait get an answer."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from mastra_temporal import (
    ResumeAlreadyClaimedError,
    Run,
    RunError,
    RunNotSuspendedError,
    StepContext,
    TimeTravelConflictError,
    TimeTravelError,
    Workflow,
    WorkflowResult,
    create_step,
    create_workflow,
)
from mastra_temporal._client.resume import _send
from mastra_temporal._protocol.messages import ResumeRequest
from tests.integration.suspending import asking, flow, suspended_run
from tests.support import Effects, Stage, count_events, history, pending, until, within

BEHIND_THE_GATE = 0.3
"""Seconds: long enough for whatever the other act does meanwhile."""


def gated(effects: Effects) -> Workflow[Any, Any, Any]:
    """A step, a gate that a person opens, and a step behind it."""

    async def before(value: Any) -> Any:
        effects.add(f"before {value}")
        return value

    async def gate(value: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"about": value})
        return [value, ctx.resume_data]

    async def behind(value: Any) -> Any:
        effects.add(f"behind {value}")
        await asyncio.sleep(BEHIND_THE_GATE)
        return value

    return flow(
        create_step(id="before", execute=before),
        create_step(id="gate", execute=gate),
        create_step(id="behind", execute=behind),
    )


def another(run: Run[Any], workflow: Workflow[Any, Any, Any]) -> Run[Any]:
    """The run as another process has it."""
    other: Run[Any] = Run(run._session, workflow.definition, run_id=run.run_id, resource_id=None)  # pyright: ignore[reportPrivateUsage] - as another process makes it
    other.status = "running"
    return other


REFUSED = (ResumeAlreadyClaimedError, RunNotSuspendedError, TimeTravelError)


def accepted(ended: list[Any]) -> list[Any]:
    """The results; everything else must be a refusal."""
    for each in ended:
        assert isinstance(each, (WorkflowResult, *REFUSED)), repr(each)
    return [each for each in ended if isinstance(each, WorkflowResult)]


@pytest.mark.parametrize("lead", [0.0, 0.01, 0.03])
async def test_a_resume_and_a_time_travel(stage: Stage, lead: float):
    """Ten runs each: the one that comes a little later wins now and then."""
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        runs = [(await suspended_run(workflow, number))[0] for number in range(10)]

        async def race(number: int, run: Run[Any]) -> Counter[str]:
            async def travel() -> Any:
                await asyncio.sleep(0 if number % 2 else lead)
                return await another(run, workflow).time_travel(step="before", input_data=number + 100)

            async def resume() -> Any:
                await asyncio.sleep(lead if number % 2 else 0)
                return await another(run, workflow).resume(resume_data="r")

            travelled, resumed = await asyncio.gather(travel(), resume(), return_exceptions=True)
            assert len(accepted([travelled, resumed])) == 1
            if isinstance(resumed, WorkflowResult):
                assert resumed.result == [number, "r"]
                return Counter({f"behind {[number, 'r']}": 1})
            assert isinstance(travelled, WorkflowResult)
            assert travelled.status == "suspended"
            return Counter({f"before {number + 100}": 1})

        expected = await within(asyncio.gather(*(race(number, run) for number, run in enumerate(runs))), 60)
        effects = stage.effects.counts()
        for number in range(10):
            del effects[f"before {number}"]
        assert effects == sum(expected, Counter[str]())


async def test_two_time_travels_of_a_suspended_run(stage: Stage):
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        journeys = [another(run, workflow).time_travel(step="before", input_data=number) for number in (10, 20, 30)]
        ended = await within(asyncio.gather(*journeys, return_exceptions=True))
        assert len(accepted(ended)) == 1
        assert sum(stage.effects.counts()[f"before {number}"] for number in (10, 20, 30)) == 1


async def test_two_time_travels_of_a_run_that_has_ended(stage: Stage):
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        await within(run.resume(resume_data=1))
        journeys = [another(run, workflow).time_travel(step="behind", input_data=number) for number in (10, 20, 30)]
        ended = await within(asyncio.gather(*journeys, return_exceptions=True))
        assert len(accepted(ended)) == 1
        assert sum(stage.effects.counts()[f"behind {number}"] for number in (10, 20, 30)) == 1


async def test_the_caller_who_waits_follows(stage: Stage):
    """Those who wait for a sleeping run, and one whose resume was accepted before."""
    asks = gated(stage.effects)
    sleeps = create_workflow(id="sleeps").then(asks.steps["behind"]).sleep(3_600_000).commit()
    async with stage.worker(asks, sleeps):
        run = await sleeps.create_run()
        started = asyncio.create_task(run.start(input_data=1))
        await until(lambda: _waits(run))
        joined = asyncio.create_task(another(run, sleeps).join())
        travelled = asyncio.create_task(another(run, sleeps).time_travel(step="behind", input_data=5))
        await stage.effects.seen("behind 5")
        await until(lambda: _waits(run))
        assert not started.done()
        await within(run.cancel())
        assert [(await within(each)).status for each in (started, joined, travelled)] == ["canceled"] * 3

        other, _ = await suspended_run(asks, 1)
        await within(other.resume(resume_data=1))
        await within(other.time_travel(step="gate"))
        assert (await within(other.resume(resume_data=2))).result == [1, 2]


async def _waits(run: Run[Any]) -> bool:
    return await run.fetch_status() == "waiting"


async def test_an_answer_to_the_execution_before_is_refused(stage: Stage):
    """The caller saw a suspension that is no more, and the same step is suspended again."""
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        seen = await run.client.get_workflow_handle(run.run_id).describe()
        assert (await within(run.time_travel(step="gate"))).status == "suspended"
        request = ResumeRequest(resume_data=2)
        with pytest.raises(ResumeAlreadyClaimedError):
            await within(_send(run.client, seen, request.model_copy(update={"resume_count": 0})))
        assert await run.fetch_status() == "suspended"


async def test_the_traveller_dies_on_the_way(stage: Stage):
    """Once the run has agreed it travels, whatever becomes of the caller."""
    workflow = gated(stage.effects)
    for moment in (0.0, 0.01, 0.03, 0.1):
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, 1)
            journey = asyncio.create_task(another(run, workflow).time_travel(step="before", input_data=9))
            await asyncio.sleep(moment)
            journey.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await within(journey)
            result = await within(_resumed(another(run, workflow)))
            assert result.result in ([1, "r"], [9, "r"])
            assert result.status == "success"


async def _resumed(run: Run[Any]) -> WorkflowResult[Any]:
    """A resume; sent again when the run has just travelled."""
    while True:
        with contextlib.suppress(RunNotSuspendedError):
            return await run.resume(resume_data="r")
        await asyncio.sleep(0.05)


async def test_a_restart_joins_and_a_cancellation_holds(stage: Stage):
    workflow = create_workflow(id="sleeps").then(gated(stage.effects).steps["behind"]).sleep(3_600_000).commit()
    async with stage.worker(workflow):
        for first in ("restart", "cancel"):
            run = await workflow.create_run()
            await run.start_async(input_data=1)
            await until(lambda run=run: _waits(run))
            journey = asyncio.create_task(another(run, workflow).time_travel(step="behind", input_data=2))
            other: Any = asyncio.create_task(getattr(another(run, workflow), first)())
            if first == "restart":
                await stage.effects.seen("behind 2")
                await until(lambda run=run: _waits(run))
                await within(run.cancel())
            with contextlib.suppress(TimeTravelError):
                assert (await within(journey)).status == "canceled"
            await within(other)
            await until(lambda run=run: _is(run, "canceled"))


async def _is(run: Run[Any], status: str) -> bool:
    return await run.fetch_status() == status


async def test_a_cancellation_on_the_way_reaches_the_next_execution(stage: Stage):
    """The run has agreed to travel and waits for a worker that starts the next execution."""
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
    async with stage.worker(workflow, no_remote_activities=True):
        journey = asyncio.create_task(another(run, workflow).time_travel(step="before", input_data=9))
        await until(lambda: _travels(stage, run))
        with pytest.raises(ResumeAlreadyClaimedError):
            await within(another(run, workflow).resume(resume_data="r"))
        with pytest.raises(TimeTravelConflictError, match="Another caller has sent this run back in time"):
            await within(another(run, workflow).time_travel(step="before", input_data=10))
        await within(run.cancel())
    async with stage.worker(workflow):
        assert (await within(journey)).status == "canceled"
        assert await run.fetch_status() == "canceled"


async def _travels(stage: Stage, run: Run[Any]) -> bool:
    return await pending(stage.client, run.run_id) != set()


async def test_without_a_worker_the_run_stays_as_it_is(stage: Stage, caplog: pytest.LogCaptureFixture):
    """It travels when there is one; the log says what is waited for."""
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
    journey = asyncio.create_task(run.time_travel(step="before", input_data=9))
    await until(lambda: f"no worker polls the task queue `{stage.task_queue}`" in caplog.text)
    assert "time travel of run" in caplog.text
    accepted_updates = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    assert await count_events(stage.client, run.run_id, accepted_updates) == 1  # that of the start
    async with stage.worker(workflow):
        assert (await within(journey)).status == "suspended"
        assert (await within(run.resume(resume_data="r"))).result == [9, "r"]


@pytest.mark.parametrize("step", ["before", "behind", "gate"])
async def test_resume_data_are_used_or_refused(stage: Stage, step: str):
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        await within(run.resume(resume_data="r"))
        before = await history(stage.client, run.run_id)
        with pytest.raises(TimeTravelError, match="Nothing is suspended at step"):
            await within(run.time_travel(step=step, resume_data="dropped"))
        assert await history(stage.client, run.run_id) == before


@pytest.mark.parametrize(
    ("add", "refused", "used"),
    [
        (lambda flow: flow.then(create_workflow(id="inner").then(asking()).commit()), "inner", "inner.ask"),
        (lambda flow: flow.foreach(asking()), "ask", "ask[0]"),
    ],
    ids=["nested workflow", "foreach"],
)
async def test_so_are_those_for_what_begins_anew(stage: Stage, add: Any, refused: str, used: str):
    """A nested workflow and the items of a foreach begin anew, so their steps would not get the data."""
    workflow = add(create_workflow(id="anew").map(lambda _: [1], id="first")).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        for step in ("first", refused):
            with pytest.raises(TimeTravelError, match="Nothing is suspended at step"):
                await within(run.time_travel(step=step, resume_data="dropped"))
        assert "used" in str((await within(run.time_travel(step=used, resume_data="used"))).result)


async def test_a_restart_of_a_suspended_run_says_what_to_do(stage: Stage):
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        with pytest.raises(RunError, match=r"it is suspended. Continue it with `resume\(\)`"):
            await within(run.restart())


async def test_a_resume_without_a_worker_says_what_it_waits_for(stage: Stage, caplog: pytest.LogCaptureFixture):
    workflow = gated(stage.effects)
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
    resumed = asyncio.create_task(run.resume(resume_data="r"))
    await until(lambda: "resume of run" in caplog.text)
    assert f"no worker polls the task queue `{stage.task_queue}`" in caplog.text
    async with stage.worker(workflow):
        assert (await within(resumed)).result == [1, "r"]
