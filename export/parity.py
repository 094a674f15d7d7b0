"""The gate: what ONNX Runtime answers must be what the untouched checkpoint answers.

Each row is asked alone, then in batches of mixed lengths as Triton would merge them: some
rows are requests of their own, others lie in a batch that a client padded. The padding is
not zeros but other rows' values, so that nothing passes that looks at it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from export.errors import ExportError
from export.rows import Row

_ROWS_IN_BATCH = 4
_CLIENT_ROWS = 2  # of them, in one padded client batch


@dataclass(frozen=True)
class Parity:
    """The largest difference of a probability over `cases` answers."""

    max_abs_diff: float
    tolerance: float
    cases: int


def check(model: Path, rows: Sequence[Row], tolerance: float) -> Parity:
    """Run the gate over an ONNX file.

    Raises:
        ExportError: an answer differs by more than `tolerance`, or is not finite.
    """
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    worst, cases = 0.0, 0
    for kind, batch in _batches(rows):
        answers = run(session, [row.values for row in batch], _strides(batch))
        for row, answer in zip(batch, answers, strict=True):
            difference = _difference(row, answer)
            if not difference <= tolerance:  # true for NaN too
                raise ExportError(
                    f"the ONNX graph differs from the checkpoint by {difference:.2g} "
                    f"({row.name}, {kind}); at most {tolerance:g} is allowed. Nothing was "
                    "published. If its probabilities may differ that much, raise the tolerance"
                )
            worst, cases = max(worst, difference), cases + 1
    return Parity(worst, tolerance, cases)


def run(
    session: onnxruntime.InferenceSession,
    rows: Sequence[npt.NDArray[np.generic]],
    strides: Sequence[int],
) -> npt.NDArray[np.float32]:
    """Return probabilities [B, 7] of a ragged batch, each row widened to its stride."""
    other = max(rows, key=len)
    wide = [
        np.concatenate([row, np.resize(other, stride - len(row))])
        for row, stride in zip(rows, strides, strict=True)
    ]
    inputs = (
        np.concatenate(wide),
        np.array([[len(row)] for row in rows], dtype=np.int32),
        np.array([[stride] for stride in strides], dtype=np.int32),
    )
    names = [node.name for node in session.get_inputs()]
    answers: npt.NDArray[np.float32] = session.run(
        ["probabilities"], dict(zip(names, inputs, strict=True))
    )[0]
    return answers


def _batches(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield each row alone, then batches that each hold short and long rows."""
    for row in rows:
        yield "alone", [row]
    by_length = sorted(rows, key=lambda row: len(row.values))
    count = -(-len(rows) // _ROWS_IN_BATCH)
    for first in range(count):
        batch = by_length[first::count]
        yield f"in a batch of {len(batch)}", batch


def _strides(batch: Sequence[Row]) -> list[int]:
    """Return the widths: own lengths first, the last rows as wide as a client would pad them."""
    lengths = [len(row.values) for row in batch]
    if len(batch) <= _CLIENT_ROWS:
        return lengths
    return lengths[:-_CLIENT_ROWS] + [max(lengths) + 3] * _CLIENT_ROWS


def _difference(row: Row, answer: npt.NDArray[np.float32]) -> float:
    if row.expected is None:
        return 0.0 if np.isfinite(answer).all() else float("inf")
    return float(np.abs(answer - row.expected).max())
