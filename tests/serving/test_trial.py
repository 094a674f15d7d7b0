"""Trials in a repository without a Triton."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import api.triton
from export.errors import ExportError
from export.publish import MODELS
from export.starter import publish_starter
from serving import trial
from serving.choice import DECISION, ENSEMBLES, Choice, loadable, pinned, read_choice
from serving.choosing import kept_trial
from serving.configs import read_config
from serving.errors import ServingError
from serving.models import trials
from serving.models.inventory import entries
from serving.models.removal import remove_version
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.repository import SOURCE, render
from serving.settings import Settings
from serving.trial import CANDIDATES, Trial, read_trial
from tests.serving.test_models import number_of, publish_garbage

CANARY = Trial("text", 2, "canary", 10.0)
TRY_FOREVER = """
import sys
from pathlib import Path
from serving.models import trials
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.trial import Trial

repository = Repository(Path(sys.argv[1]), [], synchronizer(None), print)
while True:
    trials.begin(repository, Trial("audio", 2, "canary", 50.0))
    print("begun", flush=True)
    trials.begin(repository, Trial("audio", 2, "shadow", 50.0))
    trials.end(repository, "audio")
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two versions of both branches."""
    folder = tmp_path_factory.mktemp("repository")
    manifests = {branch: publish_starter(branch, folder) for branch in MODELS}
    for branch in MODELS:
        assert publish_starter(branch, folder, precision="fp32").version == 2
    render(folder, manifests, Settings())
    return folder


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Repository:
    copy = tmp_path / "models"
    subprocess.run(["cp", "-rl", template, copy], check=True)
    for config in copy.glob("*/config.pbtxt"):
        text = config.read_text()
        config.unlink()
        config.write_text(text)
    return Repository(copy, [], synchronizer(None), print)


def called(folder: Path, name: str) -> dict[str, int]:
    config = read_config(folder / name / "config.pbtxt")
    return {
        branch: pinned(config, branch)
        for branch in MODELS
        if name.removesuffix("_candidate") in ENSEMBLES[branch]
    }


def candidates(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*_candidate/config.pbtxt")}


def test_a_trial_has_ensembles_of_its_own_and_leaves_the_others_alone(
    repository: Repository,
) -> None:
    folder = repository.folder
    served = (folder / "emotion_text/config.pbtxt").read_text()
    trials.begin(repository, CANARY)
    assert read_trial(folder) == CANARY
    assert candidates(folder) == {"emotion_text_candidate", "emotion_multimodal_candidate"}
    assert called(folder, "emotion_text_candidate") == {"text": 2}
    assert called(folder, "emotion_multimodal_candidate") == {"text": 2, "audio": 1}
    assert (folder / "emotion_text/config.pbtxt").read_text() == served
    assert loadable(folder, "text") == {1, 2}
    assert loadable(folder, "audio") == {1}
    config = read_config(folder / "emotion_text_candidate/config.pbtxt")
    assert config.name == "emotion_text_candidate"
    assert json.loads(config.parameters["text"].string_value)["version"] == "2"
    assert DECISION not in config.parameters


def test_a_candidates_number_stands_for_its_steps_in_every_trial(repository: Repository) -> None:
    folder, numbers = repository.folder, []
    for version in (2, publish_garbage(folder, "fp32")):
        trials.begin(repository, Trial("audio", version, "canary", 10.0))
        config = read_config(folder / "emotion_audio_candidate/config.pbtxt")
        [number] = config.version_policy.specific.versions
        told = json.loads((folder / f"emotion_audio_candidate/{number}/steps.json").read_text())
        assert told["steps"]["audio_classifier"] == version
        numbers.append(number)
        trials.end(repository, "audio")
    assert len({*numbers, number_of(folder, "emotion_audio")}) == 3
    repository.swap("audio", 2)
    assert number_of(folder, "emotion_audio") == numbers[0]


def test_a_trial_that_is_given_again_is_another_share_or_kind(repository: Repository) -> None:
    for one in (CANARY, Trial("text", 2, "canary", 0.5), Trial("text", 2, "shadow", 100.0)):
        trials.begin(repository, one)
        assert read_trial(repository.folder) == one
    [state] = [
        e.state for e in entries(repository.folder, []) if (e.branch, e.version) == ("text", 2)
    ]
    assert state == "shadow 100%"


def test_an_end_leaves_nothing(repository: Repository) -> None:
    trials.begin(repository, CANARY)
    assert trials.end(repository, "text") == CANARY
    assert not [path for path in repository.folder.iterdir() if "candidate" in path.name]
    assert loadable(repository.folder, "text") == {1}
    assert read_trial(repository.folder) is None
    with pytest.raises(ServingError, match="no canary and no shadow"):
        trials.end(repository, "text")


def test_one_trial_at_a_time_and_of_another_version(repository: Repository) -> None:
    with pytest.raises(ServingError, match="version 1 is the one that is served"):
        trials.begin(repository, Trial("text", 1, "canary", 10.0))
    trials.begin(repository, CANARY)
    with pytest.raises(ServingError, match=r"text version 2 is on trial .*models stop text"):
        trials.begin(repository, Trial("audio", 2, "shadow", 10.0))
    with pytest.raises(ServingError, match="audio has no trial"):
        trials.end(repository, "audio")
    with pytest.raises(ServingError, match="on trial"):
        remove_version(repository.folder, "text", 2)
    trials.end(repository, "text")
    with pytest.raises(ExportError, match="no version 7"):
        trials.begin(repository, Trial("audio", 7, "shadow", 10.0))
    assert candidates(repository.folder) == set()


def test_a_promotion_ends_its_trial_and_another_ones_goes_on(repository: Repository) -> None:
    folder = repository.folder
    trials.begin(repository, CANARY)
    repository.swap("audio", 2)
    assert read_trial(folder) == CANARY
    assert called(folder, "emotion_multimodal_candidate") == {"text": 2, "audio": 2}
    assert loadable(folder, "audio") == {2}
    repository.swap("text", 2)
    assert read_trial(folder) is None
    assert candidates(folder) == set()
    assert loadable(folder, "text") == {2}
    with repository.beside("text", 1):
        assert loadable(folder, "text") == {1, 2}
    assert loadable(folder, "text") == {2}


def test_a_version_beside_a_trial_leaves_it_loaded(repository: Repository) -> None:
    trials.begin(repository, CANARY)
    with repository.beside("text", 1):
        pass
    assert loadable(repository.folder, "text") == {1, 2}


def test_kills_leave_a_repository_that_any_triton_serves(repository: Repository) -> None:
    folder = repository.folder
    for number in range(5):
        command = [sys.executable, "-c", TRY_FOREVER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trier:
            assert trier.stdout
            trier.stdout.readline()
            time.sleep(0.005 * number)  # not waited for: just another moment each time
            trier.send_signal(signal.SIGKILL)
        # A Triton that starts now finds every ensemble whole, with steps that it may load.
        for path in folder.glob("emotion_*"):
            config = read_config(path / "config.pbtxt")
            [version] = config.version_policy.specific.versions
            assert (path / str(version) / "steps.json").exists()
            assert set(called(folder, path.name).values()) <= {1, 2}
            if "audio" in called(folder, path.name):
                assert called(folder, path.name)["audio"] in loadable(folder, "audio")
        assert called(folder, "emotion_audio") == {"audio": 1}
        # The next command finishes what was left.
        trials.begin(repository, Trial("audio", 2, "canary", 5.0))
        trials.end(repository, "audio")
        assert (candidates(folder), loadable(folder, "audio")) == (set(), {1})


def started(repository: Repository, **versions: int) -> list[str]:
    """Do what a start of `neurosense serve` does to the repository; return what it says."""
    said: list[str] = []
    folder = repository.folder
    choices = {branch: Choice(versions.get(branch, 1)) for branch in MODELS}
    manifests = {
        branch: publish_starter(branch, folder, precision="fp32" if branch in versions else "auto")
        for branch in MODELS
    }
    trial = kept_trial(folder, choices, said.append)
    render(folder, manifests, Settings(), choices=choices, trial=trial)
    return said


def test_a_start_goes_on_with_a_trial(repository: Repository) -> None:
    folder = repository.folder
    trials.begin(repository, CANARY)
    assert started(repository, audio=2) == []
    assert read_trial(folder) == CANARY
    assert called(folder, "emotion_multimodal_candidate") == {"text": 2, "audio": 2}
    assert loadable(folder, "text") == {1, 2}
    assert started(repository, text=2) == []  # what the settings ask for now
    assert candidates(folder) == set()
    assert loadable(folder, "text") == {2}


def test_a_damaged_candidate_is_told_and_does_not_hinder_a_start(repository: Repository) -> None:
    trials.begin(repository, CANARY)
    (repository.folder / "text_classifier/2/model.onnx").unlink()
    [said] = started(repository)
    assert "canary of text version 2 is over" in said
    assert candidates(repository.folder) == set()
    assert loadable(repository.folder, "text") == {1}
    choice = read_choice(repository.folder, "text")
    assert choice is not None
    assert choice.version == 1


def test_the_names_are_those_that_the_api_asks_for() -> None:
    assert trial.SUFFIX == api.triton._CANDIDATE
    assert {name.removesuffix(trial.SUFFIX) for name in CANDIDATES} == set(api.triton.ENSEMBLES)
    assert not [path for path in SOURCE.iterdir() if path.name.endswith(trial.SUFFIX)]
