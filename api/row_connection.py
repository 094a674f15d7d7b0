"""The connection that adds rows to the log, driven by libpq's own calls.

Every answer waits for it, and psycopg's way around a statement (a task, a cursor, a reader that
comes and goes with each wait) is half of what a row costs the API.

Always the same one: a pool takes its own in turn, and each backend has to find its plans and tables
in the processor's caches, from where the models have driven them.
"""

import asyncio
import json
from collections.abc import Sequence

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import error_from_result
from psycopg.postgres import types
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from api.rows import Row

ADD = "SELECT neurosense_add({})"
"""A function, so that the database keeps its plan: what is not prepared is planned each time.

A proxy that tells reads from writes by their text must be told that this one writes.
"""
_ADD = ADD.format("$1").encode()
_JSONB = types["jsonb"].oid


class RowConnection:
    """Takes a connection over; it is closed when anything goes wrong, by the database too."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection  # it closes itself when nobody holds it
        self._libpq = connection.pgconn
        self._socket = self._libpq.socket
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] | None = None
        self._result: PGresult | None = None
        self.closed = False
        self._loop.add_reader(self._socket, self._readable)

    async def add(self, rows: Sequence[Row]) -> None:
        """Commit rows, all or none; those that are there already stay as they are.

        One call at a time. Whoever stops waiting closes the connection; the rows may be there.

        Raises:
            psycopg.Error: the database did not do it, or the connection is lost.
        """
        answered, self._result = self._loop.create_future(), None
        self._answered = answered
        try:
            self._libpq.send_query_params(_ADD, [json.dumps(rows).encode()], param_types=[_JSONB])
            self._send()
            await answered
            result = self._result
            if result is None or result.status != ExecStatus.TUPLES_OK:
                raise error_from_result(result) if result else OperationalError("no result")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it now; the database is not waited for."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._libpq.finish()

    def _send(self) -> None:
        """Send what the socket takes, and the rest when it takes more."""
        if self._libpq.flush():
            self._loop.add_writer(self._socket, self._send_rest)

    def _send_rest(self) -> None:
        self._loop.remove_writer(self._socket)
        try:
            self._send()
        except OperationalError as error:
            self._lost(error)

    def _readable(self) -> None:
        """Take what came: a part of the answer, or word that the connection is lost."""
        try:
            self._libpq.consume_input()
            while self._answered and not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is None:
                    self._tell(None)
                else:
                    self._result = result  # committed when there is no other one
        except OperationalError as error:
            self._lost(error)

    def _lost(self, error: OperationalError) -> None:
        self.close()
        # The database may have said why. If it said that all went well, it has not committed yet.
        failed = self._result is not None and self._result.status == ExecStatus.FATAL_ERROR
        self._tell(None if failed else error)

    def _tell(self, error: OperationalError | None) -> None:
        answered, self._answered = self._answered, None
        if answered is None or answered.done():
            return  # nobody waits, or not any more
        if error is None:
            answered.set_result(None)
        else:
            answered.set_exception(error)
