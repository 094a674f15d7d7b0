"""The filters of Monitor, and the question to the log that they make."""

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from ui import history
from ui.client import Client
from ui.history import Wanted
from ui.words import EMOTIONS, MODALITIES, emotion_name

_BETWEEN = "Between two days"
_RANGES = {
    "Last hour": timedelta(hours=1),
    "Last 24 hours": timedelta(days=1),
    "Last 7 days": timedelta(days=7),
    "Last 30 days": timedelta(days=30),
    _BETWEEN: None,
}
_DEGRADED = {"true": "Degraded only", "false": "Whole only"}
_TRACKS = {
    "current": "Served versions",
    "canary": "Canary",
    "shadow": "Shadow, given to nobody",
}
_ALL = "All"
_WIDTH_PX = 152  # two beside each other on a phone


def ask_filters(client: Client, now: datetime) -> Wanted:
    """Draw the filters; ApiError where the log cannot say which versions there are."""
    since, until = _ask_time(now)
    with st.container(horizontal=True):
        emotion = _choice("Emotion", {e: emotion_name(e) for e in EMOTIONS})
        modality = _choice("Judged by", MODALITIES)
        version = _choice("Model version", _versions(client, Wanted(since, until)))
        degraded = _choice("Degraded", _DEGRADED)
        track = _choice("On trial", _TRACKS)
    return Wanted(since, until, emotion, modality, version, degraded, track)


def _ask_time(now: datetime) -> tuple[datetime, datetime]:
    with st.container(horizontal=True):
        chosen = st.selectbox(
            "Time", _RANGES, index=1, key="range", persist_state="page", width=_WIDTH_PX
        )
        if length := _RANGES[chosen]:
            return now - length, now
        first = _ask_day("From", now.date() - timedelta(days=1), now)
        last = max(first, _ask_day("Until the end of", now.date(), now))
    return _midnight(first), min(now, _midnight(last) + timedelta(days=1))


def _ask_day(label: str, default: date, now: datetime) -> date:
    day = st.date_input(
        label,
        value=default,
        min_value=now.date() - timedelta(days=1400),
        max_value=now.date(),
        format="YYYY-MM-DD",
        key=label,
        persist_state="page",
        width=_WIDTH_PX,
    )
    return day if isinstance(day, date) else default


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _choice(label: str, options: dict[str, str]) -> str | None:
    """Draw a list of which one or all can be chosen; None is all."""
    chosen: str = st.selectbox(
        label,
        [_ALL, *options],
        format_func=lambda name: options.get(name, name),
        key=label,
        persist_state="page",
        width=_WIDTH_PX,
    )
    return None if chosen == _ALL else chosen


def _versions(client: Client, whole_time: Wanted) -> dict[str, str]:
    """Return the versions that answered in this time, and one that is already chosen."""
    models = history.stats(client, whole_time)["models"]
    # Such as `text neurosense/starter-text 1 (starter)`.
    found = {name.rsplit(" ", 2)[-2] for name in models}
    chosen = st.session_state.get("Model version", _ALL)
    return {version: version for version in sorted({*found, chosen} - {_ALL})}
