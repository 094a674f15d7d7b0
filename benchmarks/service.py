"""`python -m benchmarks.service`: what the three ensembles do under load."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from tritonclient.utils import InferenceServerException

from benchmarks import inputs, report
from benchmarks.analyzer import Load, Protocol
from benchmarks.analyzer_files import AnalyzerError
from benchmarks.command import INTERRUPTED, run_app, say
from benchmarks.inputs import Clip
from benchmarks.machines import machine
from benchmarks.measurements import analysis
from benchmarks.report import Measurement
from benchmarks.server import Server, running_triton, starter_triton
from serving.errors import ServingError

ENSEMBLES = ("emotion_text", "emotion_audio", "emotion_multimodal")
_RESULTS = Path(__file__).with_name("results")

_Model = Annotated[
    list[str] | None, typer.Option(help="ensemble to measure; repeat it for more [all three]")
]
_Concurrency = Annotated[str, typer.Option(help="requests in flight, one run for each number")]
_Seconds = Annotated[
    float, typer.Option(min=0.2, help="length of a measuring window; a run has three")
]
_Protocol = Annotated[Protocol, typer.Option(help="how to talk to Triton")]
_Url = Annotated[
    str | None,
    typer.Option(help="host:port of a running Triton, for that protocol; else one is started"),
]
_Clips = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="folder of recordings to send instead"),
]
_Output = Annotated[
    Path, typer.Option(help="folder for the .json and .md", show_default="benchmarks/results")
]
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command()
def service(
    model: _Model = None,
    concurrency: _Concurrency = "1,4,16",
    seconds: _Seconds = 4.0,
    protocol: _Protocol = "grpc",
    url: _Url = None,
    clips: _Clips = None,
    output: _Output = _RESULTS,
) -> None:
    """Measure throughput, latency and batch sizes of the three ensembles with perf_analyzer.

    Without `--url` it starts a Triton of its own with the starter weights. What is sent:
    ordinary sentences of 3 to 56 words, and clips of 1 to 12 s cut from recordings of a
    person reading (export/samples/recordings), always the same ones.

    Examples:

    - `python -m benchmarks.service` measures everything in two to three minutes

    - `python -m benchmarks.service --model emotion_audio --concurrency 1,32 --clips ~/calls`

    - `python -m benchmarks.service --url 127.0.0.1:8001` measures what `neurosense serve` runs
    """
    levels = _levels(concurrency)
    loads = [Load(name, level, seconds) for name in _models(model) for level in levels]
    sentences, sounds = inputs.read_sentences(), _sounds(clips)
    say("Starting Triton ..." if url is None else f"Using the Triton at {url}")
    with starter_triton(protocol) if url is None else running_triton(url, protocol) as server:
        facts = machine() | server.described() | inputs.described(sentences, sounds)
        _measure_and_report(_measure(server, loads, sentences, sounds), facts, output)


def _models(named: list[str] | None) -> list[str]:
    if unknown := set(named or ()) - set(ENSEMBLES):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(ENSEMBLES)}")
    return named or list(ENSEMBLES)


def _levels(concurrency: str) -> list[int]:
    try:
        levels = [int(level) for level in concurrency.split(",")]
    except ValueError:
        levels = []
    if not levels or min(levels) < 1:
        raise typer.BadParameter("--concurrency takes whole numbers from 1 on, as in 1,4,16")
    return levels


def _sounds(folder: Path | None) -> list[Clip]:
    try:
        return inputs.cut_clips() if folder is None else inputs.read_clips(folder)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _measure(
    server: Server, loads: list[Load], sentences: list[str], sounds: list[Clip]
) -> Iterator[Measurement]:
    with analysis(server, sentences, sounds) as one:
        for number, load in enumerate(loads, 1):
            say(f"[{number}/{len(loads)}] {load.model}, {load.concurrency} in flight ...")
            yield one.measure(load)


def _measure_and_report(
    running: Iterator[Measurement], facts: dict[str, Any], output: Path
) -> None:
    """Print and write what `running` yields, also where it is stopped in between."""
    measurements: list[Measurement] = []
    try:
        for measurement in running:
            measurements.append(measurement)  # noqa: PERF402  kept if it is stopped
    except KeyboardInterrupt:
        say("Stopped; what was measured so far:")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if measurements:
            print(report.table(measurements), "", *report.notes(facts), sep="\n")
            say(f"Written: {report.write(output, measurements, facts)} and .json beside it")


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    run_app(app, "benchmarks.service", AnalyzerError, ServingError, InferenceServerException)


if __name__ == "__main__":
    main()
