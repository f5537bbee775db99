"""Mastra's HTTP API inside a FastAPI application, with a login of the application's own.

::

    mastra-temporal dev --app examples.orders:mastra
    uvicorn examples.fastapi_app:app --port 8000

``@mastra/client-js`` then calls it with ``new MastraClient({ baseUrl: "http://localhost:8000/mastra", headers: {
Authorization: "Bearer ada-token" } })``, and sees the runs that Ada started, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request

from examples.orders import mastra
from mastra_temporal.server import create_app

USERS = {"ada-token": {"id": "ada", "team": "sales"}, "bob-token": {"id": "bob", "team": "stock"}}
"""In earnest: a session, a signed token, a table."""


async def user_of(request: Request) -> Mapping[str, Any] | None:
    """The user of a request, or None for somebody unknown."""
    return USERS.get(request.headers.get("authorization", "").removeprefix("Bearer "))


app = FastAPI(title="Shop")
app.mount("/mastra", create_app(mastra, authenticate=user_of, map_user_to_resource_id=lambda user: user["id"]))


@app.get("/")
async def home() -> dict[str, str]:
    """A route of the application itself."""
    return {"workflows": "/mastra/api/workflows"}
