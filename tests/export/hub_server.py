"""A hub in miniature: the part of its protocol that downloading a checkpoint uses.

It serves the repositories in a folder (`<folder>/<owner>/<name>/`), can cut a connection in
the middle of a file once, and counts what it was asked for.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = "someone/bert-emotion"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """A running server; `url` is what HF_ENDPOINT takes."""

    folder: Path
    url: str = ""
    cut_after_bytes: int | None = None  # once, in the first body longer than that
    gated: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)


@contextmanager
def serve(folder: Path) -> Iterator[Hub]:
    """Run a hub on a free port of the loopback interface."""
    hub = Hub(folder)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests read `hub.requests`."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.hub.requests.append(f"{self.command} {path}")
        if not path:
            self._send(200, b"")
        elif path.startswith("api/models/"):
            name, _, revision = path.removeprefix("api/models/").partition("/revision/")
            if self._exists(name, revision or "main"):
                self._send_info(name)
        else:
            name, _, rest = path.partition("/resolve/")
            revision, _, file = rest.partition("/")
            if self._exists(name, revision):
                self._send_file(name, file)

    def _exists(self, name: str, revision: str) -> bool:
        """Answer with an error, in the hub's own terms, where there is nothing to serve."""
        code = None
        if not (self.hub.folder / name).is_dir():
            code = (404, "RepoNotFound")
        elif name in self.hub.gated:
            code = (403, "GatedRepo")
        elif revision not in ("main", COMMIT):
            code = (404, "RevisionNotFound")
        if code:
            self._send(code[0], b"", {"X-Error-Code": code[1]})
        return code is None

    def _send_info(self, name: str) -> None:
        files = sorted((self.hub.folder / name).iterdir())
        siblings = [{"rfilename": file.name, "size": file.stat().st_size} for file in files]
        body = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send_file(self, name: str, file: str) -> None:
        path = self.hub.folder / name / file
        if not path.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        content = path.read_bytes()
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        status, start = 200, 0
        if wanted := self.headers.get("Range"):
            self.hub.ranges.append(wanted)
            status, start = 206, int(wanted.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.hub.cut_after_bytes
        if cut is not None and len(body) > cut:
            self.hub.cut_after_bytes = None
            self.wfile.write(body[:cut])
            self.close_connection = True
        else:
            self.wfile.write(body)
