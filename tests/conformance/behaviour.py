"""STEP and OPs: the body of a step as the corpus describes it, and the conditions and functions around it."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from mastra_temporal import FunctionContext, NonRetryableError, StepContext
from tests.conformance.case_log import CaseLog
from tests.conformance.expressions import Error, Scope, holds, references, text, truthy, value_of

POLL = 0.003


class Returned(NamedTuple):
    value: Any


class Frame(NamedTuple):
    """One execution of a step."""

    ctx: StepContext
    log: CaseLog
    n: int

    async def value(self, expression: Any) -> Any:
        return value_of(expression, await step_scope(self.ctx, self.n, expression))


def step_body(step_id: str, ops: list[dict[str, Any]], log: CaseLog) -> Callable[[StepContext], Awaitable[Any]]:
    async def execute(ctx: StepContext) -> Any:
        log.add("calls", f"{ctx.workflow_id}.{step_id}")
        n = sum(call.rpartition(".")[2] == step_id for call in log.calls())
        await asyncio.sleep(0.004)
        returned = await perform(ops, Frame(ctx, log, n))
        return returned.value if returned else None

    return execute


def function_of(expression: Any) -> Callable[[FunctionContext], Any]:
    def function(ctx: FunctionContext) -> Any:
        return value_of(expression, function_scope(ctx, expression))

    return function


def condition_of(expression: Any) -> Callable[[FunctionContext], bool]:
    def condition(ctx: FunctionContext) -> bool:
        return holds(expression, function_scope(ctx, expression))

    return condition


def common_scope(ctx: StepContext | FunctionContext) -> dict[str, Any]:
    run = {"id": ctx.run_id, "workflowId": ctx.workflow_id, "resourceId": ctx.resource_id}
    return {
        "input": ctx.input_data,
        "state": ctx.state,
        "rc": dict(ctx.request_context),
        "retry": ctx.retry_count,
        "run": {key: value for key, value in run.items() if value is not None},
    }


def function_scope(ctx: FunctionContext, expression: Any) -> Scope:
    steps = {step: ctx.get_step_result(step) for step in steps_in(expression)}
    return {**common_scope(ctx), "init": ctx.get_init_data(), "iter": ctx.iteration_count, "steps": steps}


async def step_scope(ctx: StepContext, n: int, expression: Any) -> Scope:
    """The roots of an expression in a step; what needs a question to the workflow is only asked where used."""
    scope = common_scope(ctx)
    scope |= {"resume": ctx.resume_data, "suspend": ctx.suspend_data, "n": n, "aborted": ctx.abort_signal.aborted}
    scope["steps"] = {step: await ctx.get_step_result(step) for step in steps_in(expression)}
    if any(path[0] == "init" for path in references(expression)):
        scope["init"] = await ctx.get_init_data()
    return scope


def steps_in(expression: Any) -> set[str]:
    return {path[1] for path in references(expression) if path[0] == "steps"}


async def perform(ops: list[dict[str, Any]], frame: Frame) -> Returned | None:
    for op in ops:
        [name] = op.keys() & OPS.keys()
        returned = await OPS[name](op, frame)
        if returned:
            return returned
    return None


async def do_return(op: dict[str, Any], frame: Frame) -> Returned:
    return Returned(await frame.value(op["return"]))


async def do_fail(op: dict[str, Any], frame: Frame) -> None:
    value = await frame.value(op["fail"])
    if op.get("throwValue"):
        raise thrown_value(value)
    if op.get("nonRetryable"):
        raise NonRetryableError(text(value))
    error = type(op.get("name", "Error"), (Error,), {})(text(value))
    for name, extra in op.get("extra", {}).items():
        setattr(error, name, extra)
    raise error from Error(op["cause"]) if "cause" in op else None


def thrown_value(value: Any) -> Error:
    """Python throws nothing but exceptions: the nearest one."""
    return Error(value) if value != "" and isinstance(value, (str, dict)) else Error()


async def do_if(op: dict[str, Any], frame: Frame) -> Returned | None:
    return await perform(op.get("then" if truthy(await frame.value(op["if"])) else "else", []), frame)


async def do_suspend(op: dict[str, Any], frame: Frame) -> Returned | None:
    label = await frame.value(op.get("label"))
    outcome = await frame.ctx.suspend(await frame.value(op["suspend"]), resume_label=label)
    return None if op.get("continue") else Returned(outcome)


async def do_bail(op: dict[str, Any], frame: Frame) -> Returned:
    return Returned(frame.ctx.bail(await frame.value(op["bail"])))


async def do_set_state(op: dict[str, Any], frame: Frame) -> None:
    frame.ctx.set_state(await frame.value(op["setState"]))


async def do_set_request_context(op: dict[str, Any], frame: Frame) -> None:
    key, value = op["setRC"]
    frame.ctx.request_context[key] = await frame.value(value)


async def do_sleep(op: dict[str, Any], frame: Frame) -> None:
    deadline = time.monotonic() + await frame.value(op["sleep"]) / 1000
    await wait_until(lambda: time.monotonic() >= deadline, op, frame)


async def do_gate(op: dict[str, Any], frame: Frame) -> None:
    await wait_until(lambda: frame.log.gate_is_open(op["gate"]), op, frame)


async def wait_until(done: Callable[[], bool], op: dict[str, Any], frame: Frame) -> None:
    while not done() and not (op.get("abortable") and frame.ctx.abort_signal.aborted):
        await asyncio.sleep(POLL)


async def do_write(op: dict[str, Any], frame: Frame) -> None:
    await frame.ctx.writer.write(await frame.value(op["write"]))


async def do_custom(op: dict[str, Any], frame: Frame) -> None:
    await frame.ctx.writer.custom(await frame.value(op["custom"]))


async def do_abort(op: dict[str, Any], frame: Frame) -> None:
    frame.ctx.abort()


async def do_note(op: dict[str, Any], frame: Frame) -> None:
    frame.log.add("notes", await frame.value(op["note"]))


async def do_crash(op: dict[str, Any], frame: Frame) -> None:
    if multiprocessing.parent_process() is None:
        raise Error("crash outside of a crash action")
    os.kill(os.getpid(), signal.SIGKILL)


OPS: dict[str, Callable[[dict[str, Any], Frame], Awaitable[Returned | None]]] = {
    "return": do_return,
    "fail": do_fail,
    "if": do_if,
    "suspend": do_suspend,
    "bail": do_bail,
    "setState": do_set_state,
    "setRC": do_set_request_context,
    "sleep": do_sleep,
    "gate": do_gate,
    "write": do_write,
    "custom": do_custom,
    "abort": do_abort,
    "note": do_note,
    "crash": do_crash,
}
