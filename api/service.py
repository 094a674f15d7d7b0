"""What the routes share: the settings, the models and the log."""

import time
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api import answers
from api.admission import Admission
from api.classify import Prediction
from api.log import PredictionLog
from api.metrics import Metrics
from api.models import Asked, Branch, Models
from api.request_id import current_request_id
from api.rows import NO_PART, Part, to_row
from api.schemas import Answer, MultimodalAnswer
from api.settings import Settings
from api.shadows import Shadows
from api.tracing import span
from api.trials import Trials


@dataclass(frozen=True)
class Found:
    """What was asked and what came of it."""

    asked: Asked
    prediction: Prediction
    answer: MultimodalAnswer


@dataclass(frozen=True)
class Service:
    """One per process."""

    settings: Settings
    models: Models
    log: PredictionLog
    metrics: Metrics
    admission: Admission
    trials: Trials
    shadows: Shadows

    async def single(self, branch: Branch, asked: Asked, started_s: float) -> Answer:
        """Answer for one modality; its row is durable when this returns."""
        with self.admission.place(), self.metrics.model_time(branch):
            prediction = await self.trials.classify(asked, self.settings.request_timeout_s)
        return await self._single(branch, prediction, asked, started_s)

    async def item(self, asked: Asked) -> Answer:
        """Answer for one item, a text or a recording, of a request that has many.

        It waits for its turn; `latency_ms` counts from there.
        """
        branch: Branch = "text" if asked.audio is None else "audio"
        async with self.admission.turn(self.settings.request_timeout_s):
            started_s = time.perf_counter()
            with self.metrics.model_time(branch):
                prediction = await self.trials.classify(asked, self.settings.request_timeout_s)
        return await self._single(branch, prediction, asked, started_s)

    async def multimodal(self, asked: Asked, started_s: float) -> MultimodalAnswer:
        """Answer for a sentence, a recording, or both; its row is durable then."""
        with self.admission.place(), self.metrics.model_time("multimodal"):
            prediction = await self.trials.classify(asked, self.settings.request_timeout_s)
        answer = answers.multimodal(
            prediction, _elapsed_ms(started_s), self.settings.uncertain_below
        )
        await self._store(answer, prediction, asked)
        return answer

    async def find(self, asked: Asked, endpoint: str, turn_timeout_s: float) -> Found:
        """Answer for a part of what one client sends, once it is its turn; it is in no log yet."""
        async with self.admission.turn(turn_timeout_s):
            started_s = time.perf_counter()
            with self.metrics.model_time(endpoint):
                prediction = await self.trials.classify(asked, self.settings.request_timeout_s)
        latency_ms, below = _elapsed_ms(started_s), self.settings.uncertain_below
        return Found(asked, prediction, answers.multimodal(prediction, latency_ms, below))

    async def keep(self, found: Found, part: Part) -> None:
        """Return when the row of what was found is durable; it is on its way at once."""
        if not self.settings.store_input_text:
            part = replace(part, speaker=None)
        await self._store(found.answer, found.prediction, found.asked, part)

    async def _single(
        self, branch: Branch, prediction: Prediction, asked: Asked, started_s: float
    ) -> Answer:
        answer = answers.single(
            branch, prediction, _elapsed_ms(started_s), self.settings.uncertain_below
        )
        await self._store(answer, prediction, asked)
        return answer

    async def _store(
        self, answer: Answer, prediction: Prediction, asked: Asked, part: Part = NO_PART
    ) -> None:
        text = self._kept_text(asked)
        row = to_row(answer, prediction.fusion_weights, text, current_request_id(), part)
        with span("write log row"):
            await self.log.write(row)
        self.metrics.predicted(answer)
        self.shadows.cast(asked, prediction, row)

    def _kept_text(self, asked: Asked) -> str | None:
        if asked.text is None or not self.settings.store_input_text:
            return None
        return asked.text.decode("utf-8", "replace")


def _elapsed_ms(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1000


async def _service(request: HTTPConnection) -> Service:  # async: else called in a thread
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
