"""Ports: is one taken, does a server answer there, and which are free."""

import errno
import itertools
import os
import socket
import ssl

import httpx

from serving.errors import ServingError

# Neighbours are asked often and without TLS. By default httpx reads all certificates that it knows
# for each call, which takes a hundred times as long as the call.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_RANGE = range(12_000, 32_000)
_turn = itertools.count(os.getpid() * 331)


def require_free(port: int, setting: str, host: str = "127.0.0.1") -> None:
    """Raise ServingError, naming the port and the setting that moves it, if it is occupied."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ServingError(
            f"port {port} of {host} cannot be used ({error.strerror}): stop what holds it, "
            f"or choose another with {setting}"
        ) from None


def answers(url: str, timeout_s: float) -> bool:
    """Return whether a neighbour answers a GET with 200; no proxy is asked on the way."""
    try:
        answer = httpx.get(url, timeout=timeout_s, trust_env=False, verify=_NO_CERTIFICATES)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that are free, and that nobody is given before they are used.

    The system takes those for others from above (Linux: 32768, macOS: 49152), and each process
    begins elsewhere among these.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = _RANGE[next(_turn) % len(_RANGE)]
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            ports.append(port)
    return ports
