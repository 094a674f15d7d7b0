"""`python -m benchmarks.chaos`: every fault under load, and a table of what clients saw."""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.chaos import campaign, system, table
from benchmarks.chaos.errors import ChaosError
from benchmarks.chaos.faults import FAULTS, Fault
from benchmarks.chaos.result import Result
from benchmarks.command import INTERRUPTED, run_app, say
from serving.errors import ServingError

_RESULTS = Path(__file__).resolve().parent.parent / "results"
_NAMES = ", ".join(fault.name for fault in FAULTS)

_Only = Annotated[str, typer.Option(help=f"faults to run, with commas between: {_NAMES}")]
_Short = Annotated[bool, typer.Option("--short", help="hold each fault 2 s at most, as tests do")]
_Output = Annotated[
    Path, typer.Option(help="holds a folder for each day", show_default="benchmarks/results")
]
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command()
def chaos(only: _Only = "", short: _Short = False, output: _Output = _RESULTS) -> None:
    """Start the whole service, send it requests, break it in every way, and count.

    Every prediction must be in the log, once, with the same emotion; every refusal must be clean
    and in time; the service must be whole again by itself. Exit code 1 if any of it is not so.
    Takes about seven minutes; Ctrl-C stops everything. Writes chaos.md and chaos.json, and the
    servers' logs if a promise was not kept.

    Examples:

    - `python -m benchmarks.chaos --only kill-triton,pause-postgres`

    - `python -m benchmarks.chaos --short` takes under three minutes
    """
    faults = campaign.chosen([name.strip() for name in only.split(",") if name.strip()])
    folder = output / datetime.now(UTC).strftime("%Y-%m-%d")
    with tempfile.TemporaryDirectory(prefix="neurosense-chaos-") as work:
        try:
            results = asyncio.run(_run(Path(work), faults, short))
        except KeyboardInterrupt:
            say("Stopped.")
            raise typer.Exit(INTERRUPTED) from None
        table.write(results, folder)
        print(table.table(results))
        if any(result.broken_promises() for result in results):
            shutil.copytree(Path(work) / "state" / "logs", folder / "logs", dirs_exist_ok=True)
            shutil.copy(Path(work) / "serve.log", folder / "logs")
            say(f"The servers' logs are in {folder / 'logs'}")
            raise typer.Exit(1)


async def _run(work: Path, faults: Sequence[Fault], short: bool) -> list[Result]:
    async with system.running(work, say) as running:
        return await campaign.every(running, faults, say, short=short)


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    run_app(app, "benchmarks.chaos", ChaosError, ServingError)


if __name__ == "__main__":
    main()
