"""EMO-DB (Burkhardt et al., 2005), German: `wav/SPEAKERTEXTEMOTIONVERSION.wav`, as 03a01Fa.

The letters are German: W Wut, L Langeweile (boredom: left out), E Ekel, A Angst, F Freude,
T Trauer, N neutral. The ten sentences are German and not given to the text model, which reads
English. The corpus has no splits; these are ours: speakers 13 and 14 dev, 15 and 16 test.
"""

from collections import Counter
from pathlib import Path

from evaluation.items import Dataset, Item
from evaluation.layouts.files import fold, recordings

FOLDING = {
    "W": "anger",
    "E": "disgust",
    "A": "fear",
    "F": "joy",
    "N": "neutral",
    "T": "sadness",
}
_WOMEN = {"08", "09", "13", "14", "16"}
_SPLITS = {"13": "dev", "14": "dev", "15": "test", "16": "test"}


def read(folder: Path) -> Dataset:
    """Read the recordings below a folder."""
    left_out: Counter[str] = Counter()
    items = []
    for file in recordings(folder, "[01][0-9][ab][01][0-9][A-Z]*"):
        speaker, emotion = file.stem[:2], file.stem[5]
        label = fold(emotion, FOLDING, left_out)
        if label is not None:
            items.append(
                Item(
                    label,
                    audio=file,
                    speaker=speaker,
                    split=_SPLITS.get(speaker, "train"),
                    group="women" if speaker in _WOMEN else "men",
                )
            )
    note = "speakers 13, 14 dev, 15, 16 test (ours: the corpus has none)"
    return Dataset("EMO-DB", items, FOLDING, left_out, note)
