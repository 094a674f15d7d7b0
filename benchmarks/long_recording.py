"""`python -m benchmarks.long_recording`: an hour with 600 segments against its clips sent singly.

Both say the same to the same models, with as many segments under way at once, in turn.
"""

import json
import statistics
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.command import say
from benchmarks.spoken import Spoken, send_singly, send_together, spoken
from benchmarks.stack import Stack, running_stack, served_models
from benchmarks.tables import markdown

_RESULTS = Path(__file__).resolve().parent / "results"
_MOST_MB = 400.0
_LEAST_RATIO = 0.9


@dataclass
class Found:
    """One figure a round, in turn."""

    segments: int
    seconds: float
    models: str
    """Which answered: names, versions, precisions."""
    together_s: list[float] = field(default_factory=list)
    """From the first byte of the upload to the whole timeline."""
    first_s: list[float] = field(default_factory=list)
    """And to its first segment: upload, decoding, alignment."""
    singly_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    """The most memory that the API's process held, in its whole life."""

    @property
    def ratio(self) -> float:
        """Throughput of the timeline over that of the clips."""
        return statistics.median(self.singly_s) / statistics.median(self.together_s)

    def report(self) -> str:
        """Return what was promised, what was measured, and whether it holds."""
        together, singly = (statistics.median(one) for one in (self.together_s, self.singly_s))
        rows = [
            ("until the recording's first segment", f"{statistics.median(self.first_s):.1f} s", ""),
            ("segments per second, one recording", f"{self.segments / together:.1f}", ""),
            ("segments per second, sent singly", f"{self.segments / singly:.1f}", ""),
            (
                f"the first over the second, at least {_LEAST_RATIO}",
                f"{self.ratio:.2f}",
                "yes" if self.ratio >= _LEAST_RATIO else "no",
            ),
            (
                f"memory of the API at most, up to {_MOST_MB:.0f} MB",
                f"{self.peak_mb:.0f} MB",
                "yes" if self.peak_mb <= _MOST_MB else "no",
            ),
        ]
        columns = (f"{self.seconds / 60:.0f} min, {self.segments} segments", "measured", "holds")
        return f"{self.models}\n\n{markdown(columns, rows)}"


def measure(stack: Stack, models: str, recording: Spoken, rounds: int) -> Found:
    """Send the recording and its clips in turn."""
    found = Found(len(recording.segments), recording.seconds, models)
    send_singly(stack.api_url, recording.requests[:20])  # both find everything warm
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: the whole recording ...")
        first_s, took_s = send_together(stack.api_url, recording)
        found.first_s.append(first_s)
        found.together_s.append(took_s)
        say(f"{found.together_s[-1]:.1f} s; its {found.segments} clips singly ...")
        found.singly_s.append(send_singly(stack.api_url, recording.requests))
        say(f"{found.singly_s[-1]:.1f} s")
    found.peak_mb = _peak_mb(stack)
    return found


def _peak_mb(stack: Stack) -> float:
    [api] = [pid for pid in stack.pids() if psutil.Process(pid).cmdline()[1:3] == ["-m", "api"]]
    lines = Path(f"/proc/{api}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def _main(
    segments: Annotated[int, typer.Option(help="of the recording; 600 are an hour")] = 600,
    rounds: Annotated[int, typer.Option(help="of the recording and its clips, in turn")] = 3,
    output: Annotated[
        Path, typer.Option(help="holds a folder for each day", show_default="benchmarks/results")
    ] = _RESULTS,
) -> None:
    """Compare a long recording with the same clips sent singly, and watch the API's memory."""
    with tempfile.TemporaryDirectory(prefix="neurosense-long-") as work:
        state = Path(work) / "state"
        (state / "logs").mkdir(parents=True)
        say("writing the recording ...")
        recording = spoken(segments, Path(work))
        say("starting the service ...")
        with running_stack(state, {"NEUROSENSE_WEIGHTS": "starter"}) as stack:
            found = measure(stack, served_models(state), recording, rounds)
    folder = output / datetime.now(UTC).strftime("%Y-%m-%d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "long_recording.md").write_text(f"{found.report()}\n")
    (folder / "long_recording.json").write_text(f"{json.dumps(asdict(found), indent=2)}\n")
    print(found.report())


if __name__ == "__main__":
    typer.run(_main)
