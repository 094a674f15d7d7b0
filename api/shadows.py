"""Copies of requests for a shadow: nobody waits for what it answers, and it is only logged.

It gets no place of those that users wait for. As many copies are under way at once as one request
may have items, none is begun while half of the places are taken, and none waits: what is over
that is dropped, and counted.
"""

import asyncio
import logging
import time

from api import answers
from api.admission import Admission
from api.classify import Prediction
from api.errors import ApiError
from api.log import PredictionLog
from api.metrics import Metrics
from api.models import Asked
from api.rows import Row, shadow_row
from api.trials import Trials, has_part

logger = logging.getLogger("neurosense.api")


class Shadows:
    """One per process, inside one event loop."""

    def __init__(
        self,
        trials: Trials,
        log: PredictionLog,
        admission: Admission,
        metrics: Metrics,
        timeout_s: float,
    ) -> None:
        self._trials = trials
        self._log = log
        self._admission = admission
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[None]] = set()

    def cast(self, asked: Asked, prediction: Prediction, row: Row) -> None:
        """Let the shadow, if one runs, answer what was answered and logged as `row`."""
        trial = self._trials.running
        if trial is None or trial.kind != "shadow" or prediction.degraded is not None:
            return
        if not (has_part(trial, asked) and trial.draws_this()):
            return
        if self._admission.is_half_taken or len(self._tasks) >= self._admission.items_at_once:
            self._metrics.tried("shadow", "dropped")
            return
        task = asyncio.create_task(self._answer(asked, row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, asked: Asked, row: Row) -> None:
        started_s = time.perf_counter()
        try:
            prediction = await self._trials.by_candidate(asked, self._timeout_s)
            latency_ms = (time.perf_counter() - started_s) * 1000
            answer = answers.multimodal(prediction, latency_ms, uncertain_below=0)
            await self._log.write(shadow_row(answer, row))
        except ApiError as error:
            logger.debug("the shadow does not answer: %s", error.code)
            self._metrics.tried("shadow", "failed")
        else:
            self._metrics.tried("shadow", "answered")
