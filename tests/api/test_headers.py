"""Headers of every answer, CORS, and a /docs that its own policy lets work."""

import base64
import hashlib
import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from pydantic import ValidationError

from api.app import create_app
from api.headers import HEADERS
from api.settings import Settings
from tests.api.asking import assert_problem
from tests.api.fakes import FakeModels
from tests.api.servers import serve

SHOP = "https://shop.example"


def assert_secure(response: httpx.Response, *but: str) -> None:
    for name, value in HEADERS.items():
        if name not in but:
            assert response.headers.get_list(name) == [value], (name, response.request.url)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/analyze/text", 405),
        ("POST", "/analyze/text", 422),
    ],
)
def test_every_answer_has_them(client: httpx.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert_secure(response)


def test_predictions_and_problems_have_them(
    client: httpx.Client, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_secure(client.post("/analyze/text", data={"text": "hm"}))
    too_large = client.post("/analyze/text", content=b"x" * 2**26)
    assert too_large.status_code == 413
    assert_secure(too_large)

    async def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(models, "text", crash)
    crashed = client.post("/analyze/text", data={"text": "hm"})
    assert crashed.status_code == 500
    assert_secure(crashed)


@pytest.fixture
def cors(database_url: str, own_models: FakeModels) -> Iterator[httpx.Client]:
    settings = Settings(DATABASE_URL=database_url, cors_origins=f"{SHOP}, http://localhost:3000")
    with serve(create_app(settings, lambda _: own_models)) as client:
        yield client


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    return client.options("/analyze/text", headers=asked)


def test_without_origins_no_other_page_asks_or_reads_an_answer(
    client: httpx.Client, models: FakeModels
) -> None:
    answer = client.post("/analyze/text", data={"text": "hm"}, headers={"Origin": SHOP})
    assert_problem(answer, 403, "origin_forbidden")
    assert models.calls == []
    for response in (answer, preflight(client, SHOP)):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_page_of_another_site_is_refused_by_what_the_browser_says_of_it(
    client: httpx.Client, models: FakeModels
) -> None:
    """A link or a picture has no Origin, but a browser tells where it stands."""
    own = str(client.base_url).rstrip("/")
    for method, path in (("GET", "/stats"), ("POST", "/analyze/text"), ("DELETE", "/predictions")):
        path = f"{path}/{uuid4()}" if method == "DELETE" else path
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
            {"Origin": SHOP},
            {"Origin": "http://127.0.0.1:1"},
        ):
            refused = client.request(method, path, headers=headers)
            assert_problem(refused, 403, "origin_forbidden")
    assert models.calls == []
    for headers in ({"Origin": own, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        asked = client.post("/analyze/text", data={"text": "hm"}, headers=headers)
        assert asked.is_success


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:3000"])
def test_an_origin_that_is_named_may(cors: httpx.Client, origin: str) -> None:
    allowed = preflight(cors, origin)
    assert allowed.status_code == 200
    assert_secure(allowed)
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    for response in (
        allowed,
        cors.post(
            "/analyze/text",
            data={"text": "hm"},
            headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"},
        ),
        cors.post("/analyze/text", headers={"Origin": origin}),  # a problem is readable too
    ):
        assert response.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{SHOP}.evil.example", "http://shop.example", "null"]
)
def test_any_other_origin_may_not(cors: httpx.Client, origin: str) -> None:
    answer = cors.post("/analyze/text", data={"text": "hm"}, headers={"Origin": origin})
    assert_problem(answer, 403, "origin_forbidden")
    for response in (answer, preflight(cors, origin)):
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "origins", ["*", "shop.example", f"{SHOP}/", f"{SHOP}/path", "file://x", f"{SHOP},*"]
)
def test_what_is_no_origin_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="is no origin such as"):
        Settings(DATABASE_URL="postgresql://", cors_origins=origins)


def test_the_docs_run_under_their_policy(client: httpx.Client) -> None:
    response = client.get("/docs")
    assert_secure(response, "Content-Security-Policy")
    policy = {
        name: sources
        for name, *sources in (
            part.split() for part in response.headers["content-security-policy"].split(";")
        )
    }
    assert policy["default-src"] == policy["frame-ancestors"] == ["'none'"]
    html = response.text
    loaded = {
        "script-src": re.findall(r'<script src="([^"]+)"', html),
        "style-src": re.findall(r'rel="stylesheet" href="([^"]+)"', html),
    }
    for directive, urls in loaded.items():
        assert len(urls) == 1
        for url in urls:
            assert any(url.startswith(source) for source in policy[directive]), url
    [inline] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy["script-src"]
    assert "'unsafe-inline'" not in policy["script-src"]
    assert re.findall(r'rel="shortcut icon" href="([^:]+:)', html) == ["data:"]
    [openapi] = re.findall(r"url: '([^']+)'", inline)
    assert policy["connect-src"] == ["'self'"]
    assert client.get("/docs").url.join(openapi).path == "/openapi.json"
