"""The `neurosense` command."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api import key_commands
from evaluation.errors import EvaluationError
from export.errors import ExportError
from export.manifest import Branch, Manifest, Precision
from export.publish import MODELS
from export.run import DEFAULT_TOLERANCE, DEFAULTS, export_checkpoint
from export.starter import publish_starter
from serving.calibrate_command import calibrate
from serving.errors import ServingError
from serving.evaluate_command import evaluate
from serving.models import cli as models_commands
from serving.settings import Settings

app = typer.Typer(
    name="neurosense",
    help="Emotion recognition from text and speech, served by NVIDIA Triton.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(key_commands.app)
app.command()(evaluate)
app.command()(calibrate)
app.add_typer(models_commands.app)
_console = Console(highlight=False, soft_wrap=True)
_started = time.monotonic()


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1."""
    try:
        app()
    except (ServingError, ExportError, EvaluationError, OSError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"neurosense: {error}", markup=False
        )
        sys.exit(1)


@app.command()
def serve() -> None:
    """Start the database, Triton, the API and the page; Ctrl-C stops them all.

    One of them that dies or hangs later is started again by itself.

    Everything is told by NEUROSENSE_* variables (see the README's table), for example:

    - `NEUROSENSE_WEIGHTS=starter neurosense serve` never asks the hub

    - `NEUROSENSE_TEXT_CHECKPOINT=./my-model neurosense serve` serves a checkpoint of yours

    - `NEUROSENSE_API_PORT=9080 NEUROSENSE_STATE_DIR=/tmp/two …` runs a second copy
    """
    from serving.serve import run_until_stopped  # loads all that the other commands do without

    run_until_stopped()


@app.command()
def export(
    source: Annotated[
        str | None,
        typer.Argument(help="a hub id, or a checkpoint's folder; without it, the defaults of both"),
    ] = None,
    branch: Annotated[
        Branch | None, typer.Option(help="what the checkpoint is for; needed with SOURCE")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="hub revision: a commit, tag or branch")
    ] = None,
    repository: Annotated[
        Path | None, typer.Option(help="where to publish (default: the state folder's)")
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="largest difference of a probability from PyTorch's"),
    ] = DEFAULT_TOLERANCE,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="of the graph; auto is int8 if its answers agree, fp16 is for GPUs "
            "(NEUROSENSE_PRECISION)"
        ),
    ] = None,
    starter: Annotated[
        bool, typer.Option("--starter", help="publish the shipped starter weights of both instead")
    ] = False,
) -> None:
    """Turn a checkpoint into a version that Triton serves, after checking its answers.

    The ONNX model must give the answers of the PyTorch checkpoint, alone and in mixed
    batches; else nothing is published. Examples:

    - `neurosense export` publishes the two default checkpoints from the hub

    - `neurosense export ./my-bert --branch text`

    - `neurosense export superb/hubert-base-superb-er --branch audio`

    - `neurosense export --starter --repository ./models` makes a folder for any Triton; with
      `NEUROSENSE_CPU_CORES=4` before it, for one without a GPU
    """
    settings = Settings.load()
    target = repository or settings.repository
    if source is not None and branch is None:
        raise typer.BadParameter("say what the checkpoint is for: --branch text or --branch audio")
    if source is None and revision is not None:
        raise typer.BadParameter("--revision belongs to a SOURCE; the defaults have their own")
    chosen = precision or settings.precision
    if starter:
        manifests = {name: publish_starter(name, target, precision=chosen) for name in MODELS}
    else:
        manifests = _export(source, branch, revision, target, tolerance, chosen)
    for name, manifest in manifests.items():
        _say(f"{name}: version {manifest.version} ({manifest.precision}) in {target}")
    if target == settings.repository:
        _say("neurosense serve serves what its settings name, unless another one was promoted")
    elif len(manifests) == len(MODELS):
        _complete(target, manifests, settings)
        _say(f"{target} is complete: any Triton can serve it")


def _export(
    source: str | None,
    branch: Branch | None,
    revision: str | None,
    repository: Path,
    tolerance: float,
    precision: Precision,
) -> dict[Branch, Manifest]:
    from serving.provision import install_export_tools

    install_export_tools(_say)
    wanted: dict[Branch, tuple[str, str | None]] = (
        dict(DEFAULTS) if source is None or branch is None else {branch: (source, revision)}
    )
    return {
        name: export_checkpoint(
            name,
            checkpoint,
            wanted_revision,
            repository,
            weights="local" if Path(checkpoint).is_dir() else "hub",
            tolerance=tolerance,
            precision=precision,
            progress=_say,
        )
        for name, (checkpoint, wanted_revision) in wanted.items()
    }


def _complete(target: Path, manifests: dict[Branch, Manifest], settings: Settings) -> None:
    """Write the configurations that a folder of both branches lacks."""
    from serving.choice import following, read_choice
    from serving.choosing import kept_trial
    from serving.repository import render

    choices = {name: following(read_choice(target, name), m) for name, m in manifests.items()}
    trial = kept_trial(target, choices, _say)
    gpu = settings.cpu_cores is None
    render(target, manifests, settings, gpu=gpu, choices=choices, trial=trial)


def _say(message: str) -> None:
    _console.print(f"[{time.monotonic() - _started:6.1f} s] {message}", markup=False)


if __name__ == "__main__":
    main()
