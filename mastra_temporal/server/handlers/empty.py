"""Empty answers for agents, tools and other things that Studio asks for and this package does not have."""

from __future__ import annotations

from typing import Any

from mastra_temporal.server.route import Call, Handler, Route

__all__ = ["EMPTY"]

EMPTY_ANSWERS: dict[str, Any] = {
    "/agents": {},
    "/auth/capabilities": {"enabled": False, "login": None},
    "/editor/builder/settings": {"enabled": False, "modelPolicy": {"active": False}},
    "/experiments/review-summary": {"counts": []},
    "/mcp/v0/servers": {"servers": [], "total_count": 0, "next": None},
    "/observability/feedback": {
        "pagination": {"total": 0, "page": 0, "perPage": 10, "hasMore": False},
        "feedback": [],
    },
    "/processors": {},
    "/scores/scorers": {},
    "/system/packages": {
        "packages": [],
        "isDev": False,
        "cmsEnabled": False,
        "liveKitConnectionRouteEnabled": False,
        "observabilityEnabled": False,
    },
    "/tools": {},
    "/workspaces": {"workspaces": []},
}
"""The answers of a Mastra server that has none of these, by path."""


def _answering(answer: Any) -> Handler:
    async def handler(call: Call) -> Any:
        return answer

    return handler


EMPTY: list[Route] = [
    Route("GET", path, _answering(answer), "Nothing of this kind is here", "Empty", Any)
    for path, answer in EMPTY_ANSWERS.items()
]
