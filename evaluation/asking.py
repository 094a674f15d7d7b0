"""Asks models about items, going on where an earlier run stopped."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.answers import Answer, Answers
from evaluation.items import Item
from export.manifest import Branch


class Models(Protocol):
    """What can be asked: the served ensembles, or ONNX files."""

    def models(self, branches: Sequence[Branch]) -> dict[str, dict[str, Any]]:
        """Return what answers for each branch."""

    def ask(self, items: Sequence[Item], keep: Callable[[Item, Answer], None]) -> None:
        """Answer every item, handing over each answer as it comes."""


def collect(items: Sequence[Item], models: Models, folder: Path, what: str = "asking") -> Answers:
    """Return the answers to all items, asking for those that the folder does not hold yet.

    Args:
        items: what to ask about.
        models: what answers.
        folder: holds the answers.
        what: is shown beside the progress.
    """
    with Answers(folder, models.models(branches(items))) as answers:
        waiting = answers.missing(items)
        with _progress() as shown:
            task = shown.add_task(what, total=len(waiting))

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
