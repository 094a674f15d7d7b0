"""Decides which checkpoint each branch serves, and has it published before Triton starts."""

import functools
import importlib
import subprocess
import sys
from pathlib import Path

from export.errors import ExportError
from export.manifest import Branch, Manifest, Weights
from export.progress import Progress
from export.publish import find
from export.run import DEFAULTS, export_checkpoint, origin
from export.starter import publish_starter
from serving.errors import ServingError
from serving.settings import PROJECT, Settings

_HUB_TIMEOUT_S = 10.0


def provide(branch: Branch, settings: Settings, say: Progress) -> Manifest:
    """Return the manifest of the version that `branch` is to serve, published if it was not.

    A checkpoint that the user named is served or an error; only the default one may give
    way to the starter, and only under `NEUROSENSE_WEIGHTS=auto`.
    """
    named = getattr(settings, f"{branch}_checkpoint")
    if named is not None:
        return _named(branch, named, settings, say)
    if settings.weights == "starter":
        return publish_starter(branch, settings.repository, precision=settings.precision)
    name, revision = DEFAULTS[branch]
    try:
        return _from_hub(branch, name, revision, settings, say)
    except (ExportError, ServingError) as error:
        if settings.weights == "hub":
            raise
        say(
            f"WARNING: {branch} is answered by the small STARTER weights, not by {name}.\n"
            f"         Why: {error}\n"
            "         They are real but much weaker; NEUROSENSE_WEIGHTS=hub makes this an error."
        )
        return publish_starter(branch, settings.repository, precision=settings.precision)


def _named(branch: Branch, checkpoint: str, settings: Settings, say: Progress) -> Manifest:
    folder = Path(checkpoint)
    if not folder.is_dir():
        name, _, revision = checkpoint.partition("@")
        return _from_hub(branch, name, revision or None, settings, say)
    name, digest = origin(checkpoint, folder, "local")
    published = _published(branch, name, digest, "local", settings)
    if published is not None:
        return published
    install_export_tools(say)
    return export_checkpoint(
        branch,
        checkpoint,
        None,
        settings.repository,
        weights="local",
        precision=settings.precision,
        progress=say,
    )


def _from_hub(
    branch: Branch, name: str, revision: str | None, settings: Settings, say: Progress
) -> Manifest:
    published = _published(branch, name, revision, "hub", settings)
    if published is not None:
        return published
    say(f"Looking for {name} on the hub ...")
    from export import hub  # imported late: its client is slow to load, and seldom needed

    if hub.cached(name, revision) is None and (reason := _hub_problem()) is not None:
        raise ExportError(
            f"{name} cannot be downloaded: {reason}. Check the network (or the mirror in "
            "HF_ENDPOINT), or serve the shipped weights with NEUROSENSE_WEIGHTS=starter"
        )
    hub.fetch(name, revision, say)  # before the tools: a missing id should not cost their download
    install_export_tools(say)
    return export_checkpoint(
        branch,
        name,
        revision,
        settings.repository,
        weights="hub",
        precision=settings.precision,
        progress=say,
    )


def _published(
    branch: Branch, name: str, revision: str | None, weights: Weights, settings: Settings
) -> Manifest | None:
    return find(
        settings.repository,
        branch,
        name=name,
        revision=revision,
        weights=weights,
        requested=settings.precision,
    )


@functools.cache
def _hub_problem() -> str | None:
    from export import hub

    return hub.reachable(timeout_s=_HUB_TIMEOUT_S)  # asked once: a closed network may let it hang


def install_export_tools(say: Progress) -> None:
    """Install torch and what else only exporting needs, the first time it is needed."""
    done = Path(sys.prefix) / "export"  # the Makefile's stamp: what is there is there whole
    if done.exists():
        return
    say("Installing what exporting needs (torch is large; once) ...")
    requirements = PROJECT / "requirements" / "export.txt"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    if subprocess.run(command, check=False).returncode:
        raise ServingError(f"the export tools could not be installed: {' '.join(command)}")
    done.touch()
    importlib.invalidate_caches()
