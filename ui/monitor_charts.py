"""The charts of Monitor, each with its figures in words or in the table below."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from ui import time_charts, words
from ui.client import Answer
from ui.history import Wanted
from ui.theme import colors
from ui.time_charts import Series, Span

_PERCENTILES = {"p50": "Half within", "p95": "95% within", "p99": "99% within"}


def show_charts(found: Answer, wanted: Wanted) -> None:
    """Draw volume, degraded share, latency, emotions and versions, and all as a table."""
    slices = found["over_time"]
    starts = [datetime.fromisoformat(one["start"]) for one in slices]
    span = Span(starts, wanted.until, found["bucket"])
    x = span.axis(wanted.since, colors()["text"])
    left, right = st.columns(2, gap="medium")
    with left:
        _show_rows("How many", found, _volume(found), span, x)
        _show_rows("Latency", found, _latency(found), span, x)
        _show_rows("Model versions", found, _counted(found, "models"), span, x)
    with right:
        _show_rows("Emotions", found, _counted(found, "emotions"), span, x)
    with st.expander("The same figures as a table"):
        st.table([_line(one) for one in slices], hide_index=True)


_Rows = tuple[Series, Mapping[str, str]]


def _show_rows(title: str, found: Answer, shown: _Rows, span: Span, x: Any) -> None:
    series, names = shown
    with st.container(border=True):
        st.subheader(f"{title} per {found['bucket']}", anchor=False)
        chart = time_charts.rows(title, series, names, span, x, colors())
        st.altair_chart(chart, width="stretch")


def _volume(found: Answer) -> _Rows:
    slices = found["over_time"]
    series = {name: [one[name] for one in slices] for name in ("total", "degraded")}
    degraded = f"Degraded: {words.share_of(found['degraded'], found['total'])}"
    return series, {"total": f"Predictions: {found['total']:,}", "degraded": degraded}


def _counted(found: Answer, kind: str) -> _Rows:
    """Return a row for each name in `found[kind]`, the most frequent first."""
    counts: Mapping[str, int] = found[kind]
    order = sorted(counts, key=lambda name: -counts[name])
    series: Series = {
        name: [one[kind].get(name, 0) for one in found["over_time"]] for name in order
    }
    named = words.emotion_name if kind == "emotions" else words.model_name
    names = {n: f"{named(n)}: {words.share_of(counts[n], found['total'])}" for n in order}
    return series, names


def _latency(found: Answer) -> _Rows:
    slices: Sequence[Answer] = found["over_time"]
    series = {name: [one["latency_ms"][name] for one in slices] for name in _PERCENTILES}
    whole = found["latency_ms"]
    return series, {
        p: f"{said}: {words.milliseconds(whole[p])}" for p, said in _PERCENTILES.items()
    }


def _line(one: Answer) -> dict[str, str]:
    emotions = sorted(one["emotions"].items(), key=lambda item: -item[1])
    return {
        "From (UTC)": f"{datetime.fromisoformat(one['start']):%d %b %H:%M}",
        "Predictions": f"{one['total']:,}",
        "Degraded": words.share_of(one["degraded"], one["total"]),
        "Emotions": ", ".join(f"{words.emotion_name(e)} {n:,}" for e, n in emotions),
        "p50, p95, p99": ", ".join(words.milliseconds(one["latency_ms"][p]) for p in _PERCENTILES),
    }
