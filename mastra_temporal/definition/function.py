"""User functions, however they are written: sync or async, with the input, with a context, with both or neither."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mastra_temporal.context import CallbackInfo, Context
from mastra_temporal.definition.schema import Schema
from mastra_temporal.errors import DefinitionError

__all__ = ["UserFunction", "source_of"]

CONTEXT_NAMES = ("ctx", "context")


@dataclass(frozen=True)
class UserFunction:
    """A function of the user, and which of its parameters takes the input and which the context."""

    call: Callable[..., Any]
    takes_input: bool
    context_name: str | None
    is_async: bool
    input_schema: Schema | None = None
    """From the annotation of the input's parameter."""
    input_type: Any = None
    output_type: Any = None
    source: str = field(default="", repr=False)

    @classmethod
    def of(cls, function: Callable[..., Any], *, owner: str) -> UserFunction:
        """Look at a function once, where it is defined.

        Raises:
            DefinitionError: It is not callable, or takes more than an input and a context.
        """
        if not callable(function):
            raise DefinitionError(f"{owner}: expected a function, got {function!r}.")
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        hints = _hints(function)
        positional = [item for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
        contexts = [item for item in positional if _is_context(item.name, hints.get(item.name))]
        inputs = [item for item in positional if item not in contexts]
        required = [item for item in inputs if item.default is item.empty]
        if len(contexts) > 1 or len(required) > 1:
            names = ", ".join(item.name for item in positional)
            raise DefinitionError(
                f"{owner}: a function takes its input and, in a parameter named `ctx`, a context; "
                f"this one takes ({names})."
            )
        input_type = hints.get(inputs[0].name) if inputs else None
        return cls(
            call=function,
            takes_input=bool(inputs),
            context_name=contexts[0].name if contexts else None,
            is_async=_is_async(function),
            input_schema=Schema.of(input_type, owner=owner),
            input_type=input_type,
            output_type=hints.get("return"),
            source=source_of(function),
        )

    def bind(self, input_data: Any, context: Any) -> functools.partial[Any]:
        """The call with its input and context, ready to be made on the event loop or in a thread."""
        arguments = (input_data,) if self.takes_input else ()
        named = {self.context_name: context} if self.context_name else {}
        return functools.partial(self.call, *arguments, **named)


def source_of(function: Callable[..., Any]) -> str:
    """The function's source for readers of the graph, at most 1000 characters as in Mastra."""
    try:
        source = inspect.getsource(function).strip()
    except (OSError, TypeError):
        source = getattr(function, "__name__", repr(type(function)))
    return source if len(source) <= 1000 else source[:1000] + "...\n}"


def _is_context(name: str, hint: Any) -> bool:
    if isinstance(hint, type):
        return issubclass(hint, (Context, CallbackInfo))
    return name in CONTEXT_NAMES


def _is_async(function: Callable[..., Any]) -> bool:
    unwrapped = inspect.unwrap(function)
    while isinstance(unwrapped, functools.partial):
        unwrapped = unwrapped.func
    return inspect.iscoroutinefunction(unwrapped) or inspect.iscoroutinefunction(
        getattr(unwrapped, "__call__", None)  # noqa: B004 - an object with an async __call__
    )


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
