"""Mastra's HTTP API inside a FastAPI application that has its own authentication.

::

    mastra-temporal dev --app examples.orders:mastra
    uvicorn examples.fastapi_app:app --port 8000

Create the client of ``@mastra/client-js`` with ``new MastraClient({ baseUrl: "http://localhost:8000/mastra", headers: {
Authorization: "Bearer ada-token" } })``. It sees only the runs that Ada started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request

from examples.orders import mastra
from mastra_temporal.server import create_app

USERS = {"ada-token": {"id": "ada", "team": "sales"}, "bob-token": {"id": "bob", "team": "stock"}}
"""The users by token. A real application would use sessions or signed tokens."""


async def user_of(request: Request) -> Mapping[str, Any] | None:
    """Return the user of a request, or None if the token is unknown."""
    return USERS.get(request.headers.get("authorization", "").removeprefix("Bearer "))


app = FastAPI(title="Shop")
app.mount("/mastra", create_app(mastra, authenticate=user_of, map_user_to_resource_id=lambda user: user["id"]))


@app.get("/")
async def home() -> dict[str, str]:
    """Answer a route of the application itself."""
    return {"workflows": "/mastra/api/workflows"}
