"""Makes a manifest of sentences beside recordings that were given the same emotion.

    python -m evaluation.pairs GOEMOTIONS RAVDESS --out pairs.jsonl

There is no such speech: who says the sentence does not know of the recording. But each half
carries the emotion, as in real speech and unlike in corpora whose sentences are always the same,
so it shows what fusion does with two witnesses who err independently. Fused scores of real
speech are lower.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from ensemble.labels import EMOTIONS
from evaluation.items import Item
from evaluation.layouts import goemotions, ravdess

_SPLITS = ("dev", "test")


def pairs(
    texts: list[Item], clips: list[Item], times: int, emotions: Collection[str]
) -> Iterator[dict[str, str | None]]:
    """Yield manifest rows: each clip of dev and test with `times` sentences of its split and label.

    Sentences are drawn with a fixed seed.
    """
    draw = random.Random(0)  # noqa: S311  nothing to guess
    by_label: dict[tuple[str | None, str], list[Item]] = defaultdict(list)
    for item in texts:
        by_label[item.split, item.label].append(item)
    for clip in clips:
        if clip.split in _SPLITS and clip.label in emotions:
            for text in draw.choices(by_label[clip.split, clip.label], k=times):
                yield {
                    "text": text.text,
                    "audio": str(clip.audio),
                    "label": clip.label,
                    "speaker": clip.speaker,
                    "split": clip.split,
                }


def main() -> None:
    """Write the manifest that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.pairs",
        description="Pair sentences of GoEmotions with recordings of RAVDESS by emotion.",
    )
    parser.add_argument("goemotions", type=Path, help="folder of GoEmotions")
    parser.add_argument("ravdess", type=Path, help="folder of RAVDESS")
    parser.add_argument("--out", type=Path, required=True, help="JSON Lines file to write")
    parser.add_argument("--times", type=int, default=3, help="sentences for each recording")
    parser.add_argument("--emotions", nargs="+", default=EMOTIONS, help="only these")
    options = parser.parse_args()
    texts = goemotions.read(options.goemotions).items
    clips = ravdess.read(options.ravdess.absolute()).items
    rows = pairs(texts, clips, options.times, options.emotions)
    options.out.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
