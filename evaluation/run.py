"""One evaluation from data to report."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.answers import Answer, Answers, stored
from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Item, Part, parts
from evaluation.page import render
from evaluation.report import report
from export.manifest import Branch

JSON_NAME, PAGE_NAME = "report.json", "report.html"


class Models(Protocol):
    """What can be asked: the served ensembles, or ONNX files."""

    def models(self, branches: Sequence[Branch]) -> dict[str, dict[str, Any]]:
        """Return what answers for each branch."""

    def ask(self, items: Sequence[Item], keep: Callable[[Item, Answer], None]) -> None:
        """Answer every item, handing over each answer as it comes."""


def evaluate(
    data: Dataset,
    models: Models,
    folder: Path,
    *,
    dev: str = "dev",
    test: str = "test",
    against: Path | None = None,
) -> dict[str, Any]:
    """Ask for what was not asked yet, write report.json and report.html, return the report.

    Args:
        data: labelled items.
        models: what answers.
        folder: takes answers and report; with answers of the same models in it, a run goes on.
        dev: the split that weights are chosen on.
        test: the split that they are scored on.
        against: the folder of another evaluation of the same items, to compare with.

    Raises:
        EvaluationError: data, models and folders do not fit together.
    """
    scored = parts(data, dev, test)
    other = _other(against, scored[-1]) if against else None
    items = [item for part in scored for item in part.items]
    answers = collect(items, models, folder)
    Console(stderr=True).print("scoring ...")
    made = report(data, scored, answers, other)
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


def collect(items: Sequence[Item], models: Models, folder: Path) -> Answers:
    """Return the answers to all items, asking for those that the folder does not hold yet."""
    with Answers(folder, models.models(branches(items))) as answers:
        waiting = answers.missing(items)
        with _progress() as shown:
            task = shown.add_task("asking", total=len(waiting))

            def keep(item: Item, answer: Answer) -> None:
                answers.keep(item, answer)
                shown.advance(task)

            models.ask(waiting, keep)
        return answers


def branches(items: Sequence[Item]) -> list[Branch]:
    """Return the branches that any of the items needs."""
    found: list[Branch] = ["text"] if any(item.text is not None for item in items) else []
    return found + (["audio"] if any(item.audio is not None for item in items) else [])


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
