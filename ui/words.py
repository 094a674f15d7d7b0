"""Answers in plain words: what a person reads beside the charts."""

from collections.abc import Mapping
from typing import Any

BRANCHES = {"text": "words", "audio": "voice"}
"""A branch's name in the API, and what the page calls it."""

EMOTIONS = ("ANGER", "DISGUST", "FEAR", "JOY", "NEUTRAL", "SADNESS", "SURPRISE")
"""Every emotion, as the API writes it."""

MODALITIES = {
    "text": "Words",
    "audio": "Voice",
    "multimodal_fused": "Words and voice",
    "text_only": "Words, of a request for both",
    "audio_only": "Voice, of a request for both",
    "timeline": "Long recordings, as a whole",
}
"""What an answer rests on, by its name in the API."""

_CLEAR_LEAD = 0.4
_LEAD = 0.1


def percent(share: float) -> str:
    """Return a share of 1 as a whole percentage; what is tiny but not nothing shows as such."""
    return "<1%" if 0 < share < 0.01 else f"{share:.0%}"


def emotion_name(emotion: str) -> str:
    """Return `JOY` as `Joy`."""
    return emotion.capitalize()


def lead(scores: Mapping[str, float]) -> str:
    """Say how far the first emotion is ahead of the second; scores of at least one emotion."""
    (_, first), *others = sorted(scores.items(), key=lambda item: -item[1])
    if not others:
        return "the only emotion that this model knows"
    second, share = others[0]
    rival = f"{second.lower()} ({percent(share)})"
    if first - share >= _CLEAR_LEAD:
        return f"far ahead of {rival}, the next"
    if first - share >= _LEAD:
        return f"ahead of {rival}, the next"
    return f"only just ahead of {rival}: read it as a tie"


def basis(answer: Mapping[str, Any]) -> str:
    """Say what the answer rests on: both branches and their weights, or the only one."""
    if answer["modality"] == "multimodal_fused":
        weights = answer["fusion_weights"]
        return f"{percent(weights['text'])} words and {percent(weights['audio'])} voice"
    return "the words alone" if "text" in answer["modality"] else "the voice alone"


def degraded(failure: Mapping[str, str]) -> str:
    """Say which half was left out and why."""
    what = "sentence" if failure["modality"] == "text" else "recording"
    rest = "voice" if failure["modality"] == "text" else "words"
    reason = failure["reason"].rstrip(".")
    return f"The {what} was left out: {reason}. The result below rests on the {rest} alone."


def left_out(failure: Mapping[str, str] | None) -> str:
    """Name the half that was left out, for a line of a table; nothing where none was."""
    return f"; {BRANCHES[failure['modality']]} failed" if failure else ""


def share_of(part: int, whole: int) -> str:
    """Return `3 (12%)`."""
    return f"{part:,} ({percent(part / whole)})" if whole else f"{part:,}"


def milliseconds(time_ms: float | None) -> str:
    """Return a time that people read: whole milliseconds, or seconds above one."""
    if time_ms is None:
        return "none"
    return f"{time_ms / 1000:.1f} s" if time_ms >= 1000 else f"{time_ms:.0f} ms"


def model(branch: str, ran: Mapping[str, Any]) -> str:
    """Name the model of a branch, its version and its weights; starters have a mark instead."""
    source = {"starter": "", "hub": ", published weights", "local": ", own weights"}
    weights = source.get(ran["weights"], f", {ran['weights']} weights")
    return f"{BRANCHES[branch].capitalize()}: {ran['name']}, version {ran['version']}{weights}"


def model_name(counted: str) -> str:
    """Return a model of the log's counts, such as `text a/b 1 (starter)`, as people read it."""
    branch, _, rest = counted.partition(" ")
    name, version, weights = rest.rsplit(" ", 2)
    kind = BRANCHES.get(branch, branch).capitalize()
    return f"{kind}: {name.rpartition('/')[2]}, version {version} {weights}"


def starter_notice(weights: Mapping[str, str | None]) -> str | None:
    """Warn where starter weights answer, given each branch's source; None where none do."""
    starters = _starters(weights)
    if not starters:
        return None
    return (
        f"**Starter weights are answering for the {starters}.** "
        "Fewer mistakes with `NEUROSENSE_WEIGHTS=hub`."
    )


def starter_mark(weights: Mapping[str, str | None]) -> str | None:
    """Mark an answer that starter weights gave, as `starter_notice` does the service."""
    starters = _starters(weights)
    return f"Starter weights judged the {starters}" if starters else None


def _starters(weights: Mapping[str, str | None]) -> str:
    return " and the ".join(BRANCHES[b] for b, source in weights.items() if source == "starter")


def outage_notice(weights: Mapping[str, str | None]) -> str | None:
    """Warn where a branch has no model that answers; None where both have."""
    away = [BRANCHES[branch] for branch, source in weights.items() if source is None]
    if not away:
        return None
    return (
        f"**The {' and the '.join(away)} can't be judged at the moment:** the model isn't loaded. "
        "Wait until the service says it is ready, or look into Triton's log."
    )


def escaped(text: str) -> str:
    """Return what a person wrote so that Markdown shows it as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()<>#+-.!|~:$" else c for c in text)
