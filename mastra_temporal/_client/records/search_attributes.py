"""Search attributes for runs in the Temporal UI. They are optional."""

from __future__ import annotations

import json
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._protocol.names import SEARCH_RESOURCE, SEARCH_WORKFLOW
from mastra_temporal._worker.workflow.ui_details import STATUS
from mastra_temporal.errors import ConfigurationError

__all__ = ["KEYS", "at_start", "register", "registered"]

WORKFLOW = SearchAttributeKey.for_keyword(SEARCH_WORKFLOW)
RESOURCE = SearchAttributeKey.for_keyword(SEARCH_RESOURCE)
KEYS = (STATUS, WORKFLOW, RESOURCE)
PATIENCE = timedelta(seconds=2)
"""Timeout of the request for the registered search attributes."""
MAX_VALUE_BYTES = 2048
"""The server's limit for one value in bytes, as JSON with escapes (up to six bytes per character)."""


def at_start(workflow_id: str, resource_id: str | None) -> TypedSearchAttributes:
    """Return the search attributes for the start of a run, without values that are too large for the server."""
    pairs = [
        SearchAttributePair(STATUS, "running"),
        SearchAttributePair(WORKFLOW, workflow_id),
        *([] if resource_id is None else [SearchAttributePair(RESOURCE, resource_id)]),
    ]
    return TypedSearchAttributes([pair for pair in pairs if len(json.dumps(pair.value)) <= MAX_VALUE_BYTES])


async def registered(client: Client) -> bool:
    """Return whether the namespace has all our search attributes. Return False if the server does not tell."""
    try:
        found = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), retry=False, timeout=PATIENCE
        )
    except (RPCError, RuntimeError):  # RuntimeError: a lazy client that fails to connect
        return False
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    return all(found.custom_attributes.get(key.name) == keyword for key in KEYS)


async def register(client: Client) -> None:
    """Register the search attributes that are missing.

    Args:
        client: The client.

    Raises:
        ConfigurationError: The server does not allow it.
    """
    for key in KEYS:
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace,
                    search_attributes={key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD},
                )
            )
        except RPCError as error:
            if error.status != RPCStatusCode.ALREADY_EXISTS:
                raise ConfigurationError(
                    f"The server does not let us register the search attribute `{key.name}` ({error.message}). "
                    "Register it by hand, as a Keyword: with `temporal operator search-attribute create`, or in "
                    "Temporal Cloud with `tcld namespace search-attributes add`. It is not needed to run workflows."
                ) from error
