"""uvicorn's WebSocket, let go of where a client stops reading, and silent about what it sends."""

import asyncio
import logging

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LONGEST_MESSAGE_BYTES = 2**18
"""8 s of sound; a longer message closes the connection with 1009."""

_STUCK_S = 30.0


class StreamProtocol(WebSocketsSansIOProtocol):
    """Cuts a connection whose client has read nothing for half a minute while answers wait.

    uvicorn would hold it as long as the client does: closing waits until all is sent.
    """

    _stuck: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Note that the connection's buffer is full."""
        super().pause_writing()
        self._stuck = self.loop.call_later(_STUCK_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()


def worth_logging(record: logging.LogRecord) -> bool:
    """Tell whether a record of uvicorn's may be logged: some hold addresses, queries or frames.

    One is an error for each handshake that is refused, as if the refusal were none.
    """
    text = str(record.msg)
    is_about_a_client = record.levelno <= logging.DEBUG or "WebSocket" in text
    return not is_about_a_client and "without completing handshake" not in text
