"""What the gate before a promotion can be told."""

from pathlib import Path
from typing import Annotated

import typer

from serving.models.verdict import Thresholds
from serving.settings import Settings

Golden = Annotated[
    Path | None,
    typer.Option(
        help="CSV file with a column `text` or `audio` (paths beside it), and perhaps `label` "
        "(default: the set that is shipped)"
    ),
]
MinAgreement = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="of labels (default: NEUROSENSE_VERIFY_MIN_AGREEMENT)"),
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        "--max-accuracy-drop",
        min=0,
        max=1,
        help="on labelled cases (default: NEUROSENSE_VERIFY_MAX_ACCURACY_DROP)",
    ),
]
MaxRatio = Annotated[
    float | None,
    typer.Option(
        "--max-latency-ratio",
        min=0,
        help="of median times (default: NEUROSENSE_VERIFY_MAX_LATENCY_RATIO)",
    ),
]


def thresholds(agreement: float | None, drop: float | None, ratio: float | None) -> Thresholds:
    """Return what was given, and the settings' values for the rest."""
    settings = Settings.load()
    return Thresholds(
        settings.verify_min_agreement if agreement is None else agreement,
        settings.verify_max_accuracy_drop if drop is None else drop,
        settings.verify_max_latency_ratio if ratio is None else ratio,
    )
