"""Traces of runs in one process: which spans there are, whose trace they belong to, and what steps see of them."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import sampling
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.contrib.opentelemetry import TracingInterceptor

from mastra_temporal import (
    ConfigurationError,
    DefinitionError,
    Mastra,
    MastraLogFilter,
    MastraPlugin,
    Run,
    SerializationError,
    StepContext,
    SyncStepContext,
    TracingContext,
    TracingOptions,
    create_step,
    create_workflow,
)
from mastra_temporal._tracing import headers
from tests.support import Stage, history, until, within
from tests.tracing import SpanMemory

TRACE = "0af7651916cd43dd8448eb211c80319c"


def plus(id: str = "plus", **settings: Any) -> Any:
    async def body(value: int) -> int:
        return value + 1

    return create_step(id=id, execute=body, **settings)


@pytest.mark.parity("spans of runs, steps and control flow", "result.traceId, result.spanId")
@pytest.mark.parametrize("cache", [{}, {"max_cached_workflows": 0, "max_concurrent_workflow_tasks": 1}])
async def test_every_kind_of_entry_has_its_spans_and_a_replay_doubles_none(
    stage: Stage, memory: SpanMemory, cache: dict[str, Any]
):
    async def flaky(value: int, ctx: StepContext) -> int:
        if ctx.retry_count == 0:
            raise ValueError("not yet")
        return value + 1

    inner = create_workflow(id="inner").then(plus("deep")).commit()
    workflow = (
        create_workflow(id="all")
        .then(create_step(id="flaky", execute=flaky, retries=1))
        .parallel([plus("left"), inner])
        .map(lambda value: value["left"], id="shape")
        .branch([(lambda value: value > 0, plus("yes")), (lambda value: False, plus("no"))])
        .map(lambda value: [value["yes"], 7])
        .foreach(plus("item"), concurrency=2)
        .map(lambda value: value[0])
        .dountil(plus("again"), lambda value: value >= 7)
        .sleep(5, id="nap")
        .commit()
    )
    async with stage.worker(workflow, tracing=memory.provider, **cache):
        result = await within((await workflow.create_run(resource_id="ann")).start(input_data=1))
    spans = memory.spans
    assert len(spans.by_id) == len(spans.all)
    assert sorted(spans.lines()) == sorted(
        """\
workflow run: 'all'
  workflow step: 'flaky'
    attempt 1
    attempt 2
  parallel: '2 branches'
    workflow step: 'left'
      attempt 1
    workflow step: 'inner'
      workflow run: 'inner'
        workflow step: 'deep'
          attempt 1
  workflow step: 'shape'
  conditional: '2 conditions'
    condition '0'
    condition '1'
    workflow step: 'yes'
      attempt 1
  workflow step: 'mapping_all_1'
  loop: 'foreach'
    workflow step: 'item'
      attempt 1
    workflow step: 'item'
      attempt 1
  workflow step: 'mapping_all_2'
  loop: 'dountil'
    workflow step: 'again'
      attempt 1
    condition: 'dountil'
    workflow step: 'again'
      attempt 1
    condition: 'dountil'
  sleep: 5ms""".splitlines()
    )
    root = spans.named("workflow run: 'all'")
    assert (result.trace_id, result.span_id) == (root.trace_id, root.span_id)
    assert root.attributes["mastra.metadata.resourceId"] == "ann"
    assert spans.named("loop: 'dountil'").attributes["mastra.total_iterations"] == 2
    [failed, _] = spans.children(spans.named("workflow step: 'flaky'"))
    assert failed.events == ("exception",)
    for span in spans.all:
        parent = spans.by_id.get(span.parent_id or "")
        assert parent is None or (parent.start <= span.start <= span.end <= parent.end), span


class TestOptions:
    @pytest.mark.parity(
        "tracingOptions.metadata",
        "tracingOptions.requestContextKeys",
        "tracingOptions.tags",
        "tracingOptions.rootSpanName",
        "tracingOptions.hideInput, hideOutput",
        "tracing, tracingContext",
    )
    async def test_they_are_on_the_spans_and_steps_see_theirs(self, stage: Stage, memory: SpanMemory):
        async def body(value: dict[str, Any], ctx: StepContext) -> dict[str, Any]:
            current = ctx.tracing_context.current_span
            current.update(metadata={"mine": {"deep": 1}})
            with current.create_child_span(name="query", input={"sql": "secret"}) as query:
                query.update(metadata={"rows": 3})
            assert trace.get_current_span() is current.span
            with memory.provider.get_tracer("users own").start_as_current_span("own"):
                pass
            return {"out": "secret"}

        workflow = create_workflow(id="options").then(create_step(id="a", execute=body)).commit()
        options = TracingOptions(
            metadata={"team": "x", "user.plan": "explicit"},
            request_context_keys=["user.plan", "absent", "tenant"],
            tags=["a", "b"],
            root_span_name="checkout",
            hide_input=True,
            hide_output=True,
        )
        async with stage.worker(workflow, tracing=memory.provider):
            await within(
                (await workflow.create_run()).start(
                    input_data={"card": "secret"},
                    request_context={"user": {"plan": "pro", "name": "Ann"}, "tenant": "t1"},
                    tracing_options=options,
                )
            )
        spans = memory.spans
        assert spans.tree() == ["checkout", ["workflow step: 'a'", ["attempt 1", ["query"], ["own"]]]]
        for span in spans.all:
            assert "secret" not in str(span.attributes)
            if span.name not in ("query", "own"):
                assert span.attributes["mastra.metadata.team"] == "x"
                assert span.attributes["mastra.metadata.tenant"] == "t1"
                assert "Ann" not in str(span.attributes)
        assert spans.named("attempt 1").attributes["mastra.metadata.mine.deep"] == 1
        assert spans.named("checkout").attributes["mastra.tags"] == '["a", "b"]'
        assert "mastra.tags" not in spans.named("attempt 1").attributes

    async def test_in_a_thread_the_steps_span_is_the_current_one_too(self, stage: Stage, memory: SpanMemory):
        def body(value: int, ctx: SyncStepContext) -> bool:
            return trace.get_current_span() is ctx.tracing_context.current_span.span

        workflow = create_workflow(id="threaded").then(create_step(id="a", execute=body)).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            result = await within((await workflow.create_run()).start(input_data=1))
        assert result.result is True

    @pytest.mark.parity(
        "run.start({tracingOptions})",
        "run.start({tracingContext})",
        "tracingOptions.traceId",
        "tracingOptions.parentSpanId",
    )
    async def test_the_run_joins_the_trace_that_it_is_given(self, stage: Stage, memory: SpanMemory):
        workflow = create_workflow(id="joins").then(plus()).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            given = await within(
                (await workflow.create_run()).start(
                    input_data=1, tracing_options={"traceId": "ABC", "parentSpanId": "12"}
                )
            )
            assert given.trace_id == "abc".rjust(32, "0")
            root = memory.spans.by_id[given.span_id or ""]
            assert root.parent_id == "12".rjust(16, "0")

            parentless = await within(
                (await workflow.create_run()).start(input_data=1, tracing_options={"trace_id": TRACE})
            )
            assert (parentless.trace_id, memory.spans.by_id[parentless.span_id or ""].parent_id) == (TRACE, None)

            with memory.provider.get_tracer("caller").start_as_current_span("request") as request:
                ambient = await within((await workflow.create_run()).start(input_data=1))
            other = memory.provider.get_tracer("caller").start_span("other")
            explicit = await within(
                (await workflow.create_run()).start(
                    input_data=1,
                    tracing_context=TracingContext(other),
                    tracing_options={"trace_id": TRACE, "metadata": {"kept": True}},
                )
            )
            other.end()
        spans = memory.spans
        for result, caller in ((ambient, request), (explicit, other)):
            context = caller.get_span_context()
            assert result.trace_id == f"{context.trace_id:032x}"
            assert spans.by_id[result.span_id or ""].parent_id == f"{context.span_id:016x}"
        assert spans.by_id[explicit.span_id or ""].attributes["mastra.metadata.kept"] is True

    async def test_many_runs_at_once_keep_their_traces_apart(self, stage: Stage, memory: SpanMemory):
        workflow = create_workflow(id="many").then(plus("a")).then(plus("b")).commit()
        ids = [f"{number:032x}" for number in range(1, 21)]
        async with stage.worker(workflow, tracing=memory.provider):
            runs = [await workflow.create_run() for _ in ids]
            results = await within(
                asyncio.gather(
                    *(
                        run.start(input_data=1, tracing_options={"trace_id": trace_id})
                        for run, trace_id in zip(runs, ids, strict=True)
                    )
                )
            )
        assert [result.trace_id for result in results] == ids
        for run, trace_id in zip(runs, ids, strict=True):
            of_run = {s.trace_id for s in memory.spans.all if s.attributes.get("mastra.metadata.runId") == run.run_id}
            assert of_run == {trace_id}
            assert len([s for s in memory.spans.all if s.trace_id == trace_id]) == 5

    async def test_a_foreign_clients_options_in_the_argument_are_honoured(self, stage: Stage, memory: SpanMemory):
        workflow = create_workflow(id="foreign").then(plus()).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            argument = {"inputData": 1, "tracingOptions": {"traceId": TRACE, "tags": ["ts"], "unknown": [1]}}
            await within(
                stage.client.execute_workflow(
                    "foreign", argument, id=f"f-{stage.task_queue}", task_queue=stage.task_queue
                )
            )
        root = memory.spans.named("workflow run: 'foreign'")
        assert (root.trace_id, root.attributes["mastra.tags"]) == (TRACE, '["ts"]')


class TestContinuity:
    @pytest.mark.parity("run.resume({tracingOptions})")
    async def test_a_resumed_run_goes_on_in_its_trace(self, stage: Stage, memory: SpanMemory):
        async def ask(value: int, ctx: StepContext) -> Any:
            return await ctx.suspend({"q": 1}) if ctx.resume_data is None else ctx.resume_data

        workflow = create_workflow(id="asks").then(create_step(id="ask", execute=ask)).then(plus()).commit()
        options = {"trace_id": TRACE, "parent_span_id": "7", "tags": ["first"], "metadata": {"team": "x"}}
        async with stage.worker(workflow, tracing=memory.provider):
            run = await workflow.create_run()
            suspended = await within(run.start(input_data=1, tracing_options=options))
            result = await within(run.resume(resume_data=4, tracing_options={"tags": ["second"]}))
        spans = memory.spans
        assert (suspended.trace_id, result.trace_id) == (TRACE, TRACE)
        assert spans.tree() == [
            "workflow run: 'asks'",
            ["workflow step: 'ask'", ["attempt 1"]],
            [
                "workflow run: 'asks' (resumed)",
                ["workflow step: 'ask'", ["attempt 1"]],
                ["workflow step: 'plus'", ["attempt 1"]],
            ],
        ]
        resumed = spans.named("workflow run: 'asks' (resumed)")
        assert result.span_id == resumed.span_id
        assert resumed.attributes["mastra.tags"] == '["second"]'
        assert resumed.attributes["mastra.metadata.team"] == "x"
        assert resumed.attributes["mastra.metadata.resumedFromSpanId"] == suspended.span_id

    @pytest.mark.parity("run.restart({tracingOptions})", "run.restart({tracingContext})")
    async def test_a_restarted_run_goes_on_in_its_trace_and_links_to_the_lost_attempt(
        self, stage: Stage, memory: SpanMemory
    ):
        async def wait(value: int, ctx: StepContext) -> int:
            if stage.effects.add("wait") == 1:
                await ctx.abort_signal.wait()
            return value

        workflow = create_workflow(id="waits").then(create_step(id="wait", execute=wait)).then(plus()).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            run = await workflow.create_run()
            await run.start_async(input_data=1, tracing_options={"metadata": {"team": "x"}})
            await stage.effects.seen("wait")
            caller = memory.provider.get_tracer("caller").start_span("operator")
            result = await within(
                run.restart(
                    force=True,
                    tracing_options=TracingOptions(tags=["after-outage"]),
                    tracing_context=TracingContext(caller),
                )
            )
        spans = memory.spans
        assert spans.tree() == [
            "workflow run: 'waits'",
            ["workflow step: 'wait'", ["attempt 1"], ["attempt 2"]],
            ["workflow run: 'waits' (restarted)", ["workflow step: 'plus'", ["attempt 1"]]],
        ]
        restarted = spans.named("workflow run: 'waits' (restarted)")
        [lost, _] = spans.children(spans.named("workflow step: 'wait'"))
        assert restarted.links == (lost.span_id, f"{caller.get_span_context().span_id:016x}")
        assert result.span_id == restarted.span_id
        assert (restarted.attributes["mastra.tags"], restarted.attributes["mastra.metadata.team"]) == (
            '["after-outage"]', "x",
        )  # fmt: skip
        await the_options_are_in_headers_alone(stage, run.run_id)

    @pytest.mark.parametrize("state", ["alive", "sleeping", "waiting for a retry"])
    async def test_options_of_a_restart_count_also_where_no_attempt_was_lost(self, stage: Stage, state: str):
        async def work(value: int) -> int:
            if stage.effects.add("work") == 1 and state == "waiting for a retry":
                raise RuntimeError("no")
            if state == "alive":
                await stage.effects.opened("go")
            return value

        retries = {"attempts": 1, "delay": 60_000}
        workflow = create_workflow(id="well", retry_config=retries).then(create_step(id="work", execute=work))
        if state == "sleeping":
            workflow.sleep(timedelta(seconds=1))
        workflow.then(plus()).commit()
        options = TracingOptions(metadata={"team": "y"})
        async with stage.worker(workflow, tracing=False):
            run = await workflow.create_run()
            await run.start_async(input_data=1)
            await until(lambda: is_in(stage, run, state))
            callers = [await workflow.create_run(run_id=run.run_id) for _ in range(2)]
            restarts = [asyncio.create_task(caller.restart(tracing_options=options)) for caller in callers]

            async def told() -> bool:
                return await told_of_restarts(stage, run.run_id) == 1

            await until(told)
            stage.effects.open("go")
            results = await within(asyncio.gather(*restarts))
        assert [result.result for result in results] == [2, 2]
        carried = {
            scheduled.activity_id: headers.read_header(scheduled.header.fields).options
            for event in await history(stage.client, run.run_id)
            if (scheduled := event.activity_task_scheduled_event_attributes).activity_id
        }
        again = {"work#2": {"metadata": {"team": "y"}}} if state == "waiting for a retry" else {}
        assert carried == {"work": None, **again, "plus": {"metadata": {"team": "y"}}}
        assert await told_of_restarts(stage, run.run_id) == 1, "two callers who want the same share one update"

    async def test_a_run_that_temporal_closed_goes_on_in_its_trace(self, stage: Stage, memory: SpanMemory):
        async def wait(value: int, ctx: StepContext) -> int:
            if stage.effects.add("wait") == 1:
                await ctx.abort_signal.wait()
            return value

        workflow = create_workflow(id="closed").then(plus()).then(create_step(id="wait", execute=wait)).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            run = await workflow.create_run()
            await run.start_async(input_data=1, tracing_options={"trace_id": TRACE, "hide_input": True})
            await stage.effects.seen("wait")
            await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
            result = await within(run.restart())
        assert (result.status, result.trace_id) == ("success", TRACE)
        leg = memory.spans.named("workflow run: 'closed' (restarted)")
        assert (leg.span_id, leg.trace_id) == (result.span_id, TRACE)
        assert leg.parent_id == memory.spans.named("workflow step: 'plus'").parent_id
        assert not any("input" in name for span in memory.spans.all for name in span.attributes)

    async def test_a_stream_takes_the_options_too(self, stage: Stage, memory: SpanMemory):
        workflow = create_workflow(id="streamed").then(plus()).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            output = (await workflow.create_run()).stream(input_data=1, tracing_options={"trace_id": TRACE})
            events = [event async for event in output]
            assert (await within(output.result)).trace_id == TRACE
        assert events

    async def test_a_failed_run_shows_where(self, stage: Stage, memory: SpanMemory):
        async def fail(value: int) -> None:
            raise LookupError("no such order")

        workflow = create_workflow(id="fails").then(create_step(id="fail", execute=fail)).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            result = await within((await workflow.create_run()).start(input_data=1))
        assert result.status == "failed"
        assert result.span_id == memory.spans.named("workflow run: 'fails'").span_id
        assert {span.name: span.events for span in memory.spans.all} == dict.fromkeys(
            ("workflow run: 'fails'", "workflow step: 'fail'", "attempt 1"), ("exception",)
        )

    async def test_a_canceled_run_has_the_ids_too_and_what_was_open_ended_as_canceled(
        self, stage: Stage, memory: SpanMemory
    ):
        async def wait(value: int, ctx: StepContext) -> None:
            stage.effects.add("wait")
            await ctx.abort_signal.wait()

        workflow = create_workflow(id="cancels").then(create_step(id="wait", execute=wait)).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            run = await workflow.create_run()
            starting = asyncio.create_task(run.start(input_data=1))
            await stage.effects.seen("wait")
            await run.cancel()
            result = await within(starting)
        root = memory.spans.named("workflow run: 'cancels'")
        assert (result.status, result.trace_id, result.span_id) == ("canceled", root.trace_id, root.span_id)
        statuses = {span.name: span.attributes["mastra.status"] for span in memory.spans.all}
        assert statuses == {root.name: "canceled", "workflow step: 'wait'": "canceled", "attempt 1": "success"}

    async def test_what_is_not_sampled_leaves_no_ids(self, stage: Stage):
        memory = SpanMemory(sampling.ALWAYS_OFF)
        workflow = create_workflow(id="unsampled").then(plus()).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            result = await within((await workflow.create_run()).start(input_data=1))
        assert (result.trace_id, result.span_id, memory.spans.all) == (None, None, [])


async def is_in(stage: Stage, run: Run[Any], state: str) -> bool:
    if state == "sleeping":
        return await run.fetch_status() == "waiting"
    if state == "alive":
        return stage.effects.counts()["work"] == 1
    description = await stage.client.get_workflow_handle(run.run_id).describe()
    return any(item.attempt == 2 for item in description.raw_description.pending_activities)


async def told_of_restarts(stage: Stage, run_id: str) -> int:
    """How many restarts the run has been told of."""
    updates = [
        event.workflow_execution_update_accepted_event_attributes for event in await history(stage.client, run_id)
    ]
    return sum(update.accepted_request.input.name == "mastra_restart" for update in updates)


async def the_options_are_in_headers_alone(stage: Stage, run_id: str) -> None:
    """The trace of the restart in the recorded history: options on the workflow, the update and what came after it."""
    found: list[tuple[str, dict[str, Any] | None]] = []
    for event in await history(stage.client, run_id):
        started = event.workflow_execution_started_event_attributes
        scheduled = event.activity_task_scheduled_event_attributes
        update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
        for name, item in (("start", started), (scheduled.activity_id, scheduled), (update.name, update)):
            if item.header.fields and event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
                found.append((name, headers.read_header(item.header.fields).options))
        for payloads in (started.input, scheduled.input, update.args):
            text = b"".join(payload.data for payload in payloads.payloads)
            assert b"after-outage" not in text
            assert b"team" not in text
    first, second = {"metadata": {"team": "x"}}, {"metadata": {"team": "x"}, "tags": ["after-outage"]}
    assert found == [
        ("start", first),
        ("wait", first),
        ("mastra_restart", {"tags": ["after-outage"]}),
        ("wait#2", second),
        ("plus", second),
    ]


class TestWithoutTracing:
    async def test_steps_find_a_span_without_effect_and_options_are_no_obstacle(self, stage: Stage):
        async def body(value: int, ctx: StepContext) -> Any:
            span = ctx.tracing_context.current_span
            span.update(metadata={"a": 1})
            span.create_child_span(name="child").end()
            return span.trace_id

        workflow = create_workflow(id="untraced").then(create_step(id="a", execute=body)).commit()
        async with stage.worker(workflow, tracing=False):
            result = await within((await workflow.create_run()).start(input_data=1, tracing_options={"tags": ["x"]}))
        assert (result.result, result.trace_id, result.span_id) == (None, None, None)


class WithHeaders(Interceptor):
    """A foreign client, which sends headers of its own."""

    def __init__(self, headers: headers.Headers) -> None:
        self.headers = headers

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        own = self.headers

        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
                input.headers = own
                return await super().start_workflow(input)

        return Outbound(next)


class TestBadInput:
    @pytest.mark.parametrize("wrong", ["xyz", "1" * 33, "", "0", 7])
    async def test_a_wrong_id_is_told_and_the_run_goes_on(
        self, stage: Stage, memory: SpanMemory, wrong: Any, caplog: pytest.LogCaptureFixture
    ):
        workflow = create_workflow(id="wrong").then(plus()).commit()
        async with stage.worker(workflow, tracing=memory.provider):
            result = await within((await workflow.create_run()).start(input_data=1, tracing_options={"traceId": wrong}))
        assert result.trace_id == memory.spans.named("workflow run: 'wrong'").trace_id
        assert int(result.trace_id or "0", 16)
        [told] = [record.message for record in caplog.records if record.name == "mastra_temporal.tracing"]
        assert "Invalid traceId: must be 1-32 hexadecimal characters, got" in told
        assert str(wrong) in told

    async def test_metadata_that_are_no_json_are_refused_before_anything_is_started(self, stage: Stage):
        workflow = create_workflow(id="metadata").then(plus()).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            with pytest.raises(SerializationError, match=r"`metadata` of the tracing options of run .*metadata"):
                await run.start(input_data=1, tracing_options={"metadata": {"connection": object()}})
            with pytest.raises(DefinitionError, match=r"Unknown option `tag` in TracingOptions. Did you mean `tags`"):
                await run.start(input_data=1, tracing_options={"tag": []})
            with pytest.raises(DefinitionError, match="needs TracingContext"):
                await run.start(input_data=1, tracing_context=TracingContext("my span"))
            assert await run.fetch_status() == "pending"

    async def test_a_header_of_another_version_is_ignored(self, stage: Stage, memory: SpanMemory):
        workflow = create_workflow(id="versions").then(plus()).commit()
        newer = headers.with_headers(
            {}, headers.TracingHeader(v=99, options={"traceId": TRACE}), {"traceparent": "rubbish"}
        )
        junk = {"mastra-tracing": type(newer["mastra-tracing"])(data=b"\x00\xff")}
        async with stage.worker(workflow, tracing=memory.provider) as mastra:
            for number, foreign in enumerate((newer, junk)):
                client = Client(**{**mastra.client.config(), "interceptors": [WithHeaders(foreign)]})
                argument, run_id = {"inputData": 1}, f"{number}-{stage.task_queue}"
                await within(client.execute_workflow("versions", argument, id=run_id, task_queue=stage.task_queue))
        roots = [span for span in memory.spans.all if span.name == "workflow run: 'versions'"]
        assert len(roots) == 2
        assert TRACE not in {span.trace_id for span in roots}

    async def test_installed_twice_is_told(self, stage: Stage, memory: SpanMemory, caplog: pytest.LogCaptureFixture):
        workflow = create_workflow(id="twice").then(plus()).commit()
        mastra = Mastra(workflows=[workflow], task_queue=stage.task_queue)
        plugin = MastraPlugin(mastra, tracing=memory.provider)
        client = Client(**{**stage.client.config(), "plugins": [plugin], "interceptors": [TracingInterceptor()]})
        await mastra.connect(client)
        plugin.configure_worker({"client": client, "task_queue": stage.task_queue})
        assert "Tracing is installed twice: by MastraPlugin and by TracingInterceptor" in caplog.text

    def test_a_missing_exporter_is_named(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
        mastra = Mastra(workflows=[create_workflow(id="exporter").then(plus()).commit()])
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "nowhere")
        with pytest.raises(ConfigurationError, match=r"exporter `nowhere` is not installed: .*mastra-temporal\[otlp\]"):
            MastraPlugin(mastra, tracing=True)
        MastraPlugin(mastra)
        assert "The environment asks for traces, but there will be none" in caplog.text


async def test_log_records_name_run_step_and_trace(stage: Stage, memory: SpanMemory, caplog: pytest.LogCaptureFixture):
    caplog.handler.addFilter(MastraLogFilter())

    async def body(value: int) -> int:
        logging.getLogger("a library").warning("in the step")
        return value

    def raising(value: int) -> bool:
        raise ValueError("in the workflow")

    workflow = (
        create_workflow(id="logs").then(create_step(id="logging", execute=body)).branch([(raising, plus())]).commit()
    )
    async with stage.worker(workflow, tracing=memory.provider):
        run = await workflow.create_run()
        result = await within(run.start(input_data=1))
    [in_step] = [record for record in caplog.records if record.message == "in the step"]
    [in_workflow] = [record for record in caplog.records if "counts as false: in the workflow" in record.message]
    fields = ("mastra_run_id", "mastra_workflow_id", "mastra_step_id", "mastra_trace_id")
    assert [getattr(in_step, name) for name in fields] == [run.run_id, "logs", "logging", result.trace_id]
    assert [getattr(in_workflow, name) for name in fields] == [run.run_id, "logs", "", result.trace_id]
