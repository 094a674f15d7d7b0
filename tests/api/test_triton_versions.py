"""The client when versions are swapped, described badly, or Triton restarts."""

import asyncio
import json
import time
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from api.errors import ModelTimeoutError, UnavailableError
from api.metrics import Metrics
from api.trial import Trial
from api.trials import Trials
from api.triton import Triton
from serving.ports import free_ports
from tests.api.triton_double import TEXT, Servicer, start, with_triton


def test_description_is_kept_and_follows_the_version() -> None:
    servicer = Servicer()

    async def check(triton: Triton) -> None:
        for _ in range(3):
            assert (await triton.text(b"x", 5)).model.version == "3"
        assert servicer.configs_asked == [("emotion_text", "1")]
        servicer.version = "2"
        servicer.parameters["text"] = json.dumps(TEXT | {"version": "4"})
        assert (await triton.text(b"x", 5)).model.version == "4"
        assert servicer.configs_asked[1:] == [("emotion_text", "2")]

    with_triton(servicer, check)


class Replaced(Servicer):
    """Its first answer names a version that is gone by the time its config is asked for."""

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        response = await super().ModelInfer(request, context)
        if len(self.requests) == 1:
            response.model_version = "gone"
        return response


def test_a_version_replaced_while_it_answers() -> None:
    servicer = Replaced()

    async def check(triton: Triton) -> None:
        assert (await triton.text(b"x", 5)).model.version == "3"

    with_triton(servicer, check)
    assert set(servicer.configs_asked[:-1]) == {("emotion_text", "gone")}
    assert servicer.configs_asked[-1] == ("emotion_text", "1")
    assert len(servicer.requests) == 2


@pytest.mark.parametrize("parameters", [{}, {"text": "not json"}, {"text": '{"name": "x"}'}])
def test_config_without_a_description(parameters: dict[str, str]) -> None:
    servicer = Servicer()
    servicer.parameters = parameters

    async def check(triton: Triton) -> None:
        with pytest.raises(UnavailableError):
            await triton.text(b"x", 5)
        assert await triton.loaded(5) == {}

    with_triton(servicer, check)


def test_restart() -> None:
    async def check() -> None:
        [port] = free_ports(1)
        triton = Triton(f"127.0.0.1:{port}")
        with pytest.raises(UnavailableError):
            await triton.text(b"x", 5)
        assert len(await triton.missing(1)) == 3
        first = Servicer()
        server, _ = await start(first, port)
        assert (await _until_it_answers(triton)) == "3"
        assert await triton.missing(5) == ["model emotion_audio"]
        await server.stop(None)
        with pytest.raises(UnavailableError):
            await triton.text(b"x", 5)
        second = Servicer()
        second.version = "of other weights"
        second.parameters["text"] = json.dumps(TEXT | {"version": "9"})
        server, _ = await start(second, port)
        assert (await _until_it_answers(triton)) == "9"
        await triton.close()
        await server.stop(None)

    asyncio.run(check())


async def _until_it_answers(triton: Triton) -> str:
    deadline_s = time.monotonic() + 20
    while True:
        try:
            return (await triton.text(b"x", 5)).model.version
        except UnavailableError:
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.05)


class OnTrial(Servicer):
    """Has a candidate of the text beside what it serves."""

    def __init__(self, trial: str) -> None:
        super().__init__()
        self.trial = trial

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        await asyncio.sleep(self.hang_s)
        if request.name == "emotion_audio_candidate":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        response = await super().ModelConfig(request, context)
        if request.name == "emotion_text_candidate":
            response.config.parameters["trial"].string_value = self.trial
        return response


def test_a_trial_is_read_from_the_candidates_config_and_its_ensembles_are_asked() -> None:
    servicer = OnTrial('{"kind": "canary", "percent": 12.5}')

    async def check(triton: Triton) -> None:
        found = await triton.trial(5)
        assert found == Trial(branch="text", version="3", kind="canary", percent=12.5)
        await triton.candidate.text(b"x", 5)
        await triton.candidate.multimodal(b"x", b"y", 0.5, 5)
        await triton.text(b"x", 5)

    with_triton(servicer, check)
    assert [request.model_name for request in servicer.requests] == [
        "emotion_text_candidate", "emotion_multimodal_candidate", "emotion_text",
    ]  # fmt: skip


@pytest.mark.parametrize("trial", ["", "[]", "{}", '{"kind": "canary", "percent": 101}'])
def test_a_trial_that_does_not_say_what_it_is_is_none(trial: str) -> None:
    async def check(triton: Triton) -> None:
        assert await triton.trial(5) is None

    with_triton(OnTrial(trial), check)


def test_a_triton_that_does_not_say_has_not_ended_a_trial() -> None:
    servicer = OnTrial('{"kind": "canary", "percent": 12.5}')

    async def check(triton: Triton) -> None:
        trials = Trials(triton, Metrics())
        async with asyncio.timeout(60):
            while trials.running is None:
                await trials._look()
        servicer.hang_s = 60
        with pytest.raises(ModelTimeoutError):
            await triton.trial(0.1)
        await trials._look()
        assert trials.running is not None

    with_triton(servicer, check)


def test_without_a_triton_nothing_is_on_trial() -> None:
    async def check() -> None:
        triton = Triton(f"127.0.0.1:{free_ports(1)[0]}")
        assert await triton.trial(1) is None
        await triton.close()

    asyncio.run(check())
