"""Who gets in: real HTTP against the API with a file of keys."""

import http.client
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api import auth
from api.app import create_app
from api.keys import KeysError, create, revoke
from api.loopback import is_loopback
from api.settings import Settings
from tests.api.asking import WAV, assert_problem
from tests.api.fakes import FakeModels
from tests.api.servers import serve

PROBES = ("/", "/health", "/health/live", "/health/ready")
OPEN = (*PROBES, "/docs", "/openapi.json", "/responsible-use", "/metrics")


@dataclass(frozen=True)
class Closed:
    """An API with keys, and two routes that ask for other scopes as later ones will."""

    client: httpx.Client
    file: Path
    keys: dict[str, str]
    models: FakeModels
    app: FastAPI


def guarded(app: FastAPI) -> FastAPI:
    for scope in ("read", "admin"):
        app.get(f"/{scope}", dependencies=[auth.requires(scope)])(lambda: "in")
    return app


@pytest.fixture
def closed(database_url: str, own_models: FakeModels, tmp_path: Path) -> Iterator[Closed]:
    file = tmp_path / "api_keys.json"
    keys = {scope: create(file, scope, [scope])[1] for scope in ("analyze", "read", "admin")}
    app = create_app(Settings(DATABASE_URL=database_url, api_keys_file=file), lambda _: own_models)
    with serve(guarded(app)) as client:
        yield Closed(client, file, keys, own_models, app)


def ask(closed: Closed, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return closed.client.post("/analyze/text", data={"text": "hm"}, headers=named)


def test_with_a_key_in_either_header(closed: Closed) -> None:
    key = closed.keys["analyze"]
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer   {key}"},
        {"X_API_Key": key},
        {"X_API_Key": key, "Authorization": f"Bearer {key}"},
    ):
        assert ask(closed, **headers).is_success, headers


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ns_unknown",
        "Bearer ns_ unknown",
        "Basic bnM6bnM=",
        "ns_unknown",
        "Bearer " + "x" * 20_000,
        "Bearer null",
        "Bearer ' OR 1=1 --",
        'Bearer {"$ne": ""}',
    ],
)
def test_without_a_known_key(closed: Closed, authorization: str) -> None:
    refused = ask(closed, Authorization=authorization)
    assert_problem(refused, 401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["cache-control"] == "no-store"
    assert closed.models.calls == []


def test_everything_that_analyses_is_closed_and_the_probes_are_open(closed: Closed) -> None:
    for path, data in (
        ("/analyze/text", {"data": {"text": "hm"}}),
        ("/analyze/audio", {"files": WAV}),
        ("/analyze/multimodal", {"data": {"text": "hm"}, "files": WAV}),
    ):
        assert_problem(closed.client.post(path, **data), 401, "unauthorized")
    for path in OPEN:
        assert closed.client.get(path).is_success, path
    assert closed.client.get("/health").json()["needs_key"] is True


def test_no_route_was_left_unguarded(closed: Closed) -> None:
    """Whatever the application has, in its OpenAPI or not, other than what is open."""
    described = closed.client.get("/openapi.json").json()["paths"]
    seen = set()
    for path, method in routes_of(closed.app):
        seen.add(path)
        if path in OPEN or method == "WEBSOCKET":
            continue
        answer = closed.client.request(method, path.replace("{prediction}", str(uuid4())))
        assert_problem(answer, 401, "unauthorized")
        if path in described:
            operation = described[path][method.lower()]
            assert operation["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}], path
    assert set(OPEN) <= seen
    assert set(described) <= seen
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    assert [path for path, method in routes_of(closed.app) if method == "WEBSOCKET"] == ["/stream"]
    assert_problem(closed.client.get("/stream", headers=headers), 401, "unauthorized")


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield every path with each method that it takes."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or {"WEBSOCKET"}:
            yield str(route.path), method


def raw(closed: Closed, *headers: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """Send header bytes that a client library would not."""
    connection = http.client.HTTPConnection(str(closed.client.base_url.netloc.decode()))
    connection.putrequest("POST", "/analyze/text")
    for name, value in (*headers, (b"Content-Length", b"0")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_hostile_header_bytes(closed: Closed) -> None:
    key = closed.keys["analyze"].encode()
    for value in (b"Bearer \xff\xfe", b"Bearer \xd0\xba", b"\xff", b"Bearer " + key + b"\xa0"):
        status, body = raw(closed, (b"Authorization", value))
        assert status == 401, value
        assert json.loads(body)["code"] == "unauthorized"
        assert key not in body
    assert raw(closed, (b"Authorization", b"Bearer " + key))[0] == 422  # in, and no text there


def test_two_different_keys_are_refused_whichever_is_right(closed: Closed) -> None:
    key = b"Bearer " + closed.keys["analyze"].encode()
    other = b"Bearer " + closed.keys["read"].encode()
    for first, second in ((key, other), (other, key), (key, b"Bearer ns_x")):
        assert raw(closed, (b"Authorization", first), (b"Authorization", second))[0] == 401
        assert raw(closed, (b"Authorization", first), (b"X-API-Key", second))[0] == 401
    assert raw(closed, (b"Authorization", key), (b"authorization", key))[0] == 422


def test_a_header_beyond_all_measure_ends_in_a_4xx_and_the_next_is_answered(
    closed: Closed,
) -> None:
    status, _ = raw(closed, (b"Authorization", b"Bearer " + b"x" * 60_000))
    assert 400 <= status < 500
    assert ask(closed, X_API_Key=closed.keys["analyze"]).is_success


@pytest.mark.parametrize(
    ("scope", "reads", "administers"),
    [("analyze", 403, 403), ("read", 200, 403), ("admin", 200, 200)],
)
def test_a_key_opens_what_its_scopes_say(
    closed: Closed, scope: str, reads: int, administers: int
) -> None:
    headers = {"X-API-Key": closed.keys[scope], "X-Scope": "admin"}
    for path, status in (("/read", reads), ("/admin", administers)):
        answer = closed.client.get(path, headers=headers, params={"scope": "admin"})
        assert answer.status_code == status, path
        if status == 403:
            assert_problem(answer, 403, "forbidden")
    analyzed = ask(closed, X_API_Key=closed.keys[scope])
    assert analyzed.status_code == (403 if scope == "read" else 200)


def test_a_key_in_the_address_or_a_cookie_is_none(closed: Closed) -> None:
    key = closed.keys["admin"]
    assert closed.client.get("/read", params={"api_key": key, "key": key}).status_code == 401
    assert closed.client.get("/read", headers={"Cookie": f"X-API-Key={key}"}).status_code == 401


def test_the_answer_comes_before_the_body_is_read(closed: Closed) -> None:
    host, port = closed.client.base_url.host, closed.client.base_url.port
    with socket.create_connection((host, port or 80), timeout=10) as connection:
        lines = ("POST /analyze/audio HTTP/1.1", f"Host: {host}", "Content-Length: 20000000")
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_who_is_sent_away_takes_nobodys_place(closed: Closed) -> None:
    """As many as may be inside are answered, and go on as if they still had a body to send."""
    address = (closed.client.base_url.host, closed.client.base_url.port or 80)
    head = b"POST /analyze/text HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n%s\r\n"
    known = b"X-API-Key: " + closed.keys["read"].encode() + b"\r\n"
    with ExitStack() as stack:
        for number in range(100):
            connection = stack.enter_context(socket.create_connection(address, timeout=10))
            connection.sendall(head % (known if number % 2 else b""))
            assert connection.recv(100).startswith((b"HTTP/1.1 401", b"HTTP/1.1 403"))
        for _ in range(3):
            assert ask(closed, X_API_Key=closed.keys["analyze"]).status_code == 200


def test_revoking_and_creating_count_without_a_restart(closed: Closed) -> None:
    key = closed.keys["analyze"]
    assert ask(closed, X_API_Key=key).is_success
    revoke(closed.file, "analyze")
    assert_problem(ask(closed, X_API_Key=key), 401, "unauthorized")
    _, newer = create(closed.file, "newer", ["analyze"])
    assert ask(closed, X_API_Key=newer).is_success
    for name in ("newer", "read", "admin"):
        revoke(closed.file, name)
    assert_problem(ask(closed), 401, "unauthorized")


@pytest.mark.parametrize("content", [None, b"", b'{"keys": []', b"garbage \xff"])
def test_a_file_that_breaks_or_goes_opens_nothing_and_shuts_out_nobody(
    closed: Closed, content: bytes | None
) -> None:
    if content is None:
        closed.file.unlink()
    else:
        closed.file.write_bytes(content)
    assert_problem(ask(closed), 401, "unauthorized")
    assert ask(closed, X_API_Key=closed.keys["analyze"]).is_success
    assert closed.client.get("/health").json()["needs_key"] is True


def test_no_key_is_ever_logged_or_shown(
    closed: Closed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(closed.models, "text", crash)
    with caplog.at_level(logging.DEBUG):
        shown = ask(closed, X_API_Key=closed.keys["analyze"]).text
        shown += ask(closed, X_API_Key=closed.keys["read"]).text
        shown += ask(closed, Authorization="Bearer ns_unknown-but-secret").text
    assert "RuntimeError" in caplog.text
    for secret in (*closed.keys.values(), "ns_unknown-but-secret"):
        assert secret not in caplog.text + shown


@pytest.mark.parametrize(("has_monitor", "status"), [(False, 403), (True, 200)])
def test_the_pages_key_analyses_and_reads_only_for_its_monitor(
    database_url: str, own_models: FakeModels, tmp_path: Path, has_monitor: bool, status: int
) -> None:
    file = tmp_path / "api_keys.json"
    create(file, "one", ["admin"])
    settings = Settings(
        DATABASE_URL=database_url,
        api_keys_file=file,
        page_key="p" * 40,
        ui_monitor=has_monitor,
    )
    assert "p" * 40 not in repr(settings)
    app = create_app(settings, lambda _: own_models)
    with serve(guarded(app)) as client:
        headers = {"Authorization": "Bearer " + "p" * 40}
        assert client.post("/analyze/text", data={"text": "hm"}, headers=headers).is_success
        assert client.get("/read", headers=headers).status_code == status
        assert client.get("/admin", headers=headers).status_code == 403


def test_without_a_file_it_is_open_to_this_machine(
    database_url: str, own_models: FakeModels, tmp_path: Path
) -> None:
    file = tmp_path / "api_keys.json"
    settings = Settings(DATABASE_URL=database_url, api_keys_file=file, page_key="p" * 40)
    with serve(guarded(create_app(settings, lambda _: own_models))) as client:
        assert client.get("/admin").is_success
        assert client.get("/health").json()["needs_key"] is False
        for host in ("localhost", "localhost:80", "LOCALHOST", "127.0.0.1:9", "[::1]:8", "[::1]"):
            assert client.get("/admin", headers={"Host": host}).is_success, host
        # A web page that lets its own name lead to 127.0.0.1, and a proxy that hands names on.
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.x"):
            refused = client.get("/admin", headers={"Host": host})
            assert_problem(refused, 401, "unauthorized")
        for name in ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host"):
            refused = client.get("/admin", headers={name: "127.0.0.1"})
            assert_problem(refused, 401, "unauthorized")
        create(file, "first", ["read"])
        assert_problem(client.get("/admin"), 401, "unauthorized")


def test_another_server_on_another_address_does_not_open_it(
    database_url: str, own_models: FakeModels
) -> None:
    """`uvicorn --host 0.0.0.0` knows nothing of our settings: the connection's address counts."""
    import asyncio

    app = guarded(create_app(Settings(DATABASE_URL=database_url), lambda _: own_models))

    async def ask_through(url: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return (await client.get(f"{url}/admin", headers={"Host": "localhost"})).status_code

    assert asyncio.run(ask_through("http://127.0.0.1")) == 200
    for url in ("http://192.0.2.1", "http://0.0.0.0", "http://some.name"):
        assert asyncio.run(ask_through(url)) == 401, url


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("my-name", False), ("", False),  # noqa: S104
    ],
)  # fmt: skip
def test_what_can_be_reached_from_elsewhere(host: str, local: bool) -> None:
    assert is_loopback(host) is local


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104
def test_listening_to_others_without_a_key_is_refused(tmp_path: Path, host: str) -> None:
    url = "postgresql://"
    for file in (None, tmp_path / "none.json"):
        with pytest.raises(KeysError, match="neurosense keys create NAME --scope analyze"):
            create_app(Settings(DATABASE_URL=url, api_host=host, api_keys_file=file))
    create(tmp_path / "keys.json", "one", ["analyze"])
    create_app(Settings(DATABASE_URL=url, api_host=host, api_keys_file=tmp_path / "keys.json"))
    create_app(Settings(DATABASE_URL=url, api_host=host, page_key="p" * 32))


def start(environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "api"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"NEUROSENSE_API_HOST": "0.0.0.0"}, "neurosense keys create NAME"),  # noqa: S104
        ({"NEUROSENSE_API_KEYS_FILE": __file__}, "is no file of API keys"),
        ({"NEUROSENSE_PAGE_KEY": "my-short-secret"}, "NEUROSENSE_PAGE_KEY"),
    ],
)
def test_the_program_refuses_to_start_with_the_way_out(
    variables: dict[str, str], said: str
) -> None:
    process = start({"DATABASE_URL": "postgresql://", **variables})
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in output
    assert "Traceback" not in output
    assert "my-short-secret" not in output
