"""A timeline as files: CSV for spreadsheets, JSON for programs, WebVTT for players."""

import csv
import io
import json
from collections.abc import Iterable
from html import escape
from typing import Any

from ui import words
from ui.timeline_words import Segment, headline

_RESULT = ("top_emotion", "confidence")
_COLUMNS = (
    *("number", "start", "end", "speaker", "text", *_RESULT),
    *(f"score_{emotion.lower()}" for emotion in words.EMOTIONS),
    *(f"{branch}_{what}" for branch in words.BRANCHES for what in _RESULT),
    *("degraded", "error", "id"),
)


def as_csv(segments: Iterable[Segment]) -> bytes:
    """Return one line for each segment; a cell is empty where there is nothing."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_row, segments))
    return out.getvalue().encode()


def as_json(answer: dict[str, Any]) -> bytes:
    """Return the answer as the API gives it to those who wait for the whole."""
    return json.dumps(answer, indent=1, ensure_ascii=False).encode()


def as_vtt(segments: Iterable[Segment]) -> bytes:
    """Return subtitles that begin with the emotion, at the times that were judged."""
    return "\n".join(["WEBVTT\n", *map(_cue, segments)]).encode()


def _row(one: Segment) -> dict[str, Any]:
    row = {name: one[name] for name in ("number", "start", "end")}
    row |= {name: _as_text(one[name]) for name in ("speaker", "text")}
    if one["error"]:
        return row | {"error": one["error"]["detail"]}
    result = one["result"]
    row |= {name: result[name] for name in ("id", *_RESULT)}
    row |= {f"score_{name.lower()}": share for name, share in result["all_scores"].items()}
    for branch, sub in result["sub_results"].items():
        row |= {f"{branch}_{name}": sub[name] for name in _RESULT}
    return row | {"degraded": (result["degraded"] or {}).get("reason")}


def _as_text(said: str | None) -> str | None:
    """Keep a spreadsheet from reading what somebody said as a formula (OWASP, CSV injection)."""
    return f"'{said}" if said and said[0] in "=+-@\t\r" else said


def _cue(one: Segment) -> str:
    voice = f"<v {_escaped(one['speaker'])}>" if one["speaker"] else ""
    said = f" {_escaped(one['text'])}" if one["text"] else ""
    return f"{_time(one['start'])} --> {_time(one['end'])}\n{voice}[{headline(one)}]{said}\n"


def _escaped(said: str) -> str:
    return escape(" ".join(said.split()), quote=False)


def _time(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds / 1000:06.3f}"
