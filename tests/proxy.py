"""A proxy between a worker and the server that can swallow everything: the network is gone, and nobody is told."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator


class Proxy:
    """Passes bytes on, both ways, until it is `cut`."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._connected = asyncio.Event()
        self._connected.set()
        self._pumps: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.address = ""

    def cut(self) -> None:
        """Swallow everything. Connections stay open: there is no FIN and no RST."""
        self._connected.clear()

    def restore(self) -> None:
        """Pass bytes on again, and what was held back first, as a network does that sends again."""
        self._connected.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._server.rsplit(":", 1)
        try:
            other_reader, other_writer = await asyncio.open_connection(host, int(port))
        except OSError:  # the server is down
            writer.close()
            return
        self._writers += [writer, other_writer]
        for source, target in ((reader, other_writer), (other_reader, writer)):
            self._pumps.append(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await self._connected.wait()
                target.write(data)
                await target.drain()
        await self._connected.wait()
        target.close()

    async def _end(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


@contextlib.asynccontextmanager
async def proxy_to(server: str) -> AsyncGenerator[Proxy]:
    """A proxy before a server, for the length of the block."""
    proxy = Proxy(server)
    listening = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    proxy.address = f"{host}:{port}"
    try:
        yield proxy
    finally:
        listening.close()
        await proxy._end()
