"""One id for a request: in the answer and on the way to Triton."""

import re
from typing import Any

import httpx
import pytest

from api.request_id import answering, current_request_id, request_id
from api.triton import Triton
from tests.api.asking import FORM
from tests.api.fakes import FakeModels
from tests.api.triton_double import Servicer, with_triton


@pytest.mark.parametrize("sent", ["a", "A-1_b.c", "x" * 64])
def test_a_clients_own_id_is_taken(sent: str) -> None:
    assert request_id(sent) == sent


@pytest.mark.parametrize("sent", [None, "", "x" * 65, "a b", "a\n", "ä", 'a"', "a/b"])
def test_any_other_is_replaced(sent: str | None) -> None:
    made = request_id(sent)
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made != request_id(sent)


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ({"url": "/analyze/text", "data": {"text": "a"}}, 200),
        ({"url": "/analyze/text", "data": {"text": ""}}, 422),
        ({"url": "/analyze/text", "content": b"{", "headers": {"Content-Type": "text/x"}}, 415),
        ({"url": "/nowhere"}, 404),
        ({"url": "/health"}, 405),
        ({"url": "/analyze/text", "content": b"x" * 50_000_000, "headers": FORM}, 413),
    ],
)
def test_every_answer_has_it(client: httpx.Client, call: dict[str, Any], status: int) -> None:
    headers = call.pop("headers", {}) | {"X-Request-ID": "mine-1"}
    answer = client.post(**call, headers=headers)
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"] == "mine-1"


def test_so_has_an_unexpected_error(
    client: httpx.Client, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "text", None)
    answer = client.post("/analyze/text", data={"text": "a"})
    assert answer.status_code == 500
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_it_goes_to_triton() -> None:
    servicer = Servicer()

    async def check(triton: Triton) -> None:
        with answering("mine-2"):
            assert current_request_id() == "mine-2"
            await triton.text(b"a", 5)
        assert current_request_id() is None
        await triton.text(b"a", 5)

    with_triton(servicer, check)
    assert [request.id for request in servicer.requests] == ["mine-2", ""]
