"""DEF: builds a workflow of the corpus with the public API of mastra_temporal."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from mastra_temporal import (
    CallbackInfo,
    FunctionContext,
    RetryConfig,
    WorkflowOptions,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
)
from tests.conformance.behaviour import condition_of, function_of, step_body
from tests.conformance.case_log import CaseLog
from tests.conformance.expressions import Error
from tests.conformance.records import callback_record
from tests.conformance.schema import schema_type

CALLBACKS = {"onStart": "on_start", "onFinish": "on_finish", "onError": "on_error"}
SCHEMAS = {
    "input": "input_schema",
    "output": "output_schema",
    "resume": "resume_schema",
    "suspend": "suspend_schema",
    "state": "state_schema",
    "requestContext": "request_context_schema",
}
RETURN_INPUT = [{"return": {"$": "input"}}]


class Builder:
    """Builds one workflow and, as they are used, its steps and nested workflows."""

    def __init__(self, definition: dict[str, Any], log: CaseLog, outer: "Builder | None" = None) -> None:
        self.definition = definition
        self.id: str = definition.get("id", "main")
        self.log = log
        self.outer = outer
        self.bodies: dict[str, Any] = {}
        self.nested: list[Builder] = []
        self.workflow = self.build()

    def build(self) -> Any:
        workflow = create_workflow(
            id=self.id,
            retry_config=RetryConfig(**self.definition["retry"]) if "retry" in self.definition else None,
            options=self.options(),
            **schemas(self.definition),
        )
        for entry in self.definition["graph"]:
            workflow = self.add(workflow, entry)
        return workflow if self.definition.get("uncommitted") else workflow.commit()

    def options(self) -> WorkflowOptions:
        given = self.definition.get("options", {})
        callbacks: dict[str, Any] = {
            CALLBACKS[name]: self.callback(name, given[name]) for name in CALLBACKS if name in given
        }
        return WorkflowOptions(validate_inputs=given.get("validateInputs", True), **callbacks)

    def callback(self, name: str, behaviour: dict[str, Any]) -> Callable[[CallbackInfo], None]:
        def callback(info: CallbackInfo) -> None:
            self.log.add("callbacks", callback_record(name, info))
            if "throw" in behaviour:
                raise Error(behaviour["throw"])

        return callback

    def body(self, name: str) -> Any:
        """The step or nested workflow of that name, own or of an enclosing definition."""
        if name not in self.bodies:
            self.bodies[name] = self.make_body(name)
        return self.bodies[name]

    def make_body(self, name: str) -> Any:
        step = self.definition.get("steps", {}).get(name)
        if step is not None:
            return self.step(name, step)
        nested = self.definition.get("workflows", {}).get(name)
        if nested is not None:
            self.nested.append(Builder({"id": name, **nested}, self.log, self))
            return self.nested[-1].workflow
        if self.outer is None:
            raise LookupError(f"the definition has no step or workflow {name!r}")
        return self.outer.body(name)

    def step(self, name: str, step: dict[str, Any]) -> Any:
        if "cloneOf" in step:
            original = self.body(step["cloneOf"])
            is_workflow = any(original is each.workflow for each in self.nested)
            return (clone_workflow if is_workflow else clone_step)(original, id=name)
        more = {key: step[key] for key in ("description", "metadata", "retries") if key in step}
        return create_step(
            id=name, execute=step_body(name, step.get("do", RETURN_INPUT), self.log), **more, **schemas(step)
        )

    def add(self, workflow: Any, entry: Any) -> Any:
        if isinstance(entry, str):
            return workflow.then(self.body(entry))
        [kind] = entry.keys() & ADD.keys()
        display = {key: entry[key] for key in ("id", "description", "metadata") if key in entry}
        return ADD[kind](self, workflow, entry, display)

    def all_workflows(self) -> list[Any]:
        return [self.workflow, *(workflow for nested in self.nested for workflow in nested.all_workflows())]

    def generated_ids(self) -> dict[str, str]:
        """The ids that we made up for sleeps, and how the records write them."""
        found: dict[str, str] = {}
        counts = {"sleep": 0, "sleepUntil": 0}
        for entry, serialized in zip(self.definition["graph"], self.workflow.serialized_step_graph, strict=True):
            kind = serialized["type"]
            if kind in counts:
                counts[kind] += 1
                if "id" not in entry:
                    found[serialized["id"]] = f"<{self.id}/{kind}#{counts[kind]}>"
        for nested in self.nested:
            found |= nested.generated_ids()
        return found


def schemas(given: dict[str, Any]) -> dict[str, Any]:
    return {parameter: schema_type(given[name]) for name, parameter in SCHEMAS.items() if name in given}


def condition(given: Any) -> Any:
    return given if isinstance(given, dict) and "predicate" in given else condition_of(given)


def add_parallel(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    return workflow.parallel([builder.body(name) for name in entry["parallel"]], **display)


def add_branch(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    branches = [(condition(given), builder.body(name)) for given, name in entry["branch"]]
    return workflow.branch(branches, **display)


def add_dowhile(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    name, given = entry["dowhile"]
    return workflow.dowhile(builder.body(name), condition(given), **display)


def add_dountil(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    name, given = entry["dountil"]
    return workflow.dountil(builder.body(name), condition(given), **display)


def add_foreach(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    concurrency = entry.get("concurrency", 1)
    if isinstance(concurrency, dict):
        concurrency = function_of(concurrency)
    return workflow.foreach(builder.body(entry["foreach"]), concurrency=concurrency, **display)


def add_sleep(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    duration = entry["sleep"]
    return workflow.sleep(function_of(duration) if isinstance(duration, dict) else duration, **display)


def add_sleep_until(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    given = entry["sleepUntil"]
    if "in" in given:
        return workflow.sleep_until(from_now(given["in"]), **display)
    delay = function_of(given["fn"])

    def date(ctx: FunctionContext) -> datetime | None:
        delay_ms = delay(ctx)
        return None if delay_ms is None else from_now(delay_ms)

    return workflow.sleep_until(date, **display)


def from_now(delay_ms: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(milliseconds=delay_ms)


def add_map(builder: Builder, workflow: Any, entry: dict[str, Any], display: dict[str, Any]) -> Any:
    given = entry["map"]
    if "fn" in given:
        return workflow.map(function_of(given["fn"]), **display)
    return workflow.map({key: map_source(builder, source) for key, source in given["obj"].items()}, **display)


def map_source(builder: Builder, source: dict[str, Any]) -> dict[str, Any]:
    if "fn" in source:
        return {"fn": function_of(source["fn"])}
    if "init" in source:
        return {"init_data": True, "path": source["init"]}
    if "rc" in source:
        return {"request_context_path": source["rc"]}
    if "step" in source:
        steps = source["step"]
        found = [builder.body(name) for name in steps] if isinstance(steps, list) else builder.body(steps)
        return {"step": found, "path": source["path"]}
    return source


ADD: dict[str, Callable[[Builder, Any, dict[str, Any], dict[str, Any]], Any]] = {
    "parallel": add_parallel,
    "branch": add_branch,
    "dowhile": add_dowhile,
    "dountil": add_dountil,
    "foreach": add_foreach,
    "sleep": add_sleep,
    "sleepUntil": add_sleep_until,
    "map": add_map,
}
