"""`Named`: values of one kind that are registered with a `Mastra` object, by key and by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal.errors import DefinitionError

__all__ = ["Named"]

T = TypeVar("T")


class Named(Generic[T]):
    """Registered values of one kind, by key and by id. Values that were given as a list have their ids as keys."""

    def __init__(
        self, kind: str, given: Iterable[T] | Mapping[str, T], id_of: Callable[[T], Any], *, error: type[Exception]
    ) -> None:
        """Register values.

        Args:
            kind: The kind of the values for error messages, for example ``Agent``.
            given: The values, as a list or as a mapping with keys.
            id_of: Returns the id of a value, or raises if the value is of another kind. If it returns None, the key is
                used as the id.
            error: The exception to raise when a name is not found.

        Raises:
            DefinitionError: Two values have the same id, or a value of a list has no id.
        """
        self._kind = kind
        self._error = error
        self.by_key: dict[str, T] = {}
        self.by_id: dict[str, T] = {}
        for key, value in _pairs(kind, given):
            name = id_of(value) or key
            if not isinstance(name, str):
                raise DefinitionError(
                    f"{kind} {shown(value)} has no id: register it under a key, Mastra({kind.lower()}s={{...}})."
                )
            if self.by_id.setdefault(name, value) is not value:
                raise DefinitionError(
                    f"Two different {kind.lower()}s have the id `{name}`: give one of them another id."
                )
            self.by_key[name if key is None else key] = value

    def get(self, key: str) -> T:
        """Return the value with this key, or else the value with this id."""
        return self._find(key, (self.by_key, self.by_id), "name")

    def get_by_id(self, id: str) -> T:
        """Return the value with this id, or else the value with this key."""
        return self._find(id, (self.by_id, self.by_key), "id")

    def _find(self, name: str, places: tuple[dict[str, T], dict[str, T]], called: str) -> T:
        for place in places:
            if name in place:
                return place[name]
        known = {**places[0], **places[1]}
        said = f"{self._kind} with {'ID' if self._kind == 'Workflow' else called} {name} not found."
        raise self._error(f"{said}{did_you_mean(name, known)}")


def _pairs(kind: str, given: Any) -> Iterable[tuple[str | None, Any]]:
    if isinstance(given, Mapping):
        return cast("Mapping[str, Any]", given).items()
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        return ((None, value) for value in cast("Iterable[Any]", given))
    name = kind.lower()
    raise DefinitionError(f"Mastra({name}s=...) takes a list or a mapping of {name}s, got {shown(given)}.")
