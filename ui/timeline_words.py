"""A timeline in plain words: what a person reads beside its chart."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ui import words

Segment = Mapping[str, Any]

_WELL, _FAIRLY = 0.6, 0.4
"""Correlations of a transcript with the voices that are heard."""


def clock(seconds: float) -> str:
    """Return `1:05` or `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def progress(said: Mapping[str, Any] | None) -> tuple[str, float]:
    """Say how far it is, and the share that is done; unknown parts count as nothing."""
    if said is None:
        return "Sending the recording …", 0.0
    if said["stage"] == "decoding":
        return f"Listening: {clock(said['done'])} so far …", 0.0
    done, total = int(said["done"]), said["total"]
    return f"Judging: {done:,} of {total:,} segments …", done / total


def alignment(found: Mapping[str, Any]) -> str:
    """Say what was done to the transcript's times, and how sure that is."""
    status, offset_s = found["status"], found["offset_s"]
    if status == "no_transcript":
        return "Without a transcript the segments are where a voice is heard."
    if status == "off":
        return "The transcript's times are as they were sent: aligning was switched off."
    fit, before = _fit(found["confidence"]), found["correlation_before"]
    if status == "kept":
        return (
            "The transcript's times were kept: no others within 5 seconds are sure to fit better. "
            f"{fit}."
        )
    changes = " ".join([*_offset(offset_s), *_drift(found.get("drift_ppm"))])
    return f"{changes} {fit}, after {before:.2f} as it was sent."


def _offset(seconds: float) -> Iterator[str]:
    late, moved = ("late", "back") if seconds < 0 else ("early", "forward")
    if abs(seconds) >= 0.005:
        yield (
            f"The transcript was {abs(seconds):.2f} s {late}: its times were moved {moved} by that."
        )


def _drift(ppm: float | None) -> Iterator[str]:
    if ppm:
        slow, changed = ("slow", "stretched") if ppm > 0 else ("fast", "shortened")
        rate = f"{abs(ppm) * 3600 / 1e6:.1f} s an hour"
        yield f"The transcript's clock was {slow} by {rate}: its times were {changed} by that."


def _fit(correlation: float) -> str:
    how = "well" if correlation >= _WELL else "fairly well" if correlation >= _FAIRLY else "loosely"
    return f"They fit the voices that are heard {how}: {correlation:.2f} of 1"


def shift(found: Mapping[str, Any]) -> str:
    """Name a change from one segment to the next."""
    before, after = (words.emotion_name(found[f"{end}_emotion"]) for end in ("from", "to"))
    what = f"{before} to {after}" if before != after else f"{after}, more or less of it"
    return f"{clock(found['at'])}: {what} ({words.percent(found['change'])} changed)"


def problems(segments: Sequence[Segment]) -> Iterator[str]:
    """Say which segments were judged by half or not at all and why, the most frequent first."""
    counted = Counter(problem for one in segments for problem in _problems(one))
    for problem, count in counted.most_common():
        yield f"{problem} ({words.share_of(count, len(segments))} of the segments)"


def _problems(one: Segment) -> Iterator[str]:
    if one["error"]:
        yield f"No result: {one['error']['detail'].rstrip('.')}"
        return
    if degraded := one["result"]["degraded"]:
        half = words.BRANCHES[degraded["modality"]]
        yield f"The {half} had no say: {degraded['reason'].rstrip('.')}"
    yield from one["result"]["warnings"]


def models(segments: Iterable[Segment]) -> list[str]:
    """Name each model that answered, once."""
    return list(dict.fromkeys(words.model(*ran) for ran in _ran(segments)))


def starter_mark(segments: Iterable[Segment]) -> str | None:
    """Mark what starter weights judged, some of it or all."""
    ran = {(branch, model["weights"]) for branch, model in _ran(segments)}
    return words.starter_mark({b: "starter" for b in words.BRANCHES if (b, "starter") in ran})


def _ran(segments: Iterable[Segment]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for one in segments:
        yield from one["result"]["models"].items() if one["result"] else ()


def headline(one: Segment) -> str:
    """Return a segment's emotion and how sure it is, or that there is none."""
    if one["result"] is None:
        return "No result"
    result = one["result"]
    return f"{words.emotion_name(result['top_emotion'])}, {words.percent(result['confidence'])}"


def line(one: Segment, most: int = 60) -> str:
    """Return a segment in a line: when, who, which emotion, what is said."""
    text = one["text"] or "no words"
    said = text if len(text) <= most else text[:most] + "…"
    parts = [f"{clock(one['start'])} to {clock(one['end'])}", one["speaker"], headline(one), said]
    return " · ".join(part for part in parts if part)
