"""One trace over several processes: a client, a worker that is killed or stopped, and the one that finishes."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from mastra_temporal import StepContext, create_step, create_workflow
from mastra_temporal._tracing.ids import attempt_span_id
from tests.support import Effects, Stage, pending, until, within
from tests.tracing import Collector, Spans, collector

pytestmark = pytest.mark.any_cache  # each test is run with a cache and without

CACHES = [{}, {"MASTRA_TEST_MAX_CACHED_WORKFLOWS": "0"}]


@pytest.fixture
def collected() -> Generator[Collector]:
    with collector() as found:
        yield found


@pytest.fixture
def client_tracing(collected: Collector) -> Generator[TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collected.endpoint}/v1/traces")))
    yield provider
    provider.shutdown()


def build(effects: Effects) -> list[Any]:
    async def work(value: int) -> int:
        return value + 1

    async def fragile(value: int, ctx: StepContext) -> int:
        if effects.add(f"{ctx.run_id} fragile") == 1:
            await effects.opened("never")
        return value + 1

    def step(id: str) -> Any:
        return create_step(id=id, execute=work)

    killed = (
        create_workflow(id="killed")
        .then(step("before"))
        .parallel([step("sibling"), create_step(id="fragile", execute=fragile)])
        .map(lambda value: value["fragile"], id="shape")
        .then(step("after"))
    )
    stopped = (
        create_workflow(id="stopped").then(step("before")).sleep(timedelta(seconds=2), id="nap").then(step("after"))
    )
    return [killed.commit(), stopped.commit()]


async def exported(collected: Collector, name: str, times: int = 1) -> None:
    await until(lambda: sum(span.name == name for span in collected.received) >= times)


@pytest.mark.parametrize("environment", CACHES, ids=["cached", "uncached"])
async def test_one_tree_over_a_killed_worker(
    stage: Stage, collected: Collector, client_tracing: TracerProvider, environment: dict[str, str]
):
    environment = {**collected.environment(), **environment}
    mastra = await stage.app(build, tracing=client_tracing)
    first = stage.worker_process(build, environment=environment)
    with client_tracing.get_tracer("test").start_as_current_span("request"):
        run = await mastra.get_workflow("killed").create_run()
        await run.start_async(input_data=1)
        await stage.effects.seen(f"{run.run_id} fragile")
        # What ended just before the kill may still wait to be sent, and is lost with the worker.
        await exported(collected, "workflow step: 'sibling'")
        first.kill()
        stage.worker_process(build, environment=environment)
        result = await within(run.restart(), 30)
        assert result.status == "success"
    await exported(collected, "workflow run: 'killed'")
    await exported(collected, "request")
    spans = collected.spans
    assert len(spans.by_id) == len(collected.received), "no span is exported twice"
    assert sorted(spans.lines()) == sorted(
        """\
request
  workflow run: 'killed'
    workflow step: 'before'
      attempt 1
    parallel: '2 branches'
      workflow step: 'sibling'
        attempt 1
      workflow step: 'fragile'
        attempt 2
    workflow run: 'killed' (restarted)
      workflow step: 'shape'
      workflow step: 'after'
        attempt 1""".splitlines()
    )
    restarted = spans.named("workflow run: 'killed' (restarted)")
    lost = attempt_span_id(int(spans.named("workflow step: 'fragile'").span_id, 16), "fragile", 1)
    assert restarted.links[0] == f"{lost:016x}", "the one span that died with its worker"
    assert (result.trace_id, result.span_id) == (restarted.trace_id, restarted.span_id)
    assert {span.trace_id for span in spans.all} == {result.trace_id}
    in_order(spans)


@pytest.mark.parametrize("environment", CACHES, ids=["cached", "uncached"])
async def test_one_tree_over_a_worker_that_is_stopped_with_open_runs(
    stage: Stage, collected: Collector, client_tracing: TracerProvider, environment: dict[str, str]
):
    environment = {**collected.environment(), **environment}
    mastra = await stage.app(build, tracing=client_tracing)
    first = stage.worker_process(build, environment=environment)
    runs = [await mastra.get_workflow("stopped").create_run() for _ in range(3)]
    for run in runs:
        await run.start_async(input_data=1)
    await exported(collected, "workflow step: 'before'", len(runs))
    assert first.terminate() == 0
    assert not any([await pending(stage.client, run.run_id) for run in runs])
    stage.worker_process(build, environment=environment)
    results = [await within(run.restart(), 30) for run in runs]
    await exported(collected, "workflow run: 'stopped'", len(runs))
    spans = collected.spans
    assert len(spans.by_id) == len(collected.received), "no span is exported twice"
    assert sorted(spans.lines()) == sorted(
        """\
workflow run: 'stopped'
  workflow step: 'before'
    attempt 1
  sleep: 2000ms
  workflow step: 'after'
    attempt 1""".splitlines()
        * len(runs)
    )
    assert {span.span_id for span in spans.roots} == {result.span_id for result in results}
    in_order(spans)


def in_order(spans: Spans) -> None:
    """No span begins before the one that it is part of."""
    for span in spans.all:
        parent = spans.by_id.get(span.parent_id or "")
        assert parent is None or parent.start <= span.start, (parent.name, span.name)
