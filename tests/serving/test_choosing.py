"""Which version a start serves: what was promoted, unless the settings ask for something else."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError
from export.publish import MODELS
from export.starter import publish_starter
from serving.choosing import choose
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.repository import render
from serving.settings import Settings


def settings_of(folder: Path) -> Settings:
    return Settings(state_dir=folder, weights="starter")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that was started once with the starters, and has a second audio version."""
    folder = tmp_path_factory.mktemp("started")
    start(settings_of(folder))
    assert publish_starter("audio", settings_of(folder).repository, precision="fp32").version == 2
    return folder


@pytest.fixture
def settings(started: Path, tmp_path: Path) -> Settings:
    shutil.copytree(started, tmp_path, dirs_exist_ok=True)
    return settings_of(tmp_path)


def start(settings: Settings, say: Any = print) -> int:
    """Choose and render as a start does; return the version of the audio branch."""
    chosen = {branch: choose(branch, settings, say) for branch in MODELS}
    manifests = {branch: manifest for branch, (_, manifest) in chosen.items()}
    choices = {branch: choice for branch, (choice, _) in chosen.items()}
    render(settings.repository, manifests, settings, choices=choices)
    return choices["audio"].version


def promote(settings: Settings, version: int) -> None:
    Repository(settings.repository, [], synchronizer(None), print).swap("audio", version)


def test_what_was_promoted_is_served_by_every_later_start(settings: Settings) -> None:
    assert start(settings) == 1
    promote(settings, 2)
    assert start(settings) == start(settings) == 2


def test_settings_that_changed_since_count_and_that_is_said(settings: Settings) -> None:
    promote(settings, 2)
    promote(settings, 1)  # a person's choice too
    said: list[str] = []
    assert start(settings.model_copy(update={"precision": "fp32"}), said.append) == 2
    assert "the settings ask for another checkpoint than when version 1 was promoted" in said[-1]
    assert start(settings) == 1


def test_a_promoted_version_that_is_damaged_stops_the_start_until_it_is_rolled_back(
    settings: Settings,
) -> None:
    promote(settings, 2)
    (settings.repository / "audio_classifier/2/model.onnx").write_text("half")
    with pytest.raises(ExportError, match="neurosense models rollback audio"):
        start(settings)
    promote(settings, 1)
    assert start(settings) == 1


def test_a_damaged_starter_that_nobody_promoted_is_published_anew(settings: Settings) -> None:
    (settings.repository / "audio_classifier/1/model.onnx").write_text("half")
    assert start(settings) == 3
