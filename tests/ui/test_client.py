"""Every way a call to the API can fail, against real sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from serving.ports import free_ports
from ui.client import Analysis, ApiError, Client, Clip

TEXT = Analysis("I love this!", None, 0.55)
CLIP = Clip("clip.wav", b"RIFF", "audio/wav")


class Scripted(BaseHTTPRequestHandler):
    """Answers each path with a fixed status, headers and body."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}

    sent: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        self.sent.append(self.headers["Authorization"])
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Keep the tests' output quiet."""


@pytest.fixture
def scripted() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Scripted) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    Scripted.answers.clear()
    Scripted.sent.clear()


def failure(url: str, timeout_s: float = 10.0) -> ApiError:
    with pytest.raises(ApiError) as caught:
        Client(url, timeout_s).analyze(TEXT)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (422, "text_empty", "Change the sentence and press Analyze again"),
        (422, "audio_undecodable", "Add another recording"),
        (422, "audio_too_long", "Timeline takes long ones"),
        (413, "audio_too_large", "MP3"),
        (413, "text_too_large", "shorter sentence"),
        (408, "upload_too_slow", "NEUROSENSE_UPLOAD_TIMEOUT_S"),
        (429, "rate_limited", "Wait 7 seconds and press Analyze again"),
        (503, "model_unavailable", "Wait 7 seconds and press Analyze again"),
        (503, "disk_full", "Make room"),
        (503, "something_new", "Wait 7 seconds"),
        (504, "timeout", "may be busy"),
        (401, "key_missing", "neurosense keys create page"),
        (403, "scope_missing", "NEUROSENSE_API_KEY"),
        (422, "something_new", "Change the sentence or the recording and press Analyze again"),
        (500, "internal", "log"),
    ],
)
def test_an_error_of_the_api_becomes_its_words_and_what_to_do(
    scripted: str, status: int, code: str, advice: str
) -> None:
    body = json.dumps({"detail": "it cannot be", "code": code}).encode()
    Scripted.answers["/analyze/text"] = (status, {"Retry-After": "7"}, body)
    error = failure(scripted)
    assert error.problem == "It cannot be."
    assert advice in error.advice
    assert "transcript" not in error.advice


@pytest.mark.parametrize("body", [b"<html>a router's login page</html>", b"[1, 2]", b"\xff"])
def test_another_service_at_the_address_is_told_apart(scripted: str, body: bytes) -> None:
    Scripted.answers["/analyze/text"] = (200, {}, body)
    error = failure(scripted)
    assert "not as NeuroSense does" in error.problem
    assert "NEUROSENSE_API_URL" in error.advice


def test_a_closed_port_names_the_address_and_how_to_start() -> None:
    (port,) = free_ports(1)
    error = failure(f"http://127.0.0.1:{port}")
    assert f"http://127.0.0.1:{port} can't be reached" in error.problem
    assert "make serve" in error.advice


def test_a_service_that_never_answers_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)
    assert "too long" in error.problem


@pytest.mark.parametrize(
    ("analysis", "path", "form"),
    [
        (TEXT, "/analyze/text", {"text": "I love this!"}),
        (Analysis(None, CLIP, 0.3), "/analyze/audio", {}),
        (
            Analysis("Hi", CLIP, 0.3),
            "/analyze/multimodal",
            {"text": "Hi", "text_weight": "0.3"},
        ),
    ],
)
def test_what_is_given_chooses_the_endpoint(
    analysis: Analysis, path: str, form: dict[str, str]
) -> None:
    assert (analysis.path, analysis.form) == (path, form)


def test_a_key_is_sent_where_there_is_one(scripted: str) -> None:
    Scripted.answers["/analyze/text"] = (200, {}, b"{}")
    for key in ("ns_k", None, ""):
        Client(scripted, 10, key).analyze(TEXT)
    assert Scripted.sent == ["Bearer ns_k", None, None]


def test_the_shown_curl_names_a_variable_and_never_a_key() -> None:
    shown = TEXT.curl("http://api", with_key=True)
    assert '-H "Authorization: Bearer $NEUROSENSE_API_KEY"' in shown
    assert "Authorization" not in TEXT.curl("http://api")
