"""Options of steps and workflows. They are checked where the user passes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, model_validator
from pydantic import ValidationError as PydanticValidationError
from pydantic.alias_generators import to_camel
from typing_extensions import Self

from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal.errors import DefinitionError

__all__ = ["milliseconds", "parse_options"]


def milliseconds(value: int | float | timedelta) -> int:
    """Return a duration in milliseconds. It is given in milliseconds or as a `timedelta`."""
    return round(value.total_seconds() * 1000) if isinstance(value, timedelta) else round(value)


class Options(BaseModel):
    """The base class of all options. Names are snake_case or Mastra's camelCase. An unknown name raises an error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, arbitrary_types_allowed=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_wrong(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Replace pydantic's error by a `DefinitionError` that names the option."""
        try:
            return handler(data)
        except PydanticValidationError as error:
            problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        if not name:
            raise DefinitionError(f"{cls.__name__}: {problem['msg'].splitlines()[0].rstrip('.')}.")
        if problem["type"] == "extra_forbidden":
            hint = did_you_mean(name, cls.model_fields)
            raise DefinitionError(f"Unknown option `{name}` in {cls.__name__}.{hint}")
        field = next((known for known in cls.model_fields if name.startswith((known, to_camel(known)))), name)
        raise DefinitionError(f"Option `{field}` of {cls.__name__}: {problem['msg'].splitlines()[0].rstrip('.')}.")


OptionsT = TypeVar("OptionsT", bound=Options)


def parse_options(kind: type[OptionsT], value: OptionsT | dict[str, Any] | None, *, owner: str) -> OptionsT:
    """Return the options as an instance of their model.

    Args:
        kind: The class of the options.
        value: The options, a dictionary, or None for the defaults.
        owner: Whose options they are, for the message.

    Raises:
        DefinitionError: A name is unknown or a value has the wrong type. The message names both and the remedy.
    """
    if isinstance(value, kind):
        return value
    try:
        return kind.model_validate(value or {})
    except DefinitionError as error:
        raise DefinitionError(f"{owner}: {error}") from None


Duration = Annotated[timedelta, Field(gt=timedelta(0))]
"""A positive duration."""
