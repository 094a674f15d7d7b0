"""The gate of a lower precision: real inputs must get the labels that float32 gives them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from export.errors import ExportError
from export.parity import run

LEAST_LABEL_AGREEMENT = 0.99
LARGEST_MEAN_ABS_DIFF = 0.01
_ROWS_IN_BATCH = 4


@dataclass(frozen=True)
class Gate:
    """How a graph's answers compare with float32's over `cases` inputs.

    `mean_abs_diff` is of the probabilities of emotions that the checkpoint has at all.
    """

    data: str
    cases: int
    label_agreement: float
    mean_abs_diff: float

    @property
    def passed(self) -> bool:
        """Whether the figures are good enough to be published."""
        near = self.mean_abs_diff <= LARGEST_MEAN_ABS_DIFF
        return self.label_agreement >= LEAST_LABEL_AGREEMENT and near

    @property
    def summary(self) -> str:
        """The figures in words."""
        return (
            f"{self.label_agreement:.2%} of {self.cases} labels agree, probabilities differ by "
            f"{self.mean_abs_diff:.4f} on average"
        )

    def refusal(self, precision: str) -> ExportError:
        """Return the error that says why the precision is not published."""
        return ExportError(
            f"{precision} changes the answers of fp32 too much: {self.summary}; at least "
            f"{LEAST_LABEL_AGREEMENT:.0%} and at most {LARGEST_MEAN_ABS_DIFF} are asked for. "
            "Choose --precision fp32 (NEUROSENSE_PRECISION)"
        )

    def figures(self) -> dict[str, Any]:
        """Return what the manifest remembers."""
        return {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def judge(reference: Path, candidate: Path, rows: Sequence[npt.NDArray[Any]], data: str) -> Gate:
    """Compare two graphs' answers to `rows`, token ids or samples [n] each.

    Args:
        reference: the float32 ONNX file.
        candidate: the ONNX file in another precision.
        rows: real inputs that the candidate was not calibrated with.
        data: what they are, for the record.
    """
    expected, answers = _answers(reference, rows), _answers(candidate, rows)
    has = expected.max(axis=0) > 0
    return Gate(
        data=data,
        cases=len(rows),
        label_agreement=float((expected.argmax(axis=1) == answers.argmax(axis=1)).mean()),
        mean_abs_diff=float(np.abs(expected - answers)[:, has].mean()),
    )


def _answers(model: Path, rows: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Return probabilities [rows, 7]; rows of like lengths share a batch."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    order = np.argsort([len(row) for row in rows], kind="stable")
    answers = np.empty((len(rows), 7), np.float32)
    for start in range(0, len(rows), _ROWS_IN_BATCH):
        index = order[start : start + _ROWS_IN_BATCH]
        batch = [rows[i] for i in index]
        answers[index] = run(session, batch, [len(row) for row in batch])
    return answers
