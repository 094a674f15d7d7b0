"""A swap that is interrupted anywhere leaves what a Triton can serve."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from serving import configs
from serving.choice import loadable
from serving.errors import ServingError
from serving.models import called, reports, served, swap_cli
from serving.models.swap import Repository
from serving.models.trials import begin
from serving.models.triton import SwappedTriton
from serving.models.verdict import Thresholds
from serving.trial import Trial, read_trial
from tests.serving.test_models import repository, template

__all__ = ["repository", "template"]


def at(turn: int, error: BaseException, otherwise: Callable[..., Any] = str) -> Callable[..., Any]:
    """Return what raises an error when it is called for the `turn`th time, and only then."""
    turns = iter(range(1, 1000))

    def act(*arguments: Any) -> Any:
        if next(turns) == turn:
            raise error
        return otherwise(*arguments)

    return act


def versions(repository: Repository) -> set[int]:
    """Return what a Triton that starts now would call; all of it must be loaded."""
    found = called.versions_of(called.on_disk(repository.folder, "audio"))
    assert loadable(repository.folder, "audio") == found
    return found


@pytest.mark.parametrize(("turn", "left"), [(1, 1), (2, 1), (3, 2)])
def test_ctrl_c_while_it_is_synchronized(repository: Repository, turn: int, left: int) -> None:
    interrupted = dataclasses.replace(repository, synchronize=at(turn, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        interrupted.swap("audio", 2)
    assert versions(repository) == {left}
    assert repository.choice("audio").version == left


@pytest.mark.parametrize(("turn", "left"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_a_disk_that_is_full_for_a_moment(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, turn: int, left: int
) -> None:
    full = at(turn, OSError(28, "No space left on device"), configs.write_config)
    monkeypatch.setattr(served, "write_config", full)
    with pytest.raises(OSError, match="No space"):
        repository.swap("audio", 2)
    assert repository.choice("audio").version == left
    found = called.on_disk(repository.folder, "audio")
    assert list(found.values()) == [{left}, {left}]
    assert left in loadable(repository.folder, "audio")


def test_ctrl_c_at_the_begin_of_a_trial(repository: Repository) -> None:
    """Its ensembles are in the folder then, and are taken out again."""
    interrupted = dataclasses.replace(repository, synchronize=at(2, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        begin(interrupted, Trial("audio", 2, "canary", 10))
    assert versions(repository) == {1}


class Falling(SwappedTriton):
    """Dies of the model that it is to load."""

    def __init__(self, model: str) -> None:
        super().__init__("127.0.0.1:1")
        self.model = model
        self.fell = False

    def serving(self) -> set[str]:
        if self.fell:
            raise ServingError("gone")
        return set()

    def serves(self, *_: Any) -> bool:
        return True

    def states(self, _model: str) -> dict[int, str]:
        return {}

    def load(self, model: str) -> None:
        self.fell |= model == self.model
        if self.fell:
            raise ServingError(f"gone with {model}")


def test_a_version_that_takes_triton_down_is_not_loaded_again(repository: Repository) -> None:
    said: list[str] = []
    with Falling("audio_classifier") as triton:
        falling = dataclasses.replace(repository, tritons=[triton], say=said.append)
        with pytest.raises(ServingError, match="gone with"), falling.beside("audio", 2):
            pass
    assert versions(repository) == {1}
    assert said == [
        "Not all of it could be undone: gone with audio_classifier. The next command for audio does"
    ]


def test_a_trial_that_takes_triton_down_does_not_begin_with_the_next(
    repository: Repository,
) -> None:
    with Falling("emotion_audio_candidate") as triton:
        falling = dataclasses.replace(repository, tritons=[triton])
        with pytest.raises(ServingError, match="gone with"):
            begin(falling, Trial("audio", 2, "canary", 10))
    assert read_trial(repository.folder) is None
    assert versions(repository) == {1}


def test_an_interrupted_promotion_is_logged_as_undone(repository: Repository) -> None:
    swap = reports.Swap("promote", "audio", 1, 2)
    with pytest.raises(KeyboardInterrupt), reports.logged(repository, swap):
        raise KeyboardInterrupt
    _, undone = map(json.loads, (repository.folder / reports.LOG).read_text().splitlines())
    assert (undone["action"], undone["why"]) == ("undone", "KeyboardInterrupt")


def test_what_cannot_be_compared_speaks_against_a_version(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ServingError("version 1 cannot answer 'a case'")

    monkeypatch.setattr(swap_cli, "_verdict", broken)
    found = swap_cli._judged(repository, "audio", 2, [], Thresholds(0.9, 0.1, 2))
    assert found == (None, ["they could not be compared: version 1 cannot answer 'a case'"])
