"""What the commands say of a Triton that does not get on."""

import re
import socket
from pathlib import Path

import pytest

from export.progress import lasting
from serving.errors import ServingError
from serving.models import triton as swapped
from serving.models.served import Served
from serving.models.triton import SwappedTriton
from tests.waiting import wait_for


class Slow(SwappedTriton):
    """Loads only once somebody has been told for how long it has."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1")
        self.told: list[str] = []
        self.loaded_models: list[str] = []

    def load(self, model: str) -> None:
        wait_for(lambda: bool(self.told))
        self.loaded_models.append(model)


def test_who_waits_for_a_load_is_told_for_how_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("export.progress._EVERY_S", 0.6)
    triton = Slow()
    with triton:
        Served(tmp_path, [triton], lambda _: None, triton.told.append)._load(triton, "text")
        assert triton.loaded_models == ["text"]
    assert re.fullmatch(r"Triton at 127\.0\.0\.1:1 loads text: [1-9]\d* s so far", triton.told[0])


def test_what_is_quick_is_not_spoken_of() -> None:
    told: list[str] = []
    with lasting("Triton loads text", told.append):
        pass
    assert told == []


def test_one_that_never_answers_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swapped, "LOAD_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"127.0.0.1:{silent.getsockname()[1]}"
        with SwappedTriton(url) as triton, pytest.raises(ServingError) as caught:
            triton.load("text_classifier")
    assert str(caught.value) == f"Triton at {url} does not answer; its log may say why"
