"""The base class of all data that is written to a history."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from pydantic.alias_generators import to_camel

__all__ = ["CamelModel", "LeanModel"]


class CamelModel(BaseModel):
    """A model with snake_case names in Python and Mastra's camelCase keys on the wire.

    Unknown keys are ignored, so new versions may add keys. None is left out, so histories stay small.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    @model_serializer(mode="wrap")
    def _leave_out_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


class LeanModel(CamelModel):
    """A `CamelModel` whose defaults are not written either. Readers fill them in."""

    @model_serializer(mode="wrap")
    def _leave_out_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields.items()
        defaults = {field.alias or name for name, field in fields if getattr(self, name) == field.default}
        return {key: value for key, value in handler(self).items() if value is not None and key not in defaults}
