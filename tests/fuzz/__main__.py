"""`make fuzz COUNT=100000`: the long run, with progress; exit code 1 if it found anything.

Three of four inputs go to the audio decoder, the others to text and request bodies.
"""

import secrets
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tests.fuzz import seeds
from tests.fuzz.fuzzing import Report, fuzz
from tests.fuzz.targets import audio_target, body_target, text_target

_PROGRESS_S = 5.0


def run(count: int, seed: str, failing: Path, progress: Callable[[str], None]) -> Report:
    """Try `count` inputs in all, the same ones for one seed; inputs gone wrong go to `failing`."""
    report = Report()
    with ExitStack() as stack:
        bodies = seeds.bodies()
        audio = stack.enter_context(audio_target(report, failing))
        jobs = [
            ("audio", audio, list(seeds.recordings().values()), count * 3 // 4),
            ("text", text_target(), seeds.texts(), count // 8),
            *(
                (
                    kind.partition(";")[0],
                    stack.enter_context(body_target(kind)),
                    starts,
                    count // 24,
                )
                for kind, starts in bodies.items()
            ),
        ]
        last_s = time.monotonic()
        for name, target, starts, share in jobs:
            for done in fuzz(name, target, starts, seed, share, report, failing):
                if time.monotonic() - last_s > _PROGRESS_S or done == share:
                    last_s = time.monotonic()
                    progress(f"{name}: {done} of {share}, {len(report.failures)} failures, "
                             f"{len(report.crashes)} decoders ended")  # fmt: skip
    return report


def main(
    count: Annotated[int, typer.Argument(min=24, help="inputs in all")] = 100_000,
    seed: Annotated[str, typer.Option(help="of an earlier run, to repeat it")] = "",
    failing: Annotated[Path, typer.Option(help="folder for inputs gone wrong")] = Path(
        ".neurosense/fuzz"
    ),
) -> None:
    """Try mutated recordings, texts and bodies."""
    seed = seed or secrets.token_hex(4)
    typer.echo(f"seed {seed}, {count} inputs")
    report = run(count, seed, failing, typer.echo)
    for outcome, times in sorted(report.outcomes.items()):
        typer.echo(f"{times:9,}  {outcome}")
    typer.echo(f"largest decoding process: {report.largest_rss_bytes / 2**20:.0f} MiB resident")
    for path in report.crashes:
        typer.echo(f"ended its decoder (contained): {path}")
    for failure in report.failures:
        typer.echo(f"FAILED {failure}")
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    typer.run(main)
