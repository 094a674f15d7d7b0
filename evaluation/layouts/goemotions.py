"""GoEmotions (Demszky et al., 2020): train.tsv, dev.tsv, test.tsv of text, label ids, comment id.

The numbers are lines of `emotions.txt` (the published 28) or of `labels.txt` (folded already).
The 28 are folded as the paper's `ekman_mapping.json` has it. Rows whose labels fold to several
emotions are left out.
"""

from collections import Counter
from pathlib import Path

from ensemble.labels import EMOTIONS
from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Item

_EKMAN = {
    "anger": "anger annoyance disapproval",
    "disgust": "disgust",
    "fear": "fear nervousness",
    "joy": "joy amusement approval excitement gratitude love optimism relief pride admiration "
    "desire caring",
    "neutral": "neutral",
    "sadness": "sadness disappointment embarrassment grief remorse",
    "surprise": "surprise realization confusion curiosity",
}
FOLDING = {label: emotion for emotion, labels in _EKMAN.items() for label in labels.split()}
_SPLITS = ("train", "dev", "test")


def read(folder: Path) -> Dataset:
    """Read the splits that are there."""
    labels = _labels(folder)
    left_out: Counter[str] = Counter()
    items = []
    for split in _SPLITS:
        file = folder / f"{split}.tsv"
        if not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            text, numbers, *_ = line.split("\t")
            emotions = {FOLDING[labels[int(number)]] for number in numbers.split(",")}
            if len(emotions) > 1:
                left_out[f"{split}: several emotions"] += 1
            else:
                items.append(Item(emotions.pop(), text=text, split=split))
    folding = {label: FOLDING[label] for label in labels}
    return Dataset("GoEmotions", items, folding, left_out)


def _labels(folder: Path) -> list[str]:
    """Return the label names in the order of their numbers."""
    file = next((f for n in ("emotions.txt", "labels.txt") if (f := folder / n).is_file()), None)
    if file is None:
        raise EvaluationError(f"{folder} has neither emotions.txt nor labels.txt: no label order")
    names = file.read_text(encoding="utf-8").split()
    if unknown := set(names) - set(FOLDING) - set(EMOTIONS):
        raise EvaluationError(f"{file}: {sorted(unknown)} are no labels of GoEmotions")
    return names
