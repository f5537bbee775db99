"""Translate failed calls to the Temporal server into errors that name the run and say what to do."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._protocol.limits import REMEDY
from mastra_temporal.errors import (
    ConfigurationError,
    DataConversionError,
    MastraError,
    PayloadTooLargeError,
    ServerUnreachableError,
)

__all__ = ["explain", "missing_namespace", "translate_rpc_errors", "unconvertible", "unreachable"]

HEALTH_TIMEOUT = timedelta(seconds=2)
"""Timeout of the health check that tells an unreachable server from one that rejects a call."""


class _OfARun(Protocol):
    """An object with a label for error messages and a client."""

    @property
    def label(self) -> str: ...
    @property
    def client(self) -> Client: ...


P = ParamSpec("P")
T = TypeVar("T")
RunT = TypeVar("RunT", bound=_OfARun)
RunMethod = Callable[Concatenate[RunT, P], Coroutine[Any, Any, T]]


def translate_rpc_errors(method: RunMethod[RunT, P, T]) -> RunMethod[RunT, P, T]:
    """Decorate a method so that it raises this package's errors instead of errors of the SDK.

    Args:
        method: A coroutine method of an object with ``label`` and ``client``.
    """

    @functools.wraps(method)
    async def wrapper(run: RunT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(run, *args, **kwargs)
        except Exception as error:
            explanation = await explain(error, lambda: run.client, run.label)
            if explanation is error:
                raise
            raise explanation from error

    return wrapper


async def explain(error: Exception, client: Callable[[], Client], label: str) -> Exception:
    """Return the error to raise for a failed call, or the error itself if there is nothing to add.

    Args:
        error: The error.
        client: Returns the client that made the call. Without one no call was made, and it is not asked for.
        label: Description of the run for the message.
    """
    if isinstance(error, MastraError):
        return error
    if isinstance(error, RPCError):
        return await _explain_rpc(error, client(), label)
    if _is_of_the_converter(error):
        return unconvertible(label, f"{type(error).__name__}: {error}")
    return error


def unreachable(address: str) -> ServerUnreachableError:
    """Return the error for a server that does not answer."""
    return ServerUnreachableError(
        f"No Temporal server answers at {address}. Start one with `mastra-temporal dev`, "
        "or set TEMPORAL_ADDRESS to the address of yours."
    )


def missing_namespace(namespace: str) -> ConfigurationError:
    """Return the error for a namespace that does not exist."""
    return ConfigurationError(
        f"The Temporal server has no namespace `{namespace}`: "
        f"create it (`temporal operator namespace create {namespace}`) or name another one."
    )


def unconvertible(label: str, why: str) -> DataConversionError:
    """Return the error for a failure of the client's data converter or codec."""
    return DataConversionError(
        f"{label}: this client cannot write or read the data ({why}). Its data converter, payload codec and "
        "external storage must be those of the workers, with the same keys, and must be working."
    )


def _is_of_the_converter(error: Exception) -> bool:
    """Return whether the client's data converter or its codec, which are user code, raised the error."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(frame.f_globals.get("__name__")).startswith("temporalio.converter") for frame in frames)


async def _explain_rpc(error: RPCError, client: Client, label: str) -> Exception:
    """Return the error to raise for an error of the server."""
    if error.status == RPCStatusCode.UNAVAILABLE and not await _answers(client):
        return unreachable(client.service_client.config.target_host)
    if error.status == RPCStatusCode.NOT_FOUND and error.message.startswith("Namespace "):
        return missing_namespace(client.namespace)
    if any(words in error.message for words in ("size exceeds limit", "larger than max")):
        return PayloadTooLargeError(f"{label}: the data is larger than the server takes ({error.message}). {REMEDY}")
    return error


async def _answers(client: Client) -> bool:
    """Return whether the server answers. A server that does may still reject a call as UNAVAILABLE."""
    try:
        return await client.service_client.check_health(timeout=HEALTH_TIMEOUT)
    except RPCError:
        return False
