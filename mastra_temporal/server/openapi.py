"""`openapi_document`: builds the OpenAPI document from the table of routes and its models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter

from mastra_temporal.server.answers import ErrorBody
from mastra_temporal.server.route import Route

__all__ = ["openapi_document"]

REFERENCES = "#/components/schemas/{model}"
REFUSALS = {
    "400": "The request is not as its schema says, or the workflow does not take its data.",
    "401": "The authentication hook does not know the caller.",
    "403": "It belongs to somebody else, or the browser's page may not call.",
    "404": "There is no such workflow, run or schedule.",
    "409": "The run or schedule is not in a state that allows it.",
    "413": "The body is too large.",
    "429": "Too many streams are open.",
    "503": "No Temporal server answers.",
}


def openapi_document(routes: Sequence[Route], prefix: str) -> dict[str, Any]:
    """Return the OpenAPI document of the routes."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mastra workflows", "version": "1", "description": "Mastra's API for workflows on Temporal."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__name__}" if route.tag != "Empty" else f"empty{route.path.replace('/', '_')}",
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query, schemas)],
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        schema = _schema(route.body, "validation", schemas)
        required = bool(route.body.model_json_schema().get("required"))
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return operation


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    answer = _schema(route.response, "serialization", schemas)
    if route.is_stream:
        content: dict[str, Any] = {"text/plain": {"schema": {"type": "string", "x-records": answer}}}
        done = {"description": "Events as JSON, each followed by U+001E.", "content": content}
    else:
        done = {"description": "Done.", "content": {"application/json": {"schema": answer}}}
    refused = {"application/json": {"schema": _schema(ErrorBody, "serialization", schemas)}}
    return {
        "200": done,
        **{status: {"description": text, "content": refused} for status, text in REFUSALS.items()},
    }


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(query: type[BaseModel], schemas: dict[str, Any]) -> Iterable[dict[str, Any]]:
    schema = query.model_json_schema(ref_template=REFERENCES)
    schemas.update(schema.pop("$defs", {}))
    for name, field in schema.get("properties", {}).items():
        # A query cannot have null. An optional parameter is left out instead.
        members = [member for member in field.get("anyOf", ()) if member != {"type": "null"}]
        shown = members[0] if len(members) == 1 else {"anyOf": members} if members else field
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": shown}


def _schema(kind: Any, mode: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=REFERENCES)
    schemas.update(schema.pop("$defs", {}))
    if isinstance(kind, type) and issubclass(kind, BaseModel) and "properties" in schema:
        schemas[kind.__name__] = schema
        return {"$ref": REFERENCES.format(model=kind.__name__)}
    return schema
