"""What Studio and the client ask for beside workflows: agents, tools and the like, of which there are none here."""

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
"""What a Mastra server without any of these answers."""


def _answering(answer: Any) -> Handler:
    async def handler(call: Call) -> Any:
        return answer

    return handler


EMPTY: list[Route] = [
    Route("GET", path, _answering(answer), "Nothing of this kind is here", "Empty", Any)
    for path, answer in EMPTY_ANSWERS.items()
]
