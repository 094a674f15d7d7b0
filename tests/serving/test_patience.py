"""Commands wait for a Triton that `neurosense serve` is starting again."""

from pathlib import Path

import pytest

from serving.errors import ServingError
from serving.models import options
from serving.models.triton import SwappedTriton
from serving.state_lock import is_running, state_lock


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with the key of a Triton that is not there."""
    monkeypatch.setenv("NEUROSENSE_STATE_DIR", str(tmp_path))
    (tmp_path / "triton_control_key").write_text("k" * 40)
    return tmp_path


def answering(monkeypatch: pytest.MonkeyPatch, *answers: bool) -> None:
    turns = iter(answers)
    monkeypatch.setattr(SwappedTriton, "answers", lambda *_, **__: next(turns))
    monkeypatch.setattr(options, "_POLL_S", 0.01)


def test_whether_it_runs_is_known_without_stopping_a_start(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with state_lock(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


def test_one_that_is_starting_again_is_waited_for(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, False, False, True, True)
    with state_lock(state), options.opened(None, None, None) as repository:
        assert len(repository.tritons) == 1


def test_one_that_does_not_come_back_is_an_error(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, *[False] * 1000)
    monkeypatch.setattr(options, "_STARTS_WITHIN_S", 0.1)
    with (
        state_lock(state),
        pytest.raises(ServingError, match="nothing was changed"),
        options.opened(None, None, None),
    ):
        pass


def test_who_only_looks_does_not_wait(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, False)
    with state_lock(state), options.opened(None, None, None, patient=False) as repository:
        assert repository.tritons == []


@pytest.mark.usefixtures("state")
def test_where_nothing_runs_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, False)
    with options.opened(None, None, None) as repository:
        assert repository.tritons == []
