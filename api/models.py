"""The interface between the HTTP side and whatever classifies (Triton, or a test's stand-in)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from api.schemas import ModelInfo
from api.trial import Trial

Branch = Literal["text", "audio"]
Scores = Mapping[str, float]
"""Probability by emotion, only of the emotions that the model can express."""


@dataclass(frozen=True)
class Asked:
    """What to analyse; None is what was not sent."""

    text: bytes | None
    audio: bytes | None
    text_weight: float


@dataclass(frozen=True)
class BranchResult:
    """What one branch found."""

    scores: Scores
    model: ModelInfo
    truncated_tokens: int = 0


@dataclass(frozen=True)
class FusedResult:
    """What both branches found, and their fusion."""

    scores: Scores
    branches: Mapping[Branch, BranchResult]


class Classifier(Protocol):
    """Classifies. Every call ends within `timeout_s`.

    Raises:
        InputError: the input is at fault.
        UnavailableError, ModelTimeoutError: the models are.
    """

    async def text(self, text: bytes, timeout_s: float) -> BranchResult:
        """Classify a sentence, UTF-8."""

    async def audio(self, audio: bytes, timeout_s: float) -> BranchResult:
        """Classify a recording, an encoded file."""

    async def multimodal(
        self, text: bytes, audio: bytes, text_weight: float, timeout_s: float
    ) -> FusedResult:
        """Classify both and fuse them; fails if either branch does."""


class Models(Classifier, Protocol):
    """The versions that are served, and the one that may be on trial beside them."""

    @property
    def candidate(self) -> Classifier:
        """The version on trial, for what its branch has a part in."""

    async def trial(self, timeout_s: float) -> Trial | None:
        """Return the trial that runs now, None where there is none.

        Raises:
            ModelTimeoutError: it is not known in time.
        """

    async def loaded(self, timeout_s: float) -> dict[Branch, ModelInfo]:
        """Return the model that answers for each branch now; never raises."""

    async def missing(self, timeout_s: float) -> list[str]:
        """Return what is not ready, empty if all is; never raises."""

    async def close(self) -> None:
        """Let go of connections."""
