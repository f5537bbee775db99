"""Mastra's HTTP API for runs in Temporal, for ``@mastra/client-js``, Studio and other HTTP clients.

::

    from mastra_temporal.server import create_app

    app = create_app(mastra)          # an ASGI application: `uvicorn module:app`, or mounted in FastAPI

It needs the extra ``server``. The command ``mastra-temporal serve --app module:mastra`` runs it on port 4111.
"""

from __future__ import annotations

import importlib.util

from mastra_temporal.errors import ConfigurationError

if not all(importlib.util.find_spec(package) for package in ("starlette", "uvicorn")):
    raise ConfigurationError("The HTTP server needs its packages: run `pip install 'mastra-temporal[server]'`.")

from mastra_temporal.server.app import create_app
from mastra_temporal.server.security import RESERVED_KEYS

__all__ = ["RESERVED_KEYS", "create_app"]
