"""`neurosense evaluate`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from export.manifest import Branch
from serving.evaluation_options import Data, Dev, LayoutOption, Repository, Test
from serving.settings import Settings

_console = Console(highlight=False, soft_wrap=True)


def evaluate(
    data: Data,
    layout: LayoutOption = None,
    out: Annotated[
        Path, typer.Option(help="folder for the report and the answers; run again to go on")
    ] = Path("evaluation-report"),
    dev: Dev = "dev",
    test: Test = "test",
    onnx: Annotated[
        bool, typer.Option("--onnx", help="run the published ONNX files; no server is needed")
    ] = False,
    repository: Repository = None,
    text_version: Annotated[
        int | None, typer.Option(help="with --onnx (default: the newest)")
    ] = None,
    audio_version: Annotated[
        int | None, typer.Option(help="with --onnx (default: the newest)")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Triton's gRPC address (default: this machine's)")
    ] = None,
    in_flight: Annotated[
        int, typer.Option(min=1, max=128, help="calls open at once, for Triton to batch")
    ] = 16,
    against: Annotated[
        Path | None, typer.Option(help="--out of another evaluation of the same data, to compare")
    ] = None,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="also noisy, compressed, misspelt …: up to 9 times as long"),
    ] = False,
) -> None:
    """Measure on labelled data how right the models are.

    The running service's Triton answers, or with --onnx the published files themselves. The
    report (HTML and JSON) has text, audio and both fused at every weight, with 95 % intervals;
    weights are chosen on dev and scored on test. Data without splits is scored as a whole.

    A manifest's columns are text, audio (a path beside it), label, speaker, dialogue, split,
    group; text or audio and label are enough. Examples:

    - `neurosense evaluate calls.csv --out calls`

    - `neurosense evaluate ./MELD.Raw --layout meld`

    - `neurosense evaluate ./IEMOCAP --layout iemocap --dev session4 --test session1`

    - `neurosense evaluate calls.csv --changed`

    - `neurosense evaluate calls.csv --onnx --text-version 2 --out v2 --against calls`
    """
    # Loaded only here: the other commands start without it.
    from evaluation import asking, run
    from evaluation.layouts import read
    from evaluation.onnx_files import OnnxFiles
    from evaluation.served import Served
    from evaluation.summary import lines

    settings = Settings.load()
    models: asking.Models = Served(url or f"127.0.0.1:{settings.triton_grpc_port}", in_flight)
    if onnx:
        wanted: dict[Branch, int | None] = {"text": text_version, "audio": audio_version}
        models = OnnxFiles(repository or settings.repository, wanted)
    elif repository or text_version or audio_version:
        raise typer.BadParameter("--repository and versions belong to --onnx")
    made = run.evaluate(
        read(data, layout), models, out, dev=dev, test=test, against=against, changed=changed
    )
    for line in lines(made):
        _console.print(line, markup=False)
    page, data_file = out / run.PAGE_NAME, out / run.JSON_NAME
    _console.print(f"{page} has all of it, {data_file} for programs", markup=False)
