"""What the `neurosense models` commands tell, and the log of swaps beside the versions."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from export.manifest import Branch
from export.versions import sync
from serving.models import options
from serving.models.inventory import Entry
from serving.models.swap import Repository
from serving.models.verdict import Verdict
from serving.trial import Trial

LOG = "promotions.jsonl"
_FROM_THE_NEXT_START = ", from the next start on (no Triton answers now)"


def print_entries(found: list[Entry]) -> None:
    """Print versions, one a line."""
    table = Table(box=None, pad_edge=False)
    for column in ("branch", "version", "name", "weights", "precision", "created", "state"):
        table.add_column(column, no_wrap=True, overflow="ignore")
    for entry in found:
        state = entry.state + (", loaded" if entry.loaded else "")
        created = entry.created_at[:16].replace("T", " ")
        about = (entry.name, entry.weights, entry.precision, created)
        table.add_row(entry.branch, str(entry.version), *about, state.lstrip(", "))
    Console(highlight=False, soft_wrap=True, width=160).print(table)


def refusal(branch: Branch, version: int, problems: list[str]) -> str:
    """Return why a version may not be promoted."""
    reasons = "\n".join(f"  - {problem}" for problem in problems)
    return f"{branch} version {version} does not pass:\n{reasons}"


def print_verdict(verdict: Verdict) -> None:
    """Print a comparison for people."""
    old, new = verdict.current, verdict.candidate
    lines = [
        f"{verdict.label_agreement:.1%} of {verdict.cases} labels agree; probabilities differ by "
        f"{verdict.mean_abs_diff:.4f} on average, at most by {verdict.max_abs_diff:.4f}",
        f"median time: version {old} {verdict.current_latency_ms:.1f} ms, version {new} "
        f"{verdict.candidate_latency_ms:.1f} ms",
    ]
    if verdict.current_accuracy is not None and verdict.candidate_accuracy is not None:
        lines.append(
            f"accuracy on {verdict.labelled} labelled: version {old} "
            f"{verdict.current_accuracy:.1%}, version {new} {verdict.candidate_accuracy:.1%}"
        )
    differences = [
        f"  {one.difference:.3f}  {one.current:8} → {one.candidate:8}  {one.case}"
        for one in verdict.largest_differences
    ]
    typer.echo("\n".join([*lines, "largest differences:", *differences]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Swap:
    """What is told of a swap, and when it was; `action` is the command."""

    action: str
    branch: Branch
    old: int
    new: int
    verdict: Verdict | None = None
    problems: list[str] = field(default_factory=list)
    at: str = field(default_factory=_now)

    def entry(self) -> dict[str, Any]:
        """Return what is logged of it."""
        verdict = _without_texts(self.verdict) if self.verdict else None
        about = {"branch": self.branch, "from": self.old, "to": self.new}
        more = {"forced_despite": self.problems, "verdict": verdict}
        return {"at": self.at, "action": self.action, **about, **more}


@contextlib.contextmanager
def logged(repository: Repository, swap: Swap) -> Iterator[None]:
    """Log a swap beside the versions before it is done: a kill must not lose a forced one.

    One that Triton refuses, or that is interrupted, has a second line, `undone`.
    """
    _append(repository, swap.entry())
    try:
        yield
    except BaseException as error:  # Ctrl-C undoes it too
        why = str(error) or type(error).__name__
        with contextlib.suppress(OSError):  # of a full disk: what undid it is what is told
            undone = {"branch": swap.branch, "to": swap.new, "why": why}
            _append(repository, _entry("undone", undone))
        raise


def swapped(repository: Repository, swap: Swap, as_json: bool) -> None:
    """Tell of a swap that was done."""
    if as_json:
        options.print_json(swap.entry())
    for problem in swap.problems:
        options.tell(f"FORCED, and logged in {LOG}, although {problem}")
    when = "" if repository.tritons else _FROM_THE_NEXT_START
    options.tell(f"{swap.branch} is answered by version {swap.new} (before: {swap.old}){when}.")


def tried(repository: Repository, action: str, trial: Trial, as_json: bool) -> None:
    """Log a trial's begin or end beside the versions, and tell of it."""
    entry = _entry(action, asdict(trial))
    _append(repository, entry)
    if as_json:
        options.print_json(entry)
    name, when = f"{trial.branch} version {trial.version}", ""
    if action == "stop":
        when = "" if repository.tritons else _FROM_THE_NEXT_START
        options.tell(f"The {trial.kind} of {name} is over{when}.")
        return
    done = "answers" if trial.kind == "canary" else "gets a copy of"
    options.tell(f"{name} {done} {trial.percent:g}% of the requests. To end it:")
    options.tell(f"  neurosense models stop {trial.branch}")


def _entry(action: str, about: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": _now(), "action": action, **about}


def _append(repository: Repository, entry: Mapping[str, Any]) -> None:
    with (repository.folder / LOG).open("a") as log:
        log.write(json.dumps(entry) + "\n")
    sync(repository.folder / LOG)


def _without_texts(verdict: Verdict) -> dict[str, Any]:
    """Return the figures alone: a golden set may hold what people said."""
    figures = verdict.figures()
    del figures["largest_differences"]
    return {**figures, "failed": len(verdict.failed)}
