"""An external storage of payloads for tests: a folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import (
    ExternalStorage,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)

__all__ = ["Folder", "with_storage"]


class Folder(StorageDriver):
    """Keeps each payload in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def name(self) -> str:
        return "folder"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        return [StorageDriverClaim({"key": self._keep(payload.SerializeToString())}) for payload in payloads]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        return [Payload.FromString((self.path / claim.claim_data["key"]).read_bytes()) for claim in claims]

    def _keep(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        (self.path / key).write_bytes(data)
        return key


def with_storage(client: Client, path: Path, **settings: Any) -> Client:
    """The client with a folder as its external storage."""
    config = client.config()
    storage = ExternalStorage(drivers=[Folder(path)], **settings)
    config["data_converter"] = replace(config["data_converter"], external_storage=storage)
    return Client(**config)
