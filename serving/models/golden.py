"""A golden set: inputs that a version is asked before it is promoted, some with the right label."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from ensemble.clips import SAMPLE_RATE_HZ
from ensemble.labels import UnknownLabelError, canonical
from export.manifest import Branch
from export.real_inputs import clips
from serving.errors import ServingError

SHIPPED_TEXTS = Path(__file__).with_name("golden.csv")
_SHIPPED_CLIPS = 25


@dataclass(frozen=True)
class Case:
    """One input: a text in UTF-8, or an encoded recording; `label` is an emotion, if known."""

    name: str
    content: bytes
    label: str | None = None


def shipped(branch: Branch) -> list[Case]:
    """Return the golden set that comes with the project; its recordings carry no labels."""
    if branch == "text":
        return read(SHIPPED_TEXTS, branch)
    _, judged = clips()
    cases = []
    for number, samples in enumerate(judged[:_SHIPPED_CLIPS]):
        file = io.BytesIO()
        soundfile.write(file, samples, SAMPLE_RATE_HZ, format="WAV")
        cases.append(Case(f"clip {number}", file.getvalue()))
    return cases


def read(file: Path, branch: Branch) -> list[Case]:
    """Read a CSV file with the columns `text`, or `audio` (paths beside it), and maybe `label`.

    Raises:
        ServingError: it cannot be read, lacks the column, or names an unknown emotion.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            cases = list(_cases(csv.DictReader(opened), file, branch))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ServingError(f"{file} cannot be read as a golden set: {error}") from None
    if not cases:
        raise ServingError(f"{file} holds no case: give it lines below the header")
    return cases


def _cases(rows: "csv.DictReader[str]", file: Path, branch: Branch) -> Iterator[Case]:
    if branch not in (rows.fieldnames or ()):
        raise ServingError(
            f"{file} has no column `{branch}`: its first line must be `{branch}`, or "
            f"`{branch},label`"
        )
    for row in rows:
        value, label = row[branch] or "", (row.get("label") or "").strip()
        try:
            emotion = canonical(label) if label else None
        except UnknownLabelError as error:
            raise ServingError(f"{file}, line {rows.line_num}: {error}") from None
        if branch == "text":
            yield Case(value, value.encode(), emotion)
        else:
            yield Case(value, (file.parent / value).read_bytes(), emotion)
