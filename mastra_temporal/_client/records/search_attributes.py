"""The search attributes by which runs are found in the Temporal UI. Without them everything works as well."""

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
MAX_VALUE_BYTES = 2048
"""The server's limit of one value, in JSON with escapes: up to six bytes for a character."""


def at_start(workflow_id: str, resource_id: str | None) -> TypedSearchAttributes:
    """The search attributes of a run that is being started, without values that the server does not take."""
    pairs = [
        SearchAttributePair(STATUS, "running"),
        SearchAttributePair(WORKFLOW, workflow_id),
        *([] if resource_id is None else [SearchAttributePair(RESOURCE, resource_id)]),
    ]
    return TypedSearchAttributes([pair for pair in pairs if len(json.dumps(pair.value)) <= MAX_VALUE_BYTES])


async def registered(client: Client) -> bool:
    """Whether the namespace has all of them. A server that does not tell is taken to have none."""
    try:
        found = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), retry=False, timeout=PATIENCE
        )
    except (RPCError, RuntimeError):  # the latter from a client that was to connect only now
        return False
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    return all(found.custom_attributes.get(key.name) == keyword for key in KEYS)


async def register(client: Client) -> None:
    """Register those that are missing.

    Raises:
        ConfigurationError: The server refuses.
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
