"""What a failed call to the Temporal server means, in words that name the run and say what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal.errors import ConfigurationError, MastraError, PayloadTooLargeError, ServerUnreachableError

__all__ = ["explained", "missing_namespace", "unreachable"]


class _OfARun(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def client(self) -> Client: ...


P = ParamSpec("P")
T = TypeVar("T")
RunT = TypeVar("RunT", bound=_OfARun)
RunMethod = Callable[Concatenate[RunT, P], Coroutine[Any, Any, T]]


def explained(method: RunMethod[RunT, P, T]) -> RunMethod[RunT, P, T]:
    """Let a method of a run raise this package's errors where the server's words would leave its caller alone."""

    @functools.wraps(method)
    async def wrapper(run: RunT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(run, *args, **kwargs)
        except RPCError as error:
            explanation = _explanation(error, run.client, run.label)
            if explanation is None:
                raise
            raise explanation from error

    return wrapper


def unreachable(address: str) -> ServerUnreachableError:
    """No server answers at that address."""
    return ServerUnreachableError(
        f"No Temporal server answers at {address}. Start one with `mastra-temporal dev`, "
        "or set TEMPORAL_ADDRESS to the address of yours."
    )


def missing_namespace(namespace: str) -> ConfigurationError:
    """The server has no such namespace."""
    return ConfigurationError(
        f"The Temporal server has no namespace `{namespace}`: "
        f"create it (`temporal operator namespace create {namespace}`) or name another one."
    )


def _explanation(error: RPCError, client: Client, label: str) -> MastraError | None:
    if error.status == RPCStatusCode.UNAVAILABLE:
        return unreachable(client.service_client.config.target_host)
    if error.status == RPCStatusCode.NOT_FOUND and error.message.startswith("Namespace "):
        return missing_namespace(client.namespace)
    if "size exceeds limit" in error.message or "message larger than max" in error.message:
        return PayloadTooLargeError(
            f"{label}: the data is larger than the server takes ({error.message}). "
            "Pass a reference (a file, a key of a store) instead of the data."
        )
    return None
