"""The client against a server that misbehaves.

What it makes of a Triton that works is tested against the real one, in test_real_*.py.
"""

import asyncio

import grpc  # type: ignore[import-untyped]
import numpy as np
import pytest

from api.errors import ApiError, InputError, ModelTimeoutError, TooLargeError, UnavailableError
from api.triton import Triton
from ensemble.labels import EMOTIONS
from tests.api.triton_double import P, Servicer, with_triton


def test_an_answer_and_its_request() -> None:
    servicer = Servicer()

    async def check(triton: Triton) -> None:
        found = await triton.multimodal(b"a\0", b"RIFF", 0.3, 5)
        assert found.scores == pytest.approx(dict(zip(EMOTIONS, P, strict=True)))
        assert found.branches["audio"].scores == pytest.approx({"anger": 0.1, "joy": 0.5})
        assert found.branches["text"].truncated_tokens == 4
        assert found.branches["text"].model.model_dump() == {
            "name": "t", "version": "3", "weights": "hub",
        }  # fmt: skip
        alone = await triton.audio(b"RIFF", 5)
        assert set(alone.scores) == {"anger", "joy"}
        assert alone.model.weights == "local"

    with_triton(servicer, check)
    [text, audio, weight] = servicer.requests[0].raw_input_contents
    assert text == b"\x02\0\0\0a\0"
    assert audio == b"\x04\0\0\0RIFF"
    assert weight == np.float32(0.3).tobytes()
    assert [list(tensor.shape) for tensor in servicer.requests[0].inputs] == [[1, 1]] * 3


@pytest.mark.parametrize(
    ("status", "message", "kind", "code"),
    [
        ("INTERNAL", "in ensemble 'emotion_audio', [audio_undecodable] no stream", InputError,
         "audio_undecodable"),
        ("INTERNAL", "in ensemble 'e', [audio_too_large] too many bytes", TooLargeError,
         "audio_too_large"),
        ("INTERNAL", "[text_empty] text is empty", InputError, "text_empty"),
        ("INTERNAL", "step failed: KeyError", UnavailableError, "model_failed"),
        ("INTERNAL", "[something_else] x", UnavailableError, "model_failed"),
        ("UNAVAILABLE", "in ensemble 'e', Request for unknown model", UnavailableError,
         "model_unavailable"),
        ("NOT_FOUND", "Request for unknown model", UnavailableError, "model_unavailable"),
        ("DEADLINE_EXCEEDED", "late", ModelTimeoutError, "timeout"),
    ],
)  # fmt: skip
def test_errors(status: str, message: str, kind: type[ApiError], code: str) -> None:
    servicer = Servicer()
    servicer.fault = (grpc.StatusCode[status], message)

    async def check(triton: Triton) -> None:
        with pytest.raises(ApiError) as raised:
            await triton.text(b"x", 5)
        assert (type(raised.value), raised.value.code) == (kind, code)
        assert "ensemble" not in raised.value.detail

    with_triton(servicer, check)


def test_deadline() -> None:
    servicer = Servicer()

    async def check(triton: Triton) -> None:
        await triton.text(b"x", 20)  # it is connected
        servicer.requests.clear()
        servicer.hang_s = 60
        async with asyncio.timeout(30):
            while not servicer.requests:  # on a busy machine one may not get there in time
                with pytest.raises(ModelTimeoutError):
                    await triton.text(b"x", 0.2)
            asked = len(servicer.requests)
            with pytest.raises(ModelTimeoutError):
                await triton.text(b"x", -1)
            assert len(await triton.missing(0.2)) == 3
            while servicer.cancelled < asked:
                await asyncio.sleep(0.01)
        assert len(servicer.requests) == asked

    with_triton(servicer, check)


def test_a_call_that_nobody_waits_for_is_cancelled() -> None:
    servicer = Servicer()
    servicer.hang_s = 60

    async def check(triton: Triton) -> None:
        waiting = asyncio.create_task(triton.text(b"x", 50))
        while not servicer.requests:
            await asyncio.sleep(0.01)
        waiting.cancel()
        async with asyncio.timeout(10):
            while not servicer.cancelled:
                await asyncio.sleep(0.01)

    with_triton(servicer, check)


@pytest.mark.parametrize("probabilities", [[*P[:6], float("nan")], P[:4]])
def test_probabilities_that_are_none(probabilities: list[float]) -> None:
    servicer = Servicer()
    servicer.probabilities = probabilities

    async def check(triton: Triton) -> None:
        with pytest.raises(UnavailableError):
            await triton.text(b"x", 5)

    with_triton(servicer, check)


def test_a_recording_as_large_as_the_limit() -> None:
    servicer = Servicer()

    async def check(triton: Triton) -> None:
        await triton.audio(b"R" * (25 * 2**20), 20)

    with_triton(servicer, check)
    assert len(servicer.requests[0].raw_input_contents[0]) == 4 + 25 * 2**20
