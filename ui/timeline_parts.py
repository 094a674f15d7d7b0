"""What a timeline's chart is made of: a part of it, neighbours together, emotions stacked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ui.theme import EMOTION_FILLS
from ui.timeline_words import Segment, line
from ui.words import emotion_name


@dataclass(frozen=True)
class Part:
    """The stretch of a recording that is shown, in seconds."""

    start_s: float
    end_s: float

    def of(self, segments: Sequence[Segment]) -> list[Segment]:
        """Return the segments that begin before its end and end after its beginning."""
        return [one for one in segments if one["start"] < self.end_s and one["end"] > self.start_s]


def grouped(segments: Sequence[Segment], most: int) -> list[list[Segment]]:
    """Return neighbours together, so many as it takes to have `most` groups at most."""
    size = max(1, -(-len(segments) // most))
    return [list(segments[start : start + size]) for start in range(0, len(segments), size)]


def mean_scores(group: Sequence[Segment]) -> dict[str, float]:
    """Return the mean of the answered segments' scores, weighted by their length."""
    lengths = [(one["end"] - one["start"], one["result"]) for one in group if one["result"]]
    total_s = sum(length_s for length_s, _ in lengths)
    scores: dict[str, float] = {}
    for length_s, result in lengths:
        for emotion, share in result["all_scores"].items():
            scores[emotion] = scores.get(emotion, 0.0) + share * length_s / total_s
    return scores


def stacked(group: Sequence[Segment]) -> Iterator[tuple[float, float, str]]:
    """Yield floor, top and name of each emotion that the group has, from the top down."""
    scores, top = mean_scores(group), 1.0
    for emotion in EMOTION_FILLS:
        if share := scores.get(emotion, 0.0):
            yield top - share, top, emotion_name(emotion)
            top -= share


def lanes(segments: Sequence[Segment], most: int) -> dict[str, list[Segment]]:
    """Return what each speaker says, in the order of their first words; the rest as one."""
    of: dict[str, list[Segment]] = {}
    for one in segments:
        if name := one["speaker"]:
            of.setdefault(name if name in of or len(of) < most else "Others", []).append(one)
    return of


def tip(group: Sequence[Segment]) -> str:
    """Say what a bar is, when one points at it."""
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return line(group[0]) + more
