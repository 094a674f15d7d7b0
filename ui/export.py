"""Predictions of the log as files: CSV for spreadsheets, JSON for programs."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ui.words import EMOTIONS

MOST_ROWS = 10_000
"""Predictions in a file at most, so that neither the page nor the database is kept busy."""

_BRANCHES = ("text", "audio")
_PLAIN = ("id", "created_at", "modality", "top_emotion", "confidence", "latency_ms", "request_id")
_PART = ("recording_id", "start_s", "end_s")
"""Of a segment: where it is."""
_TRACK = ("track", "shadow_of")
_COLUMNS = (
    *_PLAIN,
    *(f"score_{emotion.lower()}" for emotion in EMOTIONS),
    *(f"weight_{branch}" for branch in _BRANCHES),
    *(f"degraded_{what}" for what in ("modality", "code", "reason")),
    *(f"{branch}_{what}" for branch in _BRANCHES for what in ("model", "version", "weights")),
    *_PART,
    *_TRACK,
)


def as_csv(predictions: Iterable[Mapping[str, Any]]) -> bytes:
    """Return one line for each prediction; a cell is empty where there is nothing."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_row, predictions))
    return out.getvalue().encode()


def as_json(
    predictions: Iterable[Mapping[str, Any]], wanted: Mapping[str, str], total: int
) -> bytes:
    """Return the predictions as the API gave them, what was asked, and whether that is all."""
    rows = list(predictions)
    whole = {"asked": wanted, "total": total, "cut": len(rows) < total, "predictions": rows}
    return json.dumps(whole, indent=1, ensure_ascii=False).encode()


def _row(prediction: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: prediction[name] for name in (*_PLAIN, *_PART, *_TRACK)}
    row |= {f"score_{name.lower()}": share for name, share in prediction["all_scores"].items()}
    row |= {f"weight_{name}": share for name, share in prediction["fusion_weights"].items()}
    row |= {f"degraded_{name}": said for name, said in (prediction["degraded"] or {}).items()}
    for branch, model in prediction["models"].items():
        row |= {f"{branch}_model": model["name"], f"{branch}_version": model["version"]}
        row[f"{branch}_weights"] = model["weights"]
    return row
