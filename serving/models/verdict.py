"""How a candidate compares with the version that is served, and whether that is good enough."""

from dataclasses import asdict, dataclass
from typing import Any

from export.manifest import Branch


@dataclass(frozen=True)
class Thresholds:
    """What a candidate must reach beside the version that is served."""

    min_agreement: float
    max_accuracy_drop: float
    max_latency_ratio: float


@dataclass(frozen=True)
class Difference:
    """What the two call a case; `difference` is the largest of a probability."""

    case: str
    current: str
    candidate: str
    difference: float


@dataclass(frozen=True)
class Verdict:
    """How a candidate compares with the version that is served, over a golden set.

    Accuracies are over the `labelled` cases; latencies are medians, one request at a time.
    """

    branch: Branch
    current: int
    candidate: int
    cases: int
    label_agreement: float
    max_abs_diff: float
    mean_abs_diff: float
    labelled: int
    current_accuracy: float | None
    candidate_accuracy: float | None
    current_latency_ms: float
    candidate_latency_ms: float
    largest_differences: list[Difference]
    failed: list[str]

    def problems(self, thresholds: Thresholds) -> list[str]:
        """Return in words why the candidate should not be promoted; empty if it may."""
        found = [f"it fails: {reason}" for reason in self.failed[:1]]
        if self.label_agreement < thresholds.min_agreement:
            found.append(
                f"{self.label_agreement:.1%} of labels agree, at least "
                f"{thresholds.min_agreement:.1%} are asked for (--min-agreement)"
            )
        if self.current_accuracy is not None and self.candidate_accuracy is not None:
            drop = self.current_accuracy - self.candidate_accuracy
            if drop > thresholds.max_accuracy_drop + 1e-9:
                found.append(
                    f"accuracy falls by {drop:.1%}, at most {thresholds.max_accuracy_drop:.1%} "
                    "is allowed (--max-accuracy-drop)"
                )
        if self.latency_ratio > thresholds.max_latency_ratio:
            found.append(
                f"it takes {self.latency_ratio:.2f} times as long, at most "
                f"{thresholds.max_latency_ratio:g} is allowed (--max-latency-ratio)"
            )
        return found

    @property
    def latency_ratio(self) -> float:
        """Of the candidate's median time to the current version's."""
        return self.candidate_latency_ms / self.current_latency_ms

    def figures(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {**asdict(self), "latency_ratio": self.latency_ratio}
