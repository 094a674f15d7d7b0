"""A TCP connection that can be cut, silenced, slowed and restored: sits between two servers."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Streams]]
_HOST = "127.0.0.1"
_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing is a reset, not an orderly end."""


class Proxy:
    """Forwards whatever arrives at `port` to where `dial` leads, both ways."""

    def __init__(self, dial: Dial) -> None:
        self.port = 0
        self.delay_s = 0.0
        """How much later everything arrives, on each way."""
        self._dial = dial
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> None:
        """Listen, the first time on a free port, then always on that one."""
        self._server = await asyncio.start_server(self._serve, _HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def silence(self) -> None:
        """Let nothing through, and say so to nobody: connections stay open, new ones open."""
        self._flowing.clear()

    def speak(self) -> None:
        """End the silence; what was sent meanwhile arrives."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled only when the harness ends, and then nothing follows.
        with self._open(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            await self._flowing.wait()
            far_reader, far_writer = await self._dial()
            with self._open(far_writer):
                await self._connect((reader, far_writer), (far_reader, writer))

    async def _connect(self, *ways: Streams) -> None:
        """Forward both ways until one of them ends; then the other ends, too."""
        pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._flowing.wait()
                await asyncio.sleep(self.delay_s)
                writer.write(chunk)
                await writer.drain()

    @contextlib.contextmanager
    def _open(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
