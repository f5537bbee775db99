"""`load_app`: imports the ``Mastra`` object of ``--app module:attribute``."""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
import traceback
from types import ModuleType

from mastra_temporal.errors import ConfigurationError
from mastra_temporal.mastra import Mastra

__all__ = ["load_app"]

_PACKAGE = os.path.dirname(os.path.dirname(__file__))


def load_app(app: str) -> Mastra:
    """Import the ``Mastra`` object that an ``--app`` option names.

    Args:
        app: The object as ``module:attribute``. The current folder is added to Python's search path.

    Raises:
        ConfigurationError: The module or the attribute does not exist, the import fails, or the object is not a
            ``Mastra``.
    """
    module_name, _, attribute = app.partition(":")
    if not module_name or not attribute:
        raise ConfigurationError(f"`--app {app}` is not `module:attribute`, for example `examples.orders:mastra`.")
    module = _import(module_name)
    if not hasattr(module, attribute):
        raise ConfigurationError(f"Module `{module_name}` has no `{attribute}`{_hint(module)}")
    mastra = getattr(module, attribute)
    if not isinstance(mastra, Mastra):
        kind = type(mastra).__name__
        raise ConfigurationError(f"`{app}` is not a `Mastra` object but of type `{kind}`{_hint(module)}")
    return mastra


def _import(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"There is no module `{name}`: check the name, and start the command in the folder that holds it."
            ) from error
        raise _failed_import(name, error) from error
    except Exception as error:  # the user's module may raise anything
        raise _failed_import(name, error) from error


def _failed_import(name: str, error: Exception) -> ConfigurationError:
    message = str(error).partition("\n")[0]
    return ConfigurationError(
        f"Module `{name}` cannot be imported: {type(error).__name__}: {message} ({_place(error)})."
    )


def _place(error: Exception) -> str:
    """Return the innermost frame of the user's own code. The innermost frame of all is often in a library."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    foreign = ("<", _PACKAGE, sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"))
    own = [frame for frame in frames if not frame.filename.startswith(foreign)]
    frame = (own or frames)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def _hint(module: ModuleType) -> str:
    found = [name for name, value in vars(module).items() if isinstance(value, Mastra)]
    if found:
        return f"; did you mean `{module.__name__}:{found[0]}`?"
    return ": write `mastra = Mastra(workflows=[...])` there"
