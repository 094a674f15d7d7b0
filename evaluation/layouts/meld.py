"""MELD (Poria et al., 2019): {train,dev,test}_sent_emo.csv, and the clips if they are there.

Clips are `dia<D>_utt<U>` as published (MP4) or as audio, in `train_splits`,
`dev_splits_complete` and `output_repeated_splits_test`. Its seven labels are ours.
"""

import csv
from collections import Counter
from pathlib import Path

from ensemble.labels import EMOTIONS
from evaluation.items import Dataset, Item
from evaluation.layouts.files import fold, recordings

FOLDING = {emotion: emotion for emotion in EMOTIONS}
_CLIPS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}


def read(folder: Path) -> Dataset:
    """Read the splits that are there."""
    left_out: Counter[str] = Counter()
    items = []
    for split, clips_folder in _CLIPS.items():
        file = next(folder.rglob(f"{split}_sent_emo.csv"), None)
        if file is None:
            continue
        clips = _clips(folder, clips_folder)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                label = fold(row["Emotion"].strip().lower(), FOLDING, left_out)
                if label is not None:
                    items.append(_item(row, label, split, clips))
    without = sum(1 for item in items if item.audio is None)
    if 0 < without < len(items):
        left_out["utterances without their clip (their text is used)"] = without
    return Dataset("MELD", items, FOLDING, left_out)


def _clips(folder: Path, name: str) -> dict[str, Path]:
    """Return the clips of a split by stem; of several files the first suffix by name."""
    found = [f for f in recordings(folder, "dia*_utt*") if name in {p.name for p in f.parents}]
    return {file.stem: file for file in reversed(found)}


def _item(row: dict[str, str], label: str, split: str, clips: dict[str, Path]) -> Item:
    return Item(
        label,
        text=row["Utterance"].strip() or None,
        audio=clips.get(f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"),
        speaker=row["Speaker"],
        dialogue=f"{split}-{row['Dialogue_ID']}",
        split=split,
    )
