"""Fits a branch's temperature on one split, and judges it on another."""

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.answers import Answers
from evaluation.asking import Models, collect
from evaluation.calibration import by_chance, ece, log_loss
from evaluation.coverage import covered_rows
from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Part, emotion_index, parts
from evaluation.metrics import Floats, Ints
from evaluation.report import answered
from evaluation.temperature import cooled, fit
from export.manifest import Branch

_TOLD_APART_NATS = 1e-4  # of log loss: less is the last digits of float32


@dataclass(frozen=True)
class Fitted:
    """A branch's temperature, and how its answers do without (`before`) and with it (`after`)."""

    temperature: float
    data: str
    fitted_on: str
    fitted_rows: int
    judged: str
    judged_rows: int
    ece_before: float
    ece_after: float
    ece_by_chance: float
    log_loss_before: float
    log_loss_after: float
    present: float
    log_loss_present: float

    @property
    def harms(self) -> bool:
        """Whether the truth of the judged rows gets less likely than it is with `present`."""
        return self.log_loss_after > self.log_loss_present + _TOLD_APART_NATS

    @property
    def summary(self) -> str:
        """The figures in words."""
        return (
            f"temperature {self.temperature:.3f} (now {self.present:.3f}), fitted on "
            f"{self.fitted_rows} rows of {self.fitted_on}. On {self.judged_rows} of {self.judged}: "
            f"ECE {self.ece_before:.3f} without, {self.ece_after:.3f} with it (up to "
            f"{self.ece_by_chance:.3f} is chance), log loss {self.log_loss_before:.3f} without, "
            f"{self.log_loss_after:.3f} with it"
        )

    def record(self) -> dict[str, Any]:
        """Return what the manifest remembers."""
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(self).items()
            if not name.endswith("present")
        }


def fitted(data: Dataset, branch: Branch, models: Models, dev: str, test: str) -> Fitted:
    """Return the temperature that fits `dev` best, and its figures on `test`.

    Data without splits is both. Rows whose emotion the model has no output for are left out. A
    temperature that the model has already is undone first: what is fitted replaces it.

    Raises:
        EvaluationError: there is nothing to fit on.
    """
    chosen = parts(_of_branch(data, branch), dev, test)
    fit_on, judged_on = chosen[0], chosen[-1]
    if fit_on.name not in (dev, "all"):
        raise EvaluationError(f"{data.name} has no split {dev!r} to fit on: name one with --dev")
    with tempfile.TemporaryDirectory() as folder:
        items = [item for part in chosen for item in part.items]
        answers = collect(items, models, Path(folder))
    truth, given = _rows(fit_on, answers, branch)
    temperature = fit(truth, given)
    present = _temperature(answers, branch)
    judged, before = _rows(judged_on, answers, branch)
    after = cooled(before, temperature)
    return Fitted(
        temperature=temperature,
        data=data.name,
        fitted_on=fit_on.name,
        fitted_rows=len(truth),
        judged=judged_on.name,
        judged_rows=len(judged),
        ece_before=ece(judged, before),
        ece_after=ece(judged, after),
        ece_by_chance=by_chance(after)["percentile_95"],
        log_loss_before=log_loss(judged, before),
        log_loss_after=log_loss(judged, after),
        present=present,
        log_loss_present=log_loss(judged, cooled(before, present)),
    )


def _of_branch(data: Dataset, branch: Branch) -> Dataset:
    """Return the data with what the branch reads, and nothing for the other."""
    if branch == "text":
        items = [dataclasses.replace(item, audio=None) for item in data.items if item.text]
    else:
        items = [dataclasses.replace(item, text=None) for item in data.items if item.audio]
    return dataclasses.replace(data, items=items)


def _temperature(answers: Answers, branch: Branch) -> float:
    """Return what the answers are cooled by already."""
    return float((answers.models[branch].get("calibration") or {"temperature": 1})["temperature"])


def _rows(part: Part, answers: Answers, branch: Branch) -> tuple[Ints, Floats]:
    """Return truth [n] and probabilities [n, 7] of the rows that the branch can be right about.

    The probabilities are those without a temperature.
    """
    items, probabilities = answered(part.items, answers, branch)
    rows = covered_rows(items, answers.models[branch]["coverage"])
    if not rows:
        raise EvaluationError(f"{part.name} holds no row with an emotion that the model has")
    truth = np.array(emotion_index([items[row] for row in rows]))
    return truth, cooled(probabilities[rows], 1 / _temperature(answers, branch))
