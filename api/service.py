"""What the routes share: the settings, the models and the log."""

import time
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from api import answers
from api.admission import Admission
from api.classify import Prediction, classify
from api.log import PredictionLog
from api.metrics import Metrics
from api.models import Asked, Branch, Models
from api.request_id import current_request_id
from api.rows import NO_PART, Part, to_row
from api.schemas import Answer, MultimodalAnswer
from api.settings import Settings
from api.tracing import span


@dataclass(frozen=True)
class Service:
    """One per process."""

    settings: Settings
    models: Models
    log: PredictionLog
    metrics: Metrics
    admission: Admission

    async def single(self, branch: Branch, asked: Asked, started_s: float) -> Answer:
        """Answer for one modality; its row is durable when this returns."""
        with self.admission.place(), self.metrics.model_time(branch):
            prediction = await classify(self.models, asked, self.settings.request_timeout_s)
        return await self._single(branch, prediction, asked, started_s)

    async def item(self, asked: Asked) -> Answer:
        """Answer for one item, a text or a recording, of a request that has many.

        It waits for its turn; `latency_ms` counts from there.
        """
        branch: Branch = "text" if asked.audio is None else "audio"
        async with self.admission.turn(self.settings.request_timeout_s):
            started_s = time.perf_counter()
            with self.metrics.model_time(branch):
                prediction = await classify(self.models, asked, self.settings.request_timeout_s)
        return await self._single(branch, prediction, asked, started_s)

    async def multimodal(self, asked: Asked, started_s: float) -> MultimodalAnswer:
        """Answer for a sentence, a recording, or both; its row is durable then."""
        with self.admission.place(), self.metrics.model_time("multimodal"):
            prediction = await classify(self.models, asked, self.settings.request_timeout_s)
        answer = answers.multimodal(
            prediction, _elapsed_ms(started_s), self.settings.uncertain_below
        )
        await self._store(answer, prediction, asked)
        return answer

    async def segment(self, asked: Asked, part: Part) -> MultimodalAnswer:
        """Answer for a part of a long recording, as `item`."""
        async with self.admission.turn(self.settings.request_timeout_s):
            started_s = time.perf_counter()
            with self.metrics.model_time("timeline"):
                prediction = await classify(self.models, asked, self.settings.request_timeout_s)
        answer = answers.multimodal(
            prediction, _elapsed_ms(started_s), self.settings.uncertain_below
        )
        if not self.settings.store_input_text:
            part = replace(part, speaker=None)
        await self._store(answer, prediction, asked, part)
        return answer

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

    def _kept_text(self, asked: Asked) -> str | None:
        if asked.text is None or not self.settings.store_input_text:
            return None
        return asked.text.decode("utf-8", "replace")


def _elapsed_ms(started_s: float) -> float:
    return (time.perf_counter() - started_s) * 1000


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
