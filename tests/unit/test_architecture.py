"""The direction of dependencies: a room imports only from rooms below it, and no imports form a circle."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

PACKAGE = "mastra_temporal"

ROOMS = (
    "errors",
    "_compat",
    "_data",
    "_protocol",
    "_tracing",
    "_context",
    "context",
    "_definition",
    "_worker.function_data",
    "_worker.workflow",
    "_worker.activities",
    "_client",
    "workflow",
    "create",
    "shutdown_grace",
    "plugin",
    "connecting",
    "mastra",
    "replaying",
    "worker",
    "devserver",
    "testing",
    "server",
    "cli",
)
"""From the bottom to the top."""


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each module imports, type-only imports included."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def room_of(module: str) -> int:
    name = module.removeprefix(f"{PACKAGE}.")
    found = [index for index, room in enumerate(ROOMS) if name == room or name.startswith(f"{room}.")]
    assert found, f"{module} is in no room: give it a place in ROOMS"
    return found[0]


def test_no_room_imports_from_a_room_above_it(imports: dict[str, set[str]]):
    upwards = [
        f"{module} -> {imported}"
        for module, targets in imports.items()
        for imported in targets
        if module != PACKAGE and imported != PACKAGE and room_of(imported) > room_of(module)
    ]
    assert upwards == []


def test_no_module_imports_from_the_package_itself(imports: dict[str, set[str]]):
    """The package's own module imports everything, so that importing from it would be a circle.

    The server is not among what it imports: it uses the public API as users do.
    """
    importers = [module for module, targets in imports.items() if PACKAGE in targets]
    assert [module for module in importers if not module.startswith(f"{PACKAGE}.server")] == []


def test_imports_form_no_circle(imports: dict[str, set[str]]):
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail(f"imports form a circle: {' -> '.join(error.args[1])}")


def test_workflow_code_and_activity_code_do_not_import_each_other(imports: dict[str, set[str]]):
    """The one must be deterministic, the other does I/O: they speak through `_protocol` alone."""
    workflow, activities = f"{PACKAGE}._worker.workflow", f"{PACKAGE}._worker.activities"
    across = [
        f"{module} -> {imported}"
        for module, targets in imports.items()
        for imported in targets
        if (module.startswith(workflow) and imported.startswith(activities))
        or (module.startswith(activities) and imported.startswith(workflow))
    ]
    assert across == []
