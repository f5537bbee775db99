"""The public surface: complete, documented, and light to import where a definition is all that is needed."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import get_type_hints

import pytest

import mastra_temporal
from mastra_temporal import _definition as definition
from mastra_temporal import errors

PUBLIC = [getattr(mastra_temporal, name) for name in mastra_temporal.__all__]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(mastra_temporal.__path__, "mastra_temporal.")
    if not module.name.endswith("__main__")
]


def test_all_is_sorted_and_complete():
    imported = {
        name
        for name, value in vars(mastra_temporal).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert mastra_temporal.__all__ == sorted(imported)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_names_what_it_exports(name: str):
    module = importlib.import_module(name)
    assert module.__doc__, "a module says what it is for"
    assert all(hasattr(module, item) for item in getattr(module, "__all__", []))


@pytest.mark.parametrize("public", PUBLIC, ids=mastra_temporal.__all__)
def test_everything_public_has_a_docstring(public: object):
    assert inspect.getdoc(public)
    for name, member in vars(public).items() if inspect.isclass(public) else ():
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isfunction(function):
            assert function.__doc__, f"{public}.{name}"


def test_the_first_docstring_is_a_program_that_works():
    """The smallest program is what people copy first."""
    assert mastra_temporal.__doc__
    program = inspect.cleandoc(mastra_temporal.__doc__.split("::\n", 1)[1].split("\nwith a worker")[0])
    namespace = {"__name__": "greeting"}
    exec(compile(program, "greeting.py", "exec"), namespace)
    assert isinstance(namespace["mastra"], mastra_temporal.Mastra)
    assert inspect.iscoroutinefunction(namespace["main"])


def test_definitions_need_neither_a_client_nor_telemetry():
    """In a process of their own, without the package's other rooms, which the package's own import brings along."""
    modules = [name for name in MODULES if name.startswith(f"{definition.__name__}.")]
    program = f"""
import sys, types
package = types.ModuleType("mastra_temporal")
package.__path__ = {list(mastra_temporal.__path__)!r}
sys.modules["mastra_temporal"] = package
for name in {modules!r}:
    __import__(name)
print(*(name for name in sys.modules if name.startswith(("temporalio.client", "temporalio.worker", "opentelemetry"))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_the_package_works_without_telemetry_and_the_command_line():
    program = (
        "import sys\n"
        "for name in ('opentelemetry', 'typer', 'rich', 'pytest'): sys.modules[name] = None\n"
        "import mastra_temporal, mastra_temporal.devserver\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


class TestErrors:
    def test_every_error_is_a_mastra_error_and_public(self):
        for name in errors.__all__:
            assert issubclass(getattr(errors, name), mastra_temporal.MastraError)
            assert getattr(mastra_temporal, name) is getattr(errors, name)

    def test_the_tree_in_the_docstring_is_the_tree(self):
        assert errors.__doc__
        drawn: dict[str, str] = {}
        parents = ["MastraError"]
        for line in errors.__doc__.split("::\n\n", 1)[1].splitlines():
            branch, _, rest = line.partition("── ")
            if rest:
                depth = len(branch) // 4
                drawn[rest.split()[0]] = parents[depth - 1]
                parents[depth:] = [rest.split()[0]]
        actual = {name: getattr(errors, name).__base__.__name__ for name in errors.__all__ if name != "MastraError"}
        assert drawn == actual

    def test_a_client_side_mistake_is_caught_in_one_place(self):
        for error in (errors.RunNotFoundError, errors.RunNotActiveError, errors.RunAlreadyStartedError):
            assert issubclass(error, errors.RunError)


def test_public_objects_say_that_they_are_of_the_package():
    foreign = ("builtins", "typing", "types")  # values and aliases, which have no module of their own
    modules = {
        name: getattr(getattr(mastra_temporal, name), "__module__", "builtins") for name in mastra_temporal.__all__
    }
    assert {name: module for name, module in modules.items() if module not in ("mastra_temporal", *foreign)} == {}
    assert repr(mastra_temporal.Run) == "<class 'mastra_temporal.Run'>"
    for name in mastra_temporal.__all__:
        if isinstance(value := getattr(mastra_temporal, name), type):
            get_type_hints(value)  # the names in its annotations are still found
