"""What the `neurosense models` commands tell, and the log of swaps beside the versions."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from export.manifest import Branch
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


def swapped(
    repository: Repository,
    action: str,
    branch: Branch,
    old: int,
    as_json: bool,
    verdict: Verdict | None = None,
    problems: list[str] | None = None,
) -> None:
    """Log a swap beside the versions, and tell of it."""
    choice = repository.choice(branch)
    entry = {
        "branch": branch,
        "from": old,
        "to": choice.version,
        "forced_despite": problems or [],
        "verdict": _without_texts(verdict) if verdict else None,
    }
    _log(repository, action, entry, as_json)
    for problem in problems or []:
        options.tell(f"FORCED, and logged in {LOG}, although {problem}")
    when = "" if repository.tritons else _FROM_THE_NEXT_START
    options.tell(f"{branch} is answered by version {choice.version} (before: {old}){when}.")


def tried(repository: Repository, action: str, trial: Trial, as_json: bool) -> None:
    """Log a trial's begin or end beside the versions, and tell of it."""
    _log(repository, action, asdict(trial), as_json)
    name, when = f"{trial.branch} version {trial.version}", ""
    if action == "stop":
        when = "" if repository.tritons else _FROM_THE_NEXT_START
        options.tell(f"The {trial.kind} of {name} is over{when}.")
        return
    done = "answers" if trial.kind == "canary" else "gets a copy of"
    options.tell(f"{name} {done} {trial.percent:g}% of the requests. To end it:")
    options.tell(f"  neurosense models stop {trial.branch}")


def _log(repository: Repository, action: str, about: Mapping[str, Any], as_json: bool) -> None:
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "action": action, **about}
    with (repository.folder / LOG).open("a") as log:
        log.write(json.dumps(entry) + "\n")
    if as_json:
        options.print_json(entry)


def _without_texts(verdict: Verdict) -> dict[str, Any]:
    """Return the figures alone: a golden set may hold what people said."""
    figures = verdict.figures()
    del figures["largest_differences"]
    return {**figures, "failed": len(verdict.failed)}
