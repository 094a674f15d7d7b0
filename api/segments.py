"""A transcript's cues as segments that can be analysed: in order, inside, short enough."""

import math
from collections.abc import Sequence
from dataclasses import replace

from api.errors import InputError
from api.transcripts import Cue

LONGEST_S = 29.5
"""The models take 30 s."""

_SHORTEST_S = 0.1


def ready(cues: Sequence[Cue], duration_s: float) -> tuple[list[Cue], list[str]]:
    """Return the segments by their start, and what was repaired, in words and the times sent.

    Out of order is sorted; what one speaker says before the segment before is over ends that
    one; what reaches over the recording's ends is cut there, and what the alignment moved beyond
    them is left out; what is too short gets sound from around it; what is too long is cut in
    equal parts, its words shared out among them.

    Raises:
        InputError: `segment_beyond_end`, or `segments_overlap` where nothing would be left of one.
    """
    repairs: list[str] = []
    ordered = sorted(cues, key=lambda cue: cue.start_s)
    if ordered != list(cues):
        repairs.append("the segments were out of order: sorted by their start")
    inside = [cut for cue in ordered if (cut := _inside(cue, duration_s, repairs))]
    if not inside:
        raise _beyond(ordered[0], duration_s)
    apart = [_long_enough(cue, duration_s, repairs) for cue in _apart(inside, repairs)]
    parts = [part for cue in apart for part in _parts(cue, repairs)]
    return [_to_milliseconds(part) for part in parts], repairs


def _inside(cue: Cue, duration_s: float, repairs: list[str]) -> Cue | None:
    if _is_outside(cue.start_s, cue.end_s, duration_s):
        if cue.sent_s is None or _is_outside(*cue.sent_s, duration_s):
            raise _beyond(cue, duration_s)
        repairs.append(f"{_name(cue)} was left out: the alignment moved it out of the recording")
        return None
    if cue.start_s >= 0 and cue.end_s <= duration_s:
        return cue
    repairs.append(f"{_name(cue)} was cut where the recording begins or ends")
    return replace(cue, start_s=max(0.0, cue.start_s), end_s=min(duration_s, cue.end_s))


def _is_outside(start_s: float, end_s: float, duration_s: float) -> bool:
    return start_s >= duration_s or end_s <= 0


def _beyond(cue: Cue, duration_s: float) -> InputError:
    detail = f"{_name(cue)} is outside of the recording, which has {duration_s:.2f} s"
    return InputError("segment_beyond_end", detail)


def _apart(cues: Sequence[Cue], repairs: list[str]) -> list[Cue]:
    """End each segment where its speaker's next begins; two speakers may talk at once."""
    apart = list(cues)
    last_of: dict[str | None, int] = {}
    for number, cue in enumerate(apart):
        if (before := last_of.get(cue.speaker)) is not None:
            earlier = apart[before]
            if cue.start_s < earlier.end_s:
                if cue.start_s - earlier.start_s < _SHORTEST_S:
                    detail = f"{_name(earlier)} and {_name(cue)} are at the same time"
                    raise InputError("segments_overlap", detail)
                repairs.append(f"{_name(earlier)} was cut where the next one begins")
                apart[before] = replace(earlier, end_s=cue.start_s)
        last_of[cue.speaker] = number
    return apart


def _long_enough(cue: Cue, duration_s: float, repairs: list[str]) -> Cue:
    """Extend what is too short to be heard; its sound may then be in the next one too."""
    if cue.end_s - cue.start_s >= _SHORTEST_S - 1e-9:
        return cue
    repairs.append(f"{_name(cue)} was extended to {_SHORTEST_S:g} s: it is too short to be heard")
    start_s = max(0.0, min(cue.start_s, duration_s - _SHORTEST_S))
    return replace(cue, start_s=start_s, end_s=min(duration_s, start_s + _SHORTEST_S))


def _parts(cue: Cue, repairs: list[str]) -> list[Cue]:
    length_s = cue.end_s - cue.start_s
    count = math.ceil(length_s / LONGEST_S)
    if count <= 1:
        return [cue]
    if cue.text is not None:
        repairs.append(
            f"{_name(cue)} was cut into {count} parts: it is longer than the models take"
        )
    words = (cue.text or "").split()
    cuts = [round(len(words) * part / count) for part in range(count + 1)]
    return [
        replace(
            cue,
            start_s=cue.start_s + length_s * part / count,
            end_s=cue.start_s + length_s * (part + 1) / count,
            text=" ".join(words[cuts[part] : cuts[part + 1]]) or None,
        )
        for part in range(count)
    ]


def _to_milliseconds(cue: Cue) -> Cue:
    return replace(cue, start_s=round(cue.start_s, 3), end_s=round(cue.end_s, 3))


def _name(cue: Cue) -> str:
    start_s, end_s = cue.sent_s or (cue.start_s, cue.end_s)
    return f"the segment from {start_s:.2f} to {end_s:.2f} s"
