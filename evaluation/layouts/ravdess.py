"""RAVDESS speech (Livingstone and Russo, 2018): the file name says everything.

`03-01-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR`, in any folder, WAV or FLAC. Calm counts
as neutral: it was recorded as a second baseline. The corpus has no splits; these are the
starters': actors 17 to 20 dev, 21 to 24 test, others train. Odd actors are men, even ones women.
"""

from collections import Counter
from pathlib import Path

from evaluation.items import Dataset, Item
from evaluation.layouts.files import fold, recordings

FOLDING = {
    "neutral": "neutral",
    "calm": "neutral",
    "happy": "joy",
    "sad": "sadness",
    "angry": "anger",
    "fearful": "fear",
    "disgust": "disgust",
    "surprised": "surprise",
}
_SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
_FIRST_DEV, _FIRST_TEST = 17, 21


def read(folder: Path) -> Dataset:
    """Read the recordings below a folder."""
    left_out: Counter[str] = Counter()
    names = list(FOLDING)
    items = []
    for file in recordings(folder, "03-01-*"):
        _, _, emotion, _, statement, _, actor = file.stem.split("-")
        label = fold(names[int(emotion) - 1], FOLDING, left_out)
        if label is not None:
            items.append(
                Item(
                    label,
                    text=_SENTENCES[statement],
                    audio=file,
                    speaker=actor,
                    split=_split(int(actor)),
                    group="men" if int(actor) % 2 else "women",
                )
            )
    note = "actors 17 to 20 dev, 21 to 24 test (ours: the corpus has none)"
    return Dataset("RAVDESS", items, FOLDING, left_out, note)


def _split(actor: int) -> str:
    if actor >= _FIRST_TEST:
        return "test"
    return "dev" if actor >= _FIRST_DEV else "train"
