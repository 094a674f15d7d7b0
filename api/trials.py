"""Who answers while a canary runs: the version that is served, or the candidate."""

import asyncio
import logging
import time
from dataclasses import replace

from api.classify import Prediction, classify, classify_whole
from api.errors import ApiError, InputError, ModelTimeoutError
from api.metrics import Metrics
from api.models import Asked, Models
from api.trial import Trial, chosen_track

logger = logging.getLogger("neurosense.api")

_EVERY_S = 1.0
_ASKING_S = 0.7
_FIRST_TRY = 0.5
"""Share of the time for the candidate: one that hangs leaves time to do without it."""


class Trials:
    """One per process, inside one event loop."""

    def __init__(self, models: Models, metrics: Metrics) -> None:
        self.running: Trial | None = None
        self._models = models
        self._metrics = metrics
        self._complained = False

    async def follow(self) -> None:
        """Learn for ever, every second, which trial runs."""
        while True:
            await self._look()
            await asyncio.sleep(_EVERY_S)

    async def classify(self, asked: Asked, timeout_s: float) -> Prediction:
        """Classify as `classify` does, by the candidate if it is its turn.

        Raises:
            InputError: also `no_canary`, the client chose one and there is none.
        """
        trial, chosen = self.running, chosen_track()
        if trial is None or trial.kind != "canary":
            if chosen == "canary":
                raise InputError("no_canary", "no version is on trial as a canary")
        elif has_part(trial, asked):
            if chosen == "canary":
                return await self.by_candidate(asked, timeout_s)
            if chosen is None and trial.draws_this():
                return await self._tried(trial, asked, timeout_s)
        return await classify(self._models, asked, timeout_s)

    async def by_candidate(self, asked: Asked, timeout_s: float) -> Prediction:
        """Return what the candidate says, of all that was sent; ApiError where it cannot."""
        prediction = await classify_whole(self._models.candidate, asked, timeout_s)
        return replace(prediction, track="canary")

    async def _tried(self, trial: Trial, asked: Asked, timeout_s: float) -> Prediction:
        """Return what the candidate says, or else the version that is served."""
        deadline_s = time.monotonic() + timeout_s
        try:
            prediction = await self.by_candidate(asked, timeout_s * _FIRST_TRY)
        except ApiError as error:
            prediction = await classify(self._models, asked, deadline_s - time.monotonic())
            if prediction.degraded is None:  # else what was sent was at fault
                await self._failed(trial, error)
            return prediction
        self._metrics.tried("canary", "answered")
        self._complained = False
        return prediction

    async def _failed(self, trial: Trial, error: ApiError) -> None:
        """Count and tell that the candidate could not do what the served version could."""
        await self._look()
        if self.running is None or self.running.version != trial.version:
            return  # the trial had just ended
        self._metrics.tried("canary", "failed")
        if not self._complained:  # once, until it answers again
            logger.warning(
                "the canary, %s version %s, fails (%s); the served version answers instead",
                trial.branch,
                trial.version,
                error.code,
            )
        self._complained = True

    async def _look(self) -> None:
        try:
            found = await self._models.trial(_ASKING_S)
        except ModelTimeoutError:
            return  # a busy Triton has not ended it
        if found != self.running:
            logger.info("on trial: %s", "nothing" if found is None else f"{found!r}")
        self.running = found


def has_part(trial: Trial, asked: Asked) -> bool:
    """Tell whether the branch on trial has a part in the answer."""
    return (asked.text if trial.branch == "text" else asked.audio) is not None
