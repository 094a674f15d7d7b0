"""The gate before a promotion: the served candidate and the served version, asked the same."""

import statistics
from collections.abc import Sequence

import numpy as np

from ensemble.labels import EMOTIONS
from export.manifest import Branch
from export.progress import Progress, repeated
from serving.errors import ServingError
from serving.models.golden import Case
from serving.models.steps import Asked, ask
from serving.models.triton import SilentError, SwappedTriton
from serving.models.verdict import Difference, Verdict

_SHOWN = 5
_NAME_CHARACTERS = 60


def compare(
    triton: SwappedTriton,
    branch: Branch,
    current: int,
    candidate: int,
    cases: Sequence[Case],
    say: Progress,
) -> Verdict:
    """Ask both versions every case, turn by turn; `say` is told how far it is.

    Raises:
        ServingError: the current version cannot answer one: it is no golden case. Or the candidate
            leaves one without any answer.
    """
    pairs: list[tuple[Case, Asked, Asked]] = []
    failed: list[str] = []
    with repeated(lambda: say(f"asked {len(pairs) + len(failed)} of {len(cases)} cases")):
        for number, case in enumerate(cases, start=1):
            which = f"case {number} of {len(cases)}"  # its words may be what somebody said
            try:
                before = ask(triton, branch, current, case.content)
            except ServingError as error:
                raise ServingError(f"version {current} cannot answer {which}: {error}") from None
            try:
                pairs.append((case, before, ask(triton, branch, candidate, case.content)))
            except SilentError as error:
                raise ServingError(
                    f"version {candidate} left {which} without an answer: {error}"
                ) from None
            except ServingError as error:
                failed.append(f"{which}: {error}")
    if not pairs:
        raise ServingError(f"version {candidate} answers none of {len(cases)} cases: {failed[0]}")
    return _verdict(branch, current, candidate, pairs, failed)


def _verdict(
    branch: Branch,
    current: int,
    candidate: int,
    pairs: Sequence[tuple[Case, Asked, Asked]],
    failed: list[str],
) -> Verdict:
    differences = [np.abs(a.probabilities - b.probabilities) for _, a, b in pairs]
    labels = [(_label(a), _label(b)) for _, a, b in pairs]
    known = [(case.label, pair) for (case, *_), pair in zip(pairs, labels, strict=True)]
    right = [(old == label, new == label) for label, (old, new) in known if label is not None]
    names = [case.name[:_NAME_CHARACTERS] for case, *_ in pairs]
    shown = sorted(range(len(pairs)), key=lambda i: -differences[i].max())[:_SHOWN]
    return Verdict(
        branch=branch,
        current=current,
        candidate=candidate,
        cases=len(pairs) + len(failed),
        label_agreement=sum(old == new for old, new in labels) / (len(pairs) + len(failed)),
        max_abs_diff=float(max(d.max() for d in differences)),
        mean_abs_diff=float(np.mean(differences)),
        labelled=len(right),
        current_accuracy=_share([old for old, _ in right]),
        candidate_accuracy=_share([new for _, new in right]),
        current_latency_ms=statistics.median(a.latency_ms for _, a, _ in pairs),
        candidate_latency_ms=statistics.median(b.latency_ms for _, _, b in pairs),
        largest_differences=[
            Difference(names[i], *labels[i], float(differences[i].max())) for i in shown
        ],
        failed=failed,
    )


def _label(asked: Asked) -> str:
    return EMOTIONS[int(asked.probabilities.argmax())]


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
