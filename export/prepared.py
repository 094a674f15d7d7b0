"""A checkpoint made ready for export, the same for both branches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from tokenizers import Tokenizer

from export.checkpoint import Checkpoint
from export.rows import Row


@dataclass(frozen=True)
class Limits:
    """What a checkpoint takes; a branch sets its own two."""

    max_tokens: int | None = None
    pad_id: int | None = None
    sample_rate_hz: int | None = None
    min_samples: int | None = None


@dataclass(frozen=True)
class RealInputs:
    """Token ids or samples [n] of real sentences or recordings, for a lower precision.

    Its scales come from `calibration`; `judged` are others, on which it is compared.
    """

    calibration: Sequence[npt.NDArray[Any]]
    judged: Sequence[npt.NDArray[Any]]
    data: str = "the sentences and recordings of export/samples"


@dataclass(frozen=True)
class Prepared:
    """All that writing and judging a graph takes; `make_graph` loads a copy of its own."""

    checkpoint: Checkpoint
    make_graph: Callable[[], Any]
    input_names: list[str]
    rows: list[Row]
    limits: Limits
    real_inputs: RealInputs
    tokenizer: Tokenizer | None = None


def prepare(checkpoint: Checkpoint) -> Prepared:
    """Load the checkpoint and run it over the cases of the parity gate.

    Raises:
        ExportError: it cannot be served; the message says why.
    """
    if checkpoint.branch == "text":
        from export import text_branch as branch
    else:
        from export import audio_branch as branch  # type: ignore[no-redef]
    return branch.prepare(checkpoint)
