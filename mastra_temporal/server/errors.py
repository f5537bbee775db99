"""Conversion of exceptions to HTTP errors: a status and Mastra's body ``{"error": ..., "issues": [...]}``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal import (
    ConfigurationError,
    MastraError,
    PayloadTooLargeError,
    ResumeAlreadyClaimedError,
    RunAlreadyStartedError,
    RunNotActiveError,
    RunNotFoundError,
    RunNotSuspendedError,
    ScheduleError,
    SchemaValidationError,
    ServerUnreachableError,
    TimeTravelConflictError,
    WorkflowNotFoundError,
)

__all__ = ["HttpError", "explain", "invalid"]

_logger = logging.getLogger("mastra_temporal.server")

STATUSES: dict[type[Exception], int] = {
    WorkflowNotFoundError: 404,
    RunNotFoundError: 404,
    ResumeAlreadyClaimedError: 409,
    RunNotSuspendedError: 409,
    RunNotActiveError: 409,
    TimeTravelConflictError: 409,
    RunAlreadyStartedError: 409,
    ScheduleError: 409,
    PayloadTooLargeError: 413,
    ServerUnreachableError: 503,
    ConfigurationError: 503,
    MastraError: 400,
}
"""The HTTP status by type of exception. The first type that matches is used, so subclasses come first."""
MASTRAS_WORDS: dict[type[Exception], str] = {
    WorkflowNotFoundError: "Workflow not found",
    RunNotFoundError: "Workflow run not found",
}
RPC_STATUSES = {
    RPCStatusCode.UNAVAILABLE: 503,
    RPCStatusCode.DEADLINE_EXCEEDED: 503,
    RPCStatusCode.RESOURCE_EXHAUSTED: 503,
    RPCStatusCode.CANCELLED: 503,
    RPCStatusCode.INVALID_ARGUMENT: 400,
    RPCStatusCode.NOT_FOUND: 404,
    RPCStatusCode.PERMISSION_DENIED: 403,
}
RPC_WORDS = {
    503: "The Temporal server does not answer.",
    404: "Workflow run not found",
    403: "The Temporal server denies access.",
}


class HttpError(Exception):
    """An error that the server answers with its own status."""

    def __init__(self, status: int, message: str, issues: list[dict[str, str]] | None = None) -> None:
        """Create the error.

        Args:
            status: The HTTP status.
            message: The message for the client.
            issues: One ``{"field": ..., "message": ...}`` for each issue.
        """
        super().__init__(message)
        self.status = status
        self.issues = issues


def explain(error: Exception) -> HttpError:
    """Return the HTTP error for an exception. An unexpected exception is logged and answered with 500 only."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, SchemaValidationError):
        return HttpError(400, str(error), _issues_of(error.issues))
    if isinstance(error, MastraError):
        kind = next(kind for kind in STATUSES if isinstance(error, kind))
        return HttpError(STATUSES[kind], MASTRAS_WORDS.get(kind, str(error)))
    if isinstance(error, RPCError) and error.status in RPC_STATUSES:
        status = RPC_STATUSES[error.status]
        return HttpError(status, RPC_WORDS.get(status, error.message))
    _logger.error("A request failed", exc_info=error)
    return HttpError(500, "Internal Server Error")


def invalid(what: str, error: ValidationError) -> HttpError:
    """Return the HTTP error for a request that does not match its model."""
    issues = [{"path": detail["loc"], "message": detail["msg"]} for detail in error.errors(include_url=False)]
    return HttpError(400, f"Invalid {what}", _issues_of(issues))


def _issues_of(issues: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {"field": ".".join(str(part) for part in issue["path"]) or "root", "message": str(issue["message"])}
        for issue in issues
    ]
