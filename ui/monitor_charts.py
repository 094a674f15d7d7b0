"""The charts of Monitor, each with its figures in words or in the table below."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from ui import time_charts, words
from ui.client import Answer
from ui.theme import EMOTION_FILLS, colors
from ui.time_charts import Row, Span

_PERCENTILES = {"p50": "Half within", "p95": "95% within", "p99": "99% within"}


def show_charts(found: Answer) -> None:
    """Draw volume, degraded share, latency, emotions and versions, and all as a table."""
    left, right = st.columns(2, gap="medium")
    with left:
        _show_rows("How many", found, _volume(found))
        _show_rows("Latency", found, _latency(found))
    with right:
        _show_rows("Emotions", found, _emotions(found))
    _show_rows("Model versions", found, _versions(found))
    with st.expander("The same figures as a table"):
        st.table([_line(one) for one in found["over_time"]], hide_index=True)


def _show_rows(title: str, found: Answer, shown: Sequence[Row]) -> None:
    starts = [datetime.fromisoformat(one["start"]) for one in found["over_time"]]
    with st.container(border=True):
        st.subheader(f"{title} per {found['bucket']}", anchor=False)
        span, look = Span(starts, found["bucket"]), colors()
        chart = time_charts.rows(title, shown, span, look["text"], look["grid"])
        st.altair_chart(chart, width="stretch")


def _volume(found: Answer) -> list[Row]:
    slices, fill = found["over_time"], colors()["bar"]
    # A slice that has nothing but what a recording comes to counts none.
    shares = [one["degraded"] / one["total"] if one["total"] else 0.0 for one in slices]
    most = f", worst {found['bucket']} {words.percent(max(shares))}" if any(shares) else ""
    degraded = f"Degraded: {words.share_of(found['degraded'], found['total'])}{most}"
    total = f"Predictions: {found['total']:,}"
    return [
        Row(total, [one["total"] for one in slices], fill, _count, own_scale=True),
        Row(degraded, shares, fill, words.percent, own_scale=True),
    ]


def _emotions(found: Answer) -> list[Row]:
    """Return a row for every emotion, the most frequent first."""
    counts = dict.fromkeys(words.EMOTIONS, 0) | found["emotions"]
    return [
        _counted("emotions", name, words.emotion_name(name), found, EMOTION_FILLS[name])
        for name in sorted(counts, key=lambda name: -counts[name])
    ]


def _versions(found: Answer) -> list[Row]:
    counts: Mapping[str, int] = found["models"]
    return [
        _counted("models", name, words.model_name(name), found, colors()["bar"])
        for name in sorted(counts, key=lambda name: -counts[name])
    ]


def _counted(kind: str, name: str, title: str, found: Answer, fill: str) -> Row:
    values = [one[kind].get(name, 0) for one in found["over_time"]]
    share = words.share_of(found[kind].get(name, 0), found["total"])
    return Row(f"{title}: {share}", values, fill, _count)


def _latency(found: Answer) -> list[Row]:
    """Return each percentile to its own scale: half would not be seen beside the slowest."""
    return [_percentile(name, found) for name in _PERCENTILES]


def _percentile(name: str, found: Answer) -> Row:
    values = [one["latency_ms"][name] for one in found["over_time"]]
    whole = words.milliseconds(found["latency_ms"][name])
    slowest = words.milliseconds(max(value or 0 for value in values))
    said = f"{_PERCENTILES[name]}: {whole}, slowest {found['bucket']} {slowest}"
    return Row(said, values, colors()["bar"], words.milliseconds, own_scale=True)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _line(one: Answer) -> dict[str, str]:
    emotions = sorted(one["emotions"].items(), key=lambda item: -item[1])
    return {
        "From (UTC)": f"{datetime.fromisoformat(one['start']):%d %b %H:%M}",
        "Predictions": f"{one['total']:,}",
        "Degraded": words.share_of(one["degraded"], one["total"]),
        "Emotions": ", ".join(f"{words.emotion_name(e)} {n:,}" for e, n in emotions),
        "p50, p95, p99": ", ".join(words.milliseconds(one["latency_ms"][p]) for p in _PERCENTILES),
    }
