"""The three ensembles in Triton as `Models`."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferResult

from api.calls import Calls
from api.descriptions import BRANCHES, Description, parse, parse_trial
from api.errors import ModelTimeoutError, UnavailableError
from api.faults import NOT_THERE
from api.models import Branch, BranchResult, FusedResult
from api.schemas import ModelInfo
from api.tensors import from_bytes, to_input, to_scores, truncated_tokens
from api.trial import Trial

ENSEMBLES = ("emotion_text", "emotion_audio", "emotion_multimodal")

_CANDIDATE = "_candidate"
"""Ends the names of the ensembles of a version on trial; serving makes them."""

_ANSWERS = 3
"""How often a request is answered at most, by versions that are replaced before they are known."""

_PAUSES_S = (0.0, 0.0, 0.01, 0.02, 0.05, 0.1)
"""After each time that a replica did not know the version that another one had answered by."""

_Inputs = Mapping[str, npt.NDArray[Any]]
_Described = dict[Branch, Description]


class Ensembles:
    """Those that are served, or a candidate's, whose names have a suffix."""

    def __init__(self, calls: Calls, suffix: str = "") -> None:
        self._calls = calls
        self._suffix = suffix
        self._known: dict[tuple[str, str], _Described] = {}
        """By ensemble and version, whose number stands for the same weights everywhere."""

    async def text(self, text: bytes, timeout_s: float) -> BranchResult:
        """Classify a sentence, UTF-8."""
        inputs = {"TEXT": from_bytes(text)}
        result, described = await self._infer(f"emotion_text{self._suffix}", inputs, timeout_s)
        return _branch(result, "PROBABILITIES", described, "text")

    async def audio(self, audio: bytes, timeout_s: float) -> BranchResult:
        """Classify a recording, an encoded file."""
        inputs = {"AUDIO": from_bytes(audio)}
        result, described = await self._infer(f"emotion_audio{self._suffix}", inputs, timeout_s)
        return _branch(result, "PROBABILITIES", described, "audio")

    async def multimodal(
        self, text: bytes, audio: bytes, text_weight: float, timeout_s: float
    ) -> FusedResult:
        """Classify both and fuse them, in Triton; fails if either branch does."""
        inputs = {
            "TEXT": from_bytes(text),
            "AUDIO": from_bytes(audio),
            "TEXT_WEIGHT": np.array([[text_weight]], dtype=np.float32),
        }
        result, described = await self._infer(
            f"emotion_multimodal{self._suffix}", inputs, timeout_s
        )
        branches: dict[Branch, BranchResult] = {
            "text": _branch(result, "TEXT_PROBABILITIES", described, "text"),
            "audio": _branch(result, "AUDIO_PROBABILITIES", described, "audio"),
        }
        covered = described["text"].coverage | described["audio"].coverage
        return FusedResult(to_scores(result, "PROBABILITIES", covered), branches)

    async def _infer(
        self, model: str, inputs: _Inputs, timeout_s: float
    ) -> tuple[InferResult, _Described]:
        """Return the answer, and what is known of the weights that gave it."""
        deadline_s = time.monotonic() + timeout_s
        tensors = [to_input(name, array) for name, array in inputs.items()]
        for _ in range(_ANSWERS - 1):
            result = await self._calls.infer(model, tensors, deadline_s - time.monotonic())
            try:
                return result, await self._description_of(model, result, deadline_s)
            except UnavailableError as error:
                if error.code != NOT_THERE:
                    raise
                # It was replaced everywhere the moment it had answered: its successor does.
        result = await self._calls.infer(model, tensors, deadline_s - time.monotonic())
        return result, await self._description_of(model, result, deadline_s)

    async def _description_of(
        self, model: str, result: InferResult, deadline_s: float
    ) -> _Described:
        version = result.get_response().model_version
        if (model, version) not in self._known:
            self._known[model, version] = await self._asked_for(model, version, deadline_s)
        return self._known[model, version]

    async def _asked_for(self, model: str, version: str, deadline_s: float) -> _Described:
        """Ask who answers next, and then others: while replicas are swapped, not all have it."""
        for pause_s in _PAUSES_S:
            try:
                return await self._describe(model, version, deadline_s - time.monotonic())
            except UnavailableError as error:
                if error.code != NOT_THERE:
                    raise
            await asyncio.sleep(pause_s)
        return await self._describe(model, version, deadline_s - time.monotonic())

    async def _describe(self, model: str, version: str, timeout_s: float) -> _Described:
        return parse(await self._calls.config(model, version, timeout_s))


class Triton(Ensembles):
    """Made and used inside one event loop."""

    def __init__(self, url: str) -> None:
        super().__init__(Calls(url))
        self.candidate = Ensembles(self._calls, _CANDIDATE)

    async def close(self) -> None:
        """Close the channel."""
        await self._calls.close()

    async def loaded(self, timeout_s: float) -> dict[Branch, ModelInfo]:
        """Return the model that answers for each branch now."""
        found = await asyncio.gather(
            self._describe("emotion_text", "", timeout_s),
            self._describe("emotion_audio", "", timeout_s),
            return_exceptions=True,
        )
        known = [each for each in found if not isinstance(each, BaseException)]
        return {branch: one.model for each in known for branch, one in each.items()}

    async def missing(self, timeout_s: float) -> list[str]:
        """Return the ensembles that are not ready."""
        ready = await asyncio.gather(*(self._calls.is_ready(name, timeout_s) for name in ENSEMBLES))
        return [f"model {name}" for name, yes in zip(ENSEMBLES, ready, strict=True) if not yes]

    async def trial(self, timeout_s: float) -> Trial | None:
        """Return the trial that the candidate's ensembles tell of."""
        found = await asyncio.gather(
            *(self._trial(branch, timeout_s) for branch in BRANCHES), return_exceptions=True
        )
        for one in found:
            if isinstance(one, Trial):
                return one
        for one in found:
            if isinstance(one, ModelTimeoutError):
                raise one
        return None

    async def _trial(self, branch: Branch, timeout_s: float) -> Trial:
        name = f"emotion_{branch}{_CANDIDATE}"
        return parse_trial(branch, await self._calls.config(name, "", timeout_s))


def _branch(result: InferResult, output: str, described: _Described, name: Branch) -> BranchResult:
    if name not in described:
        raise UnavailableError("model_failed", f"Triton does not say which {name} model it serves")
    description = described[name]
    scores = to_scores(result, output, description.coverage)
    cut = truncated_tokens(result) if name == "text" else 0
    return BranchResult(scores, description.model, cut)
