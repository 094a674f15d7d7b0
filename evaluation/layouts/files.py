"""What the readers share: finding recordings, and folding labels with a count of what is lost."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".mp4")


def recordings(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield the recordings below a folder whose stem fits, in a fixed order."""
    found = [file for file in folder.rglob(pattern) if file.suffix.lower() in SUFFIXES]
    yield from sorted(found, key=lambda file: (file.stem, str(file)))


def fold(label: str, folding: Mapping[str, str], left_out: Counter[str]) -> str | None:
    """Return the emotion that a corpus's label stands for; None, and counted, where for none."""
    emotion = folding.get(label)
    if emotion is None:
        left_out[f"label {label}"] += 1
    return emotion
