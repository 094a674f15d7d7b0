"""`neurosense models`: the versions that are there."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from export.manifest import Branch, Precision
from export.run import export_checkpoint
from serving.models import options, reports, swap_cli, trial_cli
from serving.models.copied import is_exported, publish_copy
from serving.models.exclusive import swapping
from serving.models.inventory import details, entries
from serving.models.removal import remove_version
from serving.models.synchronized import synchronizer
from serving.provision import install_export_tools
from serving.settings import Settings

app = typer.Typer(
    name="models",
    help="""List, check and swap the versions that Triton serves, while it serves.

    Each branch, text and audio, has versions of its own: a checkpoint, exported, with all that
    belongs to it. From a new checkpoint to answers:

    - `neurosense models publish ./my-bert --branch text` adds version 2; nothing serves it yet

    - `neurosense models verify text 2` asks it what the served one is asked, and compares

    - `neurosense models canary text 2 --percent 5` lets it answer some requests; `shadow` sends it
      copies

    - `neurosense models promote text 2` lets it answer, if it passes; no request fails

    - `neurosense models rollback text` brings the one before back""",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
_BY_HAND = "Run it by hand: here all is done"

swap_cli.add_to(app)
trial_cli.add_to(app)


@app.command("list")
def list_models(
    folder: options.Folder = None,
    triton: options.Address = None,
    control_key_file: options.KeyFile = None,
    as_json: options.Json = False,
) -> None:
    """Show every version: which is served, which was before it, and which Triton has loaded."""
    with options.opened(folder, triton, control_key_file, patient=False) as repository:
        found = entries(repository.folder, repository.tritons)
    if as_json:
        options.print_json([asdict(entry) for entry in found])
        return
    reports.print_entries(found)
    if not found:
        options.tell(f"No versions in {repository.folder}: neurosense models publish --help")
    if not repository.tritons:
        options.tell("No Triton answers: what is loaded is not known.")


@app.command()
def show(
    branch: options.BranchArgument,
    version: options.VersionArgument,
    folder: options.Folder = None,
    as_json: options.Json = False,
) -> None:
    """Show where a version comes from, what it predicts, and whether its files are whole."""
    found = details(options.repository_of(folder), branch, version)
    if as_json:
        options.print_json(found)
        return
    for name, value in found.items():
        if name not in ("files", "problem"):
            typer.echo(f"{name:15} {value}")
    typer.echo(f"{'files':15} {found['problem'] or 'as the manifest names them'}")


@app.command()
def publish(
    source: Annotated[
        str,
        typer.Argument(
            help="a hub id (`id@revision`), a checkpoint's folder, or a version that was exported "
            "elsewhere (`…/text_classifier/3`)"
        ),
    ],
    branch: Annotated[Branch, typer.Option(help="what it is for")],
    precision: Annotated[
        Precision | None, typer.Option(help="as of `neurosense export` (NEUROSENSE_PRECISION)")
    ] = None,
    folder: options.Folder = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Add a version, after checking its answers; which one is served stays as it is.

    - `neurosense models publish ./my-bert --branch text`

    - `neurosense models publish superb/hubert-base-superb-er --branch audio`
    """
    repository, path = options.repository_of(folder), Path(source)
    if is_exported(path):
        manifest = publish_copy(path, branch, repository)
    else:
        install_export_tools(options.tell)
        name, _, revision = (source, "", "") if path.is_dir() else source.partition("@")
        manifest = export_checkpoint(
            branch,
            name,
            revision or None,
            repository,
            weights="local" if path.is_dir() else "hub",
            precision=precision or Settings.load().precision,
            progress=options.tell,
        )
    options.tell(f"{branch} version {manifest.version} is there.")
    synchronizer(sync, _BY_HAND)(repository)
    if as_json:
        options.print_json({"branch": branch, "version": manifest.version, "name": manifest.name})
    options.tell("Serve it with:")
    options.tell(f"  neurosense models promote {branch} {manifest.version}")


@app.command()
def remove(
    branch: options.BranchArgument,
    version: options.VersionArgument,
    folder: options.Folder = None,
    sync: options.Sync = None,
    as_json: options.Json = False,
) -> None:
    """Delete a version's files; its number is never given to another.

    The version that is served, the one that a rollback would bring back and one that is on trial
    stay.
    """
    repository = options.repository_of(folder)
    with swapping(repository):
        remove_version(repository, branch, version)
        synchronizer(sync, _BY_HAND)(repository)
    if as_json:
        options.print_json({"branch": branch, "version": version})
    options.tell(f"{branch} version {version} is removed.")
