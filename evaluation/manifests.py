"""Manifests: CSV or JSON Lines with text and/or audio, label, and what else is known."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from ensemble.labels import UnknownLabelError, canonical
from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Item

COLUMNS = ("text", "audio", "label", "speaker", "dialogue", "split", "group")


def read_manifest(file: Path) -> Dataset:
    """Read a manifest.

    Audio paths are taken from the manifest's own folder. Labels may be the seven emotions or
    short forms of them, as `hap`; other columns are ignored.

    Raises:
        EvaluationError: a row is not what it must be; the message names row and column.
    """
    items, folding = [], {}
    for number, row in _rows(file):
        try:
            item = _item(row, file.parent)
        except (ValueError, OSError) as error:
            raise EvaluationError(f"{file}, row {number}: {error}") from None
        folding[str(row["label"])] = item.label
        items.append(item)
    return Dataset(file.stem, items, folding, Counter())


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Yield each row with its number, the first after the header being 1."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            if file.suffix.lower() == ".csv":
                yield from enumerate(csv.DictReader(lines), start=1)
                return
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, json.loads(line)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EvaluationError(f"{file} is neither CSV nor JSON Lines in UTF-8: {error}") from None


def _item(row: Mapping[str, str | None], folder: Path) -> Item:
    values = {name: str(value).strip() for name in COLUMNS if (value := row.get(name)) is not None}
    values = {name: value for name, value in values.items() if value}
    if "label" not in values:
        raise ValueError(f"there is no label; the columns are {', '.join(COLUMNS)}")
    if "text" not in values and "audio" not in values:
        raise ValueError("there is neither text nor audio")
    audio = folder / values.pop("audio") if "audio" in values else None
    if audio is not None and not audio.is_file():
        raise ValueError(f"{audio} is no file")
    try:
        label = canonical(values.pop("label"))
    except UnknownLabelError:
        raise ValueError(
            f"label {row['label']!r} is none of the seven emotions: rename it, or leave the row out"
        ) from None
    return Item(label=label, audio=audio, **values)
