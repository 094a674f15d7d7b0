"""One evaluation from data to report."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from evaluation.answers import Answers, stored
from evaluation.asking import Models, branches, collect
from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Part, parts
from evaluation.page import render
from evaluation.report import report
from evaluation.robustness import robustness

JSON_NAME, PAGE_NAME = "report.json", "report.html"


def evaluate(
    data: Dataset,
    models: Models,
    folder: Path,
    *,
    dev: str = "dev",
    test: str = "test",
    against: Path | None = None,
    changed: bool = False,
) -> dict[str, Any]:
    """Ask for what was not asked yet, write report.json and report.html, return the report.

    Args:
        data: labelled items.
        models: what answers.
        folder: takes answers and report; with answers of the same models in it, a run goes on.
        dev: the split that weights are chosen on.
        test: the split that they are scored on.
        against: the folder of another evaluation of the same items, to compare with.
        changed: whether to ask about changed copies of the scored items too.

    Raises:
        EvaluationError: data, models and folders do not fit together.
    """
    scored = parts(data, dev, test)
    other = _other(against, scored[-1]) if against else None
    items = [item for part in scored for item in part.items]
    answers = collect(items, models, folder)
    Console(stderr=True).print("scoring ...")
    made = report(data, scored, answers, other)
    if changed:
        items = scored[-1].items
        made["changed"] = {name: robustness(items, name, models) for name in branches(items)}
    (folder / JSON_NAME).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    (folder / PAGE_NAME).write_text(render(made), encoding="utf-8")
    return made


def _other(folder: Path, part: Part) -> Answers:
    """Return the answers to compare with; EvaluationError where they are to nothing in `part`."""
    other = stored(folder)
    if not any(other.of(item) for item in part.items):
        raise EvaluationError(
            f"{folder} has no answer to any item of {part.name}: it is of other data, or of an "
            "older release, which knew items by their paths; evaluate that version again"
        )
    return other
