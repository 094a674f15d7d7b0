"""Models that know one answer each, to put behind the API."""

import asyncio
import threading
from typing import Any

from api.errors import ApiError, InputError, ModelTimeoutError, UnavailableError
from api.models import Branch, BranchResult, FusedResult, Scores
from api.schemas import ModelInfo
from api.trial import Trial
from tests.waiting import until_set

TEXT_SCORES = {
    "anger": 0.05, "disgust": 0.04, "fear": 0.03, "joy": 0.6,
    "neutral": 0.2, "sadness": 0.07, "surprise": 0.01,
}  # fmt: skip
AUDIO_SCORES = {"anger": 0.5, "joy": 0.25, "neutral": 0.125, "sadness": 0.125}
GOOD_AUDIO = b"RIFF good"


class FakeModels:
    """Two branches that know one answer each; a test breaks them by setting `faults`.

    With `running`, `candidate` is on trial: a model of the same answers under version 9.
    """

    text_version = "3"

    def __init__(self, *, with_candidate: bool = True) -> None:
        if with_candidate:
            self.candidate = FakeModels(with_candidate=False)
            self.candidate.text_version = "9"
        self.reset()

    def reset(self) -> None:
        if hasattr(self, "candidate"):
            self.candidate.reset()
        self.running: Trial | None = None
        self.faults: dict[Branch | str, ApiError] = {}
        self.hanging: set[str] = set()
        self.given_up: threading.Event | None = None
        """Ends what hangs, whose own time does not count then."""
        self.truncated_tokens = 0
        self.calls: list[tuple[Any, ...]] = []

    async def text(self, text: bytes, timeout_s: float) -> BranchResult:
        self.calls.append(("text", text))
        await self._fault("text", timeout_s)
        _check_text(text)
        model = ModelInfo(name="fake-text", version=self.text_version, weights="local")
        return BranchResult(TEXT_SCORES, model, self.truncated_tokens)

    async def audio(self, audio: bytes, timeout_s: float) -> BranchResult:
        self.calls.append(("audio", audio))
        await self._fault("audio", timeout_s)
        _check_audio(audio)
        return BranchResult(AUDIO_SCORES, ModelInfo(name="fake-audio", version="2", weights="hub"))

    async def multimodal(
        self, text: bytes, audio: bytes, text_weight: float, timeout_s: float
    ) -> FusedResult:
        self.calls.append(("multimodal", text, audio, text_weight))
        await self._fault("fusion", timeout_s)
        of_text = await self.text(text, timeout_s)
        of_audio = await self.audio(audio, timeout_s)
        return FusedResult(fuse(text_weight), {"text": of_text, "audio": of_audio})

    async def trial(self, _timeout_s: float) -> Trial | None:
        return self.running

    async def loaded(self, _timeout_s: float) -> dict[Branch, ModelInfo]:
        models: dict[Branch, ModelInfo] = {
            "text": ModelInfo(name="fake-text", version="3", weights="local"),
            "audio": ModelInfo(name="fake-audio", version="2", weights="hub"),
        }
        return {branch: model for branch, model in models.items() if branch not in self.faults}

    async def missing(self, _timeout_s: float) -> list[str]:
        return [f"model emotion_{name}" for name in self.faults]

    async def close(self) -> None:
        self.calls.append(("close",))

    async def _fault(self, name: str, timeout_s: float) -> None:
        if name in self.hanging:
            await (until_set(self.given_up) if self.given_up else asyncio.sleep(timeout_s))
            raise ModelTimeoutError("timeout", "the models did not answer in time")
        if name in self.faults:
            raise self.faults[name]


def fuse(text_weight: float) -> Scores:
    return {
        emotion: text_weight * score + (1 - text_weight) * AUDIO_SCORES.get(emotion, 0.0)
        for emotion, score in TEXT_SCORES.items()
    }


def _check_text(text: bytes) -> None:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise InputError("text_invalid", "text is not valid UTF-8") from None
    if not decoded.strip():
        raise InputError("text_empty", "text is empty")


def _check_audio(audio: bytes) -> None:
    if not audio:
        raise InputError("audio_empty", "the recording has no bytes")
    if not audio.startswith(b"RIFF"):
        raise InputError("audio_undecodable", "the recording cannot be decoded")


def down() -> UnavailableError:
    return UnavailableError("model_unavailable", "the model is not available at the moment")
