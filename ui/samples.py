"""Recordings of our own, so that nobody needs one to try the page; `samples/` has them."""

from dataclasses import dataclass
from pathlib import Path

from ui.client import Clip

FOLDER = Path(__file__).resolve().parents[1] / "samples"


@dataclass(frozen=True)
class Sample:
    """A short recording and the words that are said in it."""

    words: str
    clip: Clip


def names() -> list[str]:
    """Return the short recordings' names; the conversation, which has no plain words, is none."""
    return sorted(file.stem for file in FOLDER.glob("*.txt"))


def read(name: str) -> Sample:
    """Return one of `names()`."""
    recording = FOLDER / f"{name}.flac"
    words = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip()
    return Sample(words, Clip(recording.name, recording.read_bytes(), "audio/flac"))
