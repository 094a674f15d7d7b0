"""A client's connections: encoded POSTs at little cost.

What a load's client takes of the machine is missed by the servers that are measured on it: a
general client took more for a request than the API did for a refusal. For loads on servers of
this machine alone: it knows no TLS, no proxies, no redirects and no cookies.
"""

import asyncio
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

from benchmarks.http_requests import Request


class NoAnswerError(ConnectionError):
    """The connection ended before the answer did, or what came was not HTTP."""


@dataclass
class Answer:
    """A status, headers by their name in lower case, and the body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Connections:
    """As many to one server as there are requests at a time; open ones are used again."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._host = parts.netloc
        self._idle: list[_Connection] = []

    async def post(self, request: Request) -> Answer:
        """Return the answer to a request.

        Raises:
            NoAnswerError: there is none.
            OSError: the server cannot be reached.
        """
        connection = await self._free()
        answer = await connection.post(request, self._host)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close those that nobody waits for."""
        for connection in self._idle:
            connection.transport.close()

    async def _free(self) -> "_Connection":
        while self._idle:
            if not (connection := self._idle.pop()).transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, *self._address)
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._answered: asyncio.Future[Answer] | None = None

    async def post(self, request: Request, host: str) -> Answer:
        self._answer = Answer()
        self._answered = asyncio.get_running_loop().create_future()
        head = (
            f"POST {request.path} HTTP/1.1\r\nHost: {host}\r\n"
            f"Content-Type: {request.content_type}\r\nContent-Length: {len(request.body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + request.body)
        try:
            return await self._answered
        except asyncio.CancelledError:
            self.transport.abort()  # else the answer would be taken for the next request's
            raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(type(error).__name__)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("connection closed" if exc is None else type(exc).__name__)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.transport.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(self._answer)

    def _fail(self, why: str) -> None:
        self.transport.abort()
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(NoAnswerError(why))
