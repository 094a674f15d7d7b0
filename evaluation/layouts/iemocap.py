"""IEMOCAP (Busso et al., 2008): Session1 … Session5 as published.

Labels are the consensus lines of `dialog/EmoEvaluation/*.txt`. Excited counts as happy, as
the usual four-class protocol has it; frustration, other and no consensus (fru, oth, xxx) are
left out. A session is a split (`session1` …): `superb/wav2vec2-base-superb-er` has not seen
Session1 (SUPERB's first fold).
"""

import re
from collections import Counter
from pathlib import Path

from evaluation.items import Dataset, Item
from evaluation.layouts.files import fold

FOLDING = {
    "ang": "anger",
    "dis": "disgust",
    "fea": "fear",
    "hap": "joy",
    "exc": "joy",
    "neu": "neutral",
    "sad": "sadness",
    "sur": "surprise",
}
_LABEL = re.compile(r"^\[[\d. -]+\]\t(Ses0\d[FM]_\S+)\t(\w{3})\t")
_LINE = re.compile(r"^(Ses0\d[FM]_\S+) \[[\d. -]+\]: (.*)$")


def read(folder: Path) -> Dataset:
    """Read the sessions below a folder."""
    left_out: Counter[str] = Counter()
    items = []
    for session in sorted(folder.rglob("Session[1-5]")):
        for file in sorted((session / "dialog" / "EmoEvaluation").glob("Ses*.txt")):
            texts = _texts(session / "dialog" / "transcriptions" / file.name)
            for line in file.read_text(encoding="latin-1").splitlines():
                if (found := _LABEL.match(line)) is None:
                    continue
                utterance, code = found.groups()
                label = fold(code, FOLDING, left_out)
                if label is not None:
                    items.append(_item(utterance, label, session, texts))
    note = "each session is a split: --dev session4 --test session1, for example"
    return Dataset("IEMOCAP", items, FOLDING, left_out, note)


def _texts(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="latin-1").splitlines() if file.is_file() else []
    found = [match for line in lines if (match := _LINE.match(line))]
    return {match[1]: match[2].strip() for match in found}


def _item(utterance: str, label: str, session: Path, texts: dict[str, str]) -> Item:
    dialogue, _, turn = utterance.rpartition("_")
    audio = session / "sentences" / "wav" / dialogue / f"{utterance}.wav"
    return Item(
        label,
        text=texts.get(utterance),
        audio=audio if audio.is_file() else None,
        speaker=f"{session.name}-{turn[0]}",
        dialogue=dialogue,
        split=session.name.lower(),
        group={"F": "women", "M": "men"}.get(turn[0]),
    )
