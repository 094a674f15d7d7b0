"""A client that leaves before it is answered: its work ends, and nobody else notices."""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from api.leaving import unless_left
from api.models import BranchResult
from tests.api.asking import FORM
from tests.api.conftest import Shared
from tests.waiting import wait_for


@pytest.fixture
def abandoned(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What became of calls that hang."""
    seen: list[str] = []

    async def hang(_text: bytes, _timeout_s: float) -> BranchResult:
        seen.append("started")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        raise AssertionError

    monkeypatch.setattr(shared.models, "text", hang)
    return seen


def test_its_work_is_cancelled(client: httpx.Client, abandoned: list[str]) -> None:
    kind = f"Content-Type: {FORM['Content-Type']}"
    head = f"POST /analyze/text HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}\r\nContent-Length: 7"
    request = f"{head}\r\n\r\ntext=hm"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as leaver:
        leaver.sendall(request.encode())
        wait_for(lambda: len(abandoned) >= 1, instead=lambda: abandoned)
    wait_for(lambda: len(abandoned) >= 2, instead=lambda: abandoned)
    assert abandoned == ["started", "cancelled"]
    assert client.get("/health/live").is_success


def test_its_place_is_free_only_when_its_work_has_ended() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)  # a row is written, a process is stopped
            ended.append("work")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        asyncio.run(_left(Request({"type": "http"}, receive), work(), ended))
    assert ended == ["work", "request"]


async def _left(request: Request, work: Coroutine[Any, Any, None], ended: list[str]) -> None:
    try:
        await unless_left(request, work)
    finally:
        ended.append("request")
