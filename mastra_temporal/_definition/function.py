"""`UserFunction`: a user's function, sync or async, with the parameters that take the input and the context."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any, Literal, cast

from mastra_temporal._data.schema import Schema
from mastra_temporal._data.shown import shown
from mastra_temporal.context import CallbackInfo, Context
from mastra_temporal.errors import DefinitionError

__all__ = ["UserFunction", "source_of"]

Slot = Literal["input", "context"]
"""The value that a parameter takes."""


@dataclass(frozen=True)
class UserFunction:
    """A user's function, and which of its parameters take the input and the context."""

    call: Callable[..., Any]
    positional: tuple[Slot, ...]
    named: dict[str, Slot]
    is_async: bool
    """Whether it is an ``async def``, also under a decorator."""
    in_thread: bool
    """Whether it is called in a thread, as every ``def`` is, because the call may block."""
    input_schema: Schema | None = None
    """The schema from the annotation of the input's parameter."""
    input_type: Any = None
    output_type: Any = None
    source: str = field(default="", repr=False)

    @classmethod
    def of(cls, function: Callable[..., Any], *, owner: str) -> UserFunction:
        """Inspect a function once, when it is defined.

        Raises:
            DefinitionError: The value is not callable, or it needs more than an input and a context.
        """
        if isinstance(function, (classmethod, staticmethod)):  # happens if @step is above @staticmethod
            function = cast("Callable[..., Any]", function.__func__)
        if not callable(function):
            raise DefinitionError(f"{owner}: expected a function, got {shown(function)}.")
        if _is(inspect.isasyncgenfunction, inspect.unwrap(function)):
            raise DefinitionError(
                f"{owner}: this is an async generator, which has no result. Return a list; to give values while the "
                "step runs, write them to the run's stream: await ctx.writer.write(...)."
            )
        parameters = _parameters(function)
        hints = _hints(function)
        contexts = [item for item in parameters if _is_context(item, hints.get(item.name))]
        inputs = [item for item in parameters if item not in contexts and _may_take_input(item)]
        required = [item for item in parameters if item not in contexts and _is_required(item)]
        if _is_method(parameters) or len(contexts) > 1 or len(required) > 1:
            raise DefinitionError(f"{owner}: {_wrong_parameters(parameters)}")
        chosen = (required or inputs)[:1]
        input_type = hints.get(chosen[0].name) if chosen else None
        positional, named = _slots(parameters, contexts, chosen)
        return cls(
            call=function,
            positional=positional,
            named=named,
            is_async=_is_async(inspect.unwrap(function)),
            in_thread=not _is_async(function),
            input_schema=Schema.of(input_type, owner=owner),
            input_type=input_type,
            output_type=hints.get("return"),
            source=source_of(function),
        )

    def bind(self, input_data: Any, context: Any) -> functools.partial[Any]:
        """Return the function with its arguments bound, to be called on the event loop or in a thread."""
        given: dict[Slot, Any] = {"input": input_data, "context": context}
        arguments = [given[slot] for slot in self.positional]
        return functools.partial(self.call, *arguments, **{name: given[slot] for name, slot in self.named.items()})


def source_of(function: Callable[..., Any]) -> str:
    """Return the function's source for display in the graph, cut after 1000 characters as in Mastra."""
    try:
        source = inspect.getsource(function).strip()
    except (OSError, TypeError):
        source = getattr(function, "__name__", repr(type(function)))
    return source if len(source) <= 1000 else source[:1000] + "...\n}"


def _parameters(function: Callable[..., Any]) -> list[Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [Parameter("input", Parameter.POSITIONAL_ONLY)]  # a builtin such as `bool`


def _is_context(parameter: Parameter, hint: Any) -> bool:
    """Return whether a parameter takes the context, either by its name ``ctx`` or by its annotation."""
    if parameter.name == "ctx":
        return True
    kinds = [typing.get_origin(kind) or kind for kind in (hint, *typing.get_args(hint))]
    if any(inspect.isclass(kind) and issubclass(kind, (Context, CallbackInfo)) for kind in kinds):
        return True
    return parameter.name == "context" and hint in (None, Any, object)


def _may_take_input(parameter: Parameter) -> bool:
    return parameter.kind not in (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)


def _is_required(parameter: Parameter) -> bool:
    is_one_value = parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return is_one_value and parameter.default is Parameter.empty


def _slots(
    parameters: list[Parameter], contexts: list[Parameter], inputs: list[Parameter]
) -> tuple[tuple[Slot, ...], dict[str, Slot]]:
    """Return the arguments to pass by position and by name.

    Arguments are passed by position up to the first parameter that takes neither, and by name after it.
    """
    positional: list[Slot] = []
    named: dict[str, Slot] = {}
    for number, parameter in enumerate(parameters):
        if parameter in contexts or parameter in inputs:
            slot: Slot = "context" if parameter in contexts else "input"
            if number == len(positional) and _may_take_input(parameter):
                positional.append(slot)
            else:
                named[parameter.name] = slot
    return tuple(positional), named


def _is_method(parameters: list[Parameter]) -> bool:
    return bool(parameters) and parameters[0].name in ("self", "cls")


def _wrong_parameters(parameters: list[Parameter]) -> str:
    names = ", ".join(parameter.name for parameter in parameters)
    if _is_method(parameters):
        return (
            f"this one takes ({names}): it is a method, and there is no object to call it on. Decorate a function that "
            "is not in a class, or give the method of an object: create_step(id=..., execute=shop.charge)."
        )
    return (
        f"a function takes its input and, in a parameter named `ctx`, a context; this one takes ({names}). "
        "Give further parameters a default."
    )


def _is_async(function: Callable[..., Any]) -> bool:
    return _is(inspect.iscoroutinefunction, function)


def _is(kind: Callable[[object], bool], function: Callable[..., Any]) -> bool:
    """Return whether a function, or the ``__call__`` of an object, is of a kind."""
    while isinstance(function, functools.partial):
        function = function.func
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target: Any = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"`{getattr(function, '__qualname__', function)}`: the annotation {error.name!r} cannot be resolved. "
            "Define it at module level, or leave the annotation out and pass input_schema= and output_schema=."
        ) from None
    except TypeError:
        return {}
