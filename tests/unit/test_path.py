import pytest

from mastra_temporal._data.path import MISSING, child, resolve_path
from mastra_temporal.errors import MappingError

VALUE = {"x": {"y": 4}, "items": [{"sku": "a"}, {"sku": "b"}], "nothing": None, "": 1}


@pytest.mark.parametrize("path", ["", "."])
def test_an_empty_path_is_the_whole_value(path: str) -> None:
    assert resolve_path(VALUE, path, source="step a") is VALUE
    assert resolve_path(None, path, source="step a") is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("x.y", 4),
        ("items.1.sku", "b"),
        ("items.length", 2),
        ("x.missing", None),
        ("items.2", None),
        ("items.01", None),
        ("items.-1", None),
        ("items.sku", None),
        ("nothing", None),
    ],
)
def test_a_path_walks_objects_and_arrays(path: str, found: object) -> None:
    assert resolve_path(VALUE, path, source="step a") == found


@pytest.mark.parametrize("path", ["x.y.z", "nothing.z", "missing.z", "items.2.sku"])
def test_a_path_that_goes_on_without_an_object_is_refused(path: str) -> None:
    with pytest.raises(MappingError) as caught:
        resolve_path(VALUE, path, source="step a")
    assert str(caught.value) == f"Invalid path {path} in step a"


def test_a_step_without_output_has_no_paths() -> None:
    with pytest.raises(MappingError, match="Invalid path x in initData"):
        resolve_path(None, "x", source="initData")


def test_a_child_that_is_none_is_not_missing() -> None:
    assert child(VALUE, "nothing") is None
    assert child(VALUE, "missing") is MISSING
    assert child("text", "length") is MISSING
