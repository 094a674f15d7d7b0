"""How right a model still is where its input has suffered.

Every recording, or sentence, is changed in one way at a time and asked about. Rows whose emotion
the model has no output for are left out.
"""

import dataclasses
import tempfile
from pathlib import Path

from evaluation import changed_speech, changed_text
from evaluation.answers import Answers
from evaluation.asking import Models, collect
from evaluation.coverage import covered_rows
from evaluation.items import Item
from evaluation.report import answered
from evaluation.scores import scores
from export.manifest import Branch

UNCHANGED, NEGATED = "unchanged", "of these, with a negation"
_SHOWN = ("accuracy", "unweighted_recall", "macro_f1")


def robustness(items: list[Item], branch: Branch, models: Models) -> dict[str, dict[str, float]]:
    """Return accuracy, unweighted recall and macro F1 by change, of the unchanged first.

    Of sentences, also those of the unchanged that hold a negation. Items without what the branch
    reads are left out.
    """
    items = [item for item in items if getattr(item, branch) is not None]
    changes = changed_text.CHANGES if branch == "text" else changed_speech.CHANGES
    found = {}
    for name in (UNCHANGED, *changes):
        with tempfile.TemporaryDirectory() as folder:
            asked = [_changed(item, branch, name, Path(folder)) for item in items]
            answers = collect(asked, models, Path(folder), name)
            found[name] = _scored(asked, branch, answers)
            negated = [item for item in asked if changed_text.NEGATION.search(item.text or "")]
            if name == UNCHANGED and negated:
                found[NEGATED] = _scored(negated, branch, answers)
    return found


def _changed(item: Item, branch: Branch, name: str, folder: Path) -> Item:
    """Return the item with only what the branch reads, changed; recordings lie in `folder`."""
    if branch == "text":
        text = item.text or ""
        text = text if name == UNCHANGED else changed_text.change(text, name)
        return dataclasses.replace(item, audio=None, text=text)
    file = item.audio or Path()
    if name != UNCHANGED:
        file = folder / f"{item.key}.wav"
        changed_speech.change(item.audio or Path(), name, file)
    return dataclasses.replace(item, text=None, audio=file)


def _scored(items: list[Item], branch: Branch, answers: Answers) -> dict[str, float]:
    items, probabilities = answered(items, answers, branch)
    rows = covered_rows(items, answers.models[branch]["coverage"])
    made = scores([items[row] for row in rows], probabilities[rows])
    return {name: made[name]["value"] for name in _SHOWN} | {"rows": len(rows)}
