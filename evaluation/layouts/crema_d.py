"""CREMA-D (Cao et al., 2014): `AudioWAV/ACTOR_SENTENCE_EMOTION_LEVEL.wav`.

The label is what the actor was to show. The corpus has no splits; these are ours: actors
1001 to 1063 train, 1064 to 1077 dev, 1078 to 1091 test. `VideoDemographics.csv`, where there,
tells the actors' sex.
"""

import csv
from collections import Counter
from pathlib import Path

from evaluation.items import Dataset, Item
from evaluation.layouts.files import fold, recordings

FOLDING = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "joy",
    "NEU": "neutral",
    "SAD": "sadness",
}
_SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
_FIRST_DEV, _FIRST_TEST = 1064, 1078


def read(folder: Path) -> Dataset:
    """Read the recordings below a folder."""
    sexes = _sexes(folder)
    left_out: Counter[str] = Counter()
    items = []
    for file in recordings(folder, "1???_*_*_*"):
        actor, sentence, emotion, _ = file.stem.split("_")
        label = fold(emotion, FOLDING, left_out)
        if label is not None:
            items.append(
                Item(
                    label,
                    text=_SENTENCES.get(sentence),
                    audio=file,
                    speaker=actor,
                    split=_split(int(actor)),
                    group=sexes.get(actor),
                )
            )
    note = "actors 1064 to 1077 dev, 1078 to 1091 test (ours: the corpus has none)"
    return Dataset("CREMA-D", items, FOLDING, left_out, note)


def _sexes(folder: Path) -> dict[str, str]:
    file = next(folder.rglob("VideoDemographics.csv"), None)
    if file is None:
        return {}
    words = {"Male": "men", "Female": "women"}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return {row["ActorID"]: words[row["Sex"]] for row in csv.DictReader(lines)}


def _split(actor: int) -> str:
    if actor >= _FIRST_TEST:
        return "test"
    return "dev" if actor >= _FIRST_DEV else "train"
