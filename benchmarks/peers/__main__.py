"""`python -m benchmarks.peers`: the usual ways of serving both models, side by side."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, get_args

import typer

from benchmarks.command import INTERRUPTED, run_app, say
from benchmarks.peers import check, table
from benchmarks.peers.compare import Comparison, Plan, Server, given
from benchmarks.peers.compared import Compared
from benchmarks.peers.environment import PEERS
from benchmarks.peers.errors import PeerError
from benchmarks.peers.runner import Weights, running
from export.manifest import Branch

_ALL = ",".join(PEERS)
_FOLDER = Path(".neurosense/bench")

_Only = Annotated[str, typer.Option(help="peers to measure, or none")]
_Rounds = Annotated[int, typer.Option(min=1, help="how often each server has its turn")]
_Seconds = Annotated[float, typer.Option(min=1, help="length of each of a round's two windows")]
_Concurrency = Annotated[int, typer.Option(min=1, help="requests in flight in the closed loop")]
_Rate = Annotated[
    float | None,
    typer.Option(
        help="requests per second of the open loop; else half of what classic carries",
        show_default=False,
    ),
]
_Url = Annotated[
    str | None, typer.Option(help="a running API of ours, with the same checkpoints, as well")
]
_Tolerance = Annotated[
    float, typer.Option(help="by how much the scores of that API may differ from PyTorch's")
]
_Folder = Annotated[Path, typer.Option(help="for environments, checkpoints, graphs and logs")]
_Json = Annotated[Path | None, typer.Option("--json", help="file to write all figures to")]
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command()
def peers(
    only: _Only = _ALL,
    rounds: _Rounds = 1,
    seconds: _Seconds = 15.0,
    concurrency: _Concurrency = 8,
    rate: _Rate = None,
    url: _Url = None,
    tolerance: _Tolerance = check.TOLERANCE,
    folder: _Folder = _FOLDER,
    json_file: _Json = None,
) -> None:
    """Measure how the same two models do behind the usual servers, one at a time.

    Each peer is a short program in benchmarks/peers with pinned requirements, installed once
    into an environment of its own. A round starts a server, checks its answers against
    PyTorch, keeps requests in flight for a while (throughput), then sends at a fixed rate
    (latency). What is sent is always the same: sentences of 3 to 56 words with clips of 1
    to 12 s.

    Examples:

    - `python -m benchmarks.peers` measures all five in about five minutes

    - `python -m benchmarks.peers --only classic,litserve --rounds 3 --seconds 20`

    - `python -m benchmarks.peers --url http://127.0.0.1:8080` measures our own service as well
    """
    names = _names(only)
    weights = _weights(folder)
    servers = {
        name: Server(partial(running, name, weights, folder / "peers", say)) for name in names
    }
    if url is not None:
        servers["neurosense"] = given(url, tolerance)
    plan = Plan(rounds, seconds, concurrency=concurrency, rate_per_s=rate)
    _run(Comparison(servers, _expected(weights), plan, say), json_file)


def _names(only: str) -> list[str]:
    names = [name for name in only.split(",") if name and name != "none"]
    if unknown := set(names) - set(PEERS):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(PEERS)}")
    return [name for name in PEERS if name in names]  # classic first: it sets the rate


def _weights(folder: Path) -> Weights:
    # Imported here, and below, so that --help needs no torch.
    from benchmarks.peers.naive_onnx import naive_onnx
    from benchmarks.weights import full_size

    checkpoints = {
        branch: full_size(branch, folder / "checkpoints", say).folder for branch in get_args(Branch)
    }
    return Weights(checkpoints, naive_onnx(folder / "naive", checkpoints, say))


def _expected(weights: Weights) -> list[check.Expected]:
    from benchmarks.peers.reference import expected_answers

    say("asking PyTorch for the right answers ...")
    return expected_answers(weights.checkpoints)


def _run(comparison: Comparison, json_file: Path | None) -> None:
    """Print and write what is measured, also where it is stopped in between."""
    try:
        comparison.run()
    except KeyboardInterrupt:
        say("Stopped; what was measured so far:")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        _report(comparison.results(), json_file)


def _report(compared: Sequence[Compared], json_file: Path | None) -> None:
    print(table.table(compared), "", *(f"- {note}" for note in table.notes(compared)), sep="\n")
    if json_file is not None:
        content = [asdict(one) for one in compared]
        json_file.write_text(json.dumps(content, indent=2) + "\n")


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    run_app(app, "benchmarks.peers", PeerError)


if __name__ == "__main__":
    main()
