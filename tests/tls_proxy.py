"""A proxy before the server that ends TLS and wants a client certificate, as the front of a real cluster does."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import trustme


@dataclass
class TlsProxy:
    """A running proxy, the files that a client needs, and what clients sent through it."""

    server: str
    folder: Path
    port: int = 0
    received: bytearray = field(default_factory=bytearray)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.server.partition(":")
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        for source, target, kept in ((reader, other_writer, self.received), (other_reader, writer, bytearray())):
            task = asyncio.create_task(pump(source, target, kept))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await source.read(65536):
            kept += data
            target.write(data)
            await target.drain()
    target.close()


@contextlib.asynccontextmanager
async def tls_proxy(server: str, folder: Path) -> AsyncGenerator[TlsProxy]:
    """Run a proxy before the server. The folder gets ``ca.pem``, ``client.pem``, ``client-key.pem`` and ``other.pem``,
    the certificate of an authority that has issued nothing."""
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    other.cert_pem.write_to_path(str(folder / "other.pem"))
    client = authority.issue_cert("worker@example.org")
    client.cert_chain_pems[0].write_to_path(str(folder / "client.pem"))
    client.private_key_pem.write_to_path(str(folder / "client-key.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    proxy = TlsProxy(server, folder)
    listener = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, ssl=context)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.close()
