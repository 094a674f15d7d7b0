"""A small OpenTelemetry collector: takes OTLP over HTTP and keeps what came."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Span = dict[str, Any]


class Collector:
    """What was posted to it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []

    def spans(self) -> list[Span]:
        """All spans so far, each with its `service` and its attributes as a dict."""
        return [
            {
                **span,
                "service": _plain(resource["resource"]["attributes"])["service.name"],
                "attributes": _plain(span.get("attributes", [])),
            }
            for body in list(self.bodies)
            for resource in json.loads(body)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def wait_for(self, enough: Callable[[list[Span]], bool], timeout_s: float = 30) -> list[Span]:
        """Return the spans once there are enough."""
        deadline_s = time.monotonic() + timeout_s
        while not enough(spans := self.spans()):
            assert time.monotonic() < deadline_s, [span["name"] for span in spans]
            time.sleep(0.05)
        return spans


def _plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.append(self.path)
            collector.headers.append(dict(self.headers.items()))
            collector.bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
