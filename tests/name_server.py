"""A DNS server whose one name stands for addresses that a test changes."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address

_HEADER_BYTES = 12
_IPV4 = 1  # the type of a record "A"


@dataclass
class NameServer:
    """`url` is a gRPC target: this server, and the name at it."""

    addresses: list[str]
    port: int = field(default=0, init=False)

    def url(self, port: int) -> str:
        return f"dns://127.0.0.1:{self.port}/triton.test:{port}"

    def answer(self, query: bytes) -> bytes:
        """Return the addresses, to be remembered for no time (RFC 1035, section 4)."""
        end = query.index(b"\0", _HEADER_BYTES) + 5  # of the question: a name, its type and class
        [kind] = struct.unpack_from("!H", query, end - 4)
        found = self.addresses if kind == _IPV4 else []
        header = query[:2] + struct.pack("!5H", 0x8580, 1, len(found), 0, 0)
        records = [
            struct.pack("!HHHLH", 0xC00C, _IPV4, 1, 0, 4) + IPv4Address(address).packed
            for address in found
        ]
        return header + query[_HEADER_BYTES:end] + b"".join(records)


@contextmanager
def name_server(*addresses: str) -> Iterator[NameServer]:
    names = NameServer(list(addresses))

    class Handler(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(names.answer(self.rfile.read()))

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as server:
        names.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield names
        finally:
            server.shutdown()
            thread.join()
