"""Repositories and golden sets without a Triton."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from export import manifest as manifests
from export.errors import ExportError
from export.manifest import Branch, Manifest, Precision
from export.publish import MODELS, find, staged
from export.starter import publish_starter
from export.versions import delete, intact, next_version
from serving.choice import ENSEMBLES, loadable, pinned, read_choice
from serving.configs import read_config
from serving.errors import ServingError
from serving.models import cli, options, reports
from serving.models.copied import is_exported, publish_copy
from serving.models.exclusive import swapping
from serving.models.golden import Case, read, shipped
from serving.models.inventory import entries
from serving.models.steps import Asked
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SilentError, SwappedTriton
from serving.models.verdict import Thresholds
from serving.models.verify import _verdict, compare
from serving.repository import render
from serving.settings import PROJECT, Settings

SWAP_FOREVER = """
import sys
from pathlib import Path
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer

repository = Repository(Path(sys.argv[1]), [], synchronizer(None), print)
while True:
    for version in (2, 1):
        with swapping(repository.folder):
            repository.swap("audio", version)
        print(version, flush=True)
"""


def publish_garbage(repository: Path, precision: Precision = "auto") -> int:
    """Publish an audio version whose hashes are right, and which is no model."""
    manifest = publish_starter("audio", repository, precision=precision)
    with staged(repository, "audio") as stage:
        (stage.classifier / "model.onnx").write_text("no graph")
        version = stage.commit(dataclasses.replace(manifest, name="garbage")).version
    assert version is not None
    return version


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    manifests = {branch: publish_starter(branch, folder) for branch in MODELS}
    assert publish_garbage(folder) == 2
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


def called(folder: Path) -> dict[str, int]:
    return {
        name: pinned(read_config(folder / name / "config.pbtxt"), "audio")
        for name in ENSEMBLES["audio"]
    }


def number_of(folder: Path, ensemble: str) -> int:
    """Return the number that Triton puts on the ensemble's answers."""
    [number] = read_config(folder / ensemble / "config.pbtxt").version_policy.specific.versions
    return int(number)


def test_a_swap_changes_pins_identity_and_the_number_of_the_ensembles(
    repository: Repository,
) -> None:
    text = number_of(repository.folder, "emotion_text")
    repository.swap("audio", 2)
    for name in ENSEMBLES["audio"]:
        config = read_config(repository.folder / name / "config.pbtxt")
        assert pinned(config, "audio") == 2
        assert json.loads(config.parameters["audio"].string_value)["name"] == "garbage"
        number = number_of(repository.folder, name)
        told = json.loads((repository.folder / name / f"{number}/steps.json").read_text())
        assert told["steps"]["audio_classifier"] == 2
        assert told["weights"]["audio"]["name"] == "garbage"
    assert loadable(repository.folder, "audio") == {2}
    assert number_of(repository.folder, "emotion_text") == text  # the other branch is left alone


def test_an_ensembles_number_means_the_same_weights_in_every_repository(
    repository: Repository, template: Path, tmp_path: Path
) -> None:
    """Or an API in front of two images, each with weights of its own, would take them for one."""
    ours: dict[Branch, Manifest] = {branch: intact(template, branch, 1) for branch in MODELS}
    theirs = ours | {"text": dataclasses.replace(ours["text"], revision="of another image")}
    for folder, manifests_ in ((tmp_path / "same", ours), (tmp_path / "other", theirs)):
        render(folder, manifests_, Settings())
    for ensemble in ENSEMBLES["text"]:
        assert number_of(tmp_path / "same", ensemble) == number_of(repository.folder, ensemble)
        assert number_of(tmp_path / "other", ensemble) != number_of(repository.folder, ensemble)
    assert number_of(tmp_path / "other", "emotion_audio") == number_of(template, "emotion_audio")


def test_a_rollback_is_known_and_can_be_taken_back(repository: Repository) -> None:
    numbers = {name: number_of(repository.folder, name) for name in ENSEMBLES["audio"]}
    repository.swap("audio", 2)
    first = repository.choice("audio")
    assert (first.version, first.previous, first.promoted) == (2, 1, True)
    repository.swap("audio", 1)
    for name in ENSEMBLES["audio"]:  # the same steps, the same number
        assert number_of(repository.folder, name) == numbers[name]
    assert (repository.choice("audio").version, repository.choice("audio").previous) == (1, 2)


def test_kills_leave_a_repository_that_serves_the_old_or_the_new(repository: Repository) -> None:
    folder = repository.folder
    for number in range(5):
        command = [sys.executable, "-c", SWAP_FOREVER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapper:
            assert swapper.stdout
            swapper.stdout.readline()
            time.sleep(0.004 * number)  # not waited for: just another moment each time
            swapper.send_signal(signal.SIGKILL)
        # A Triton that starts now finds every ensemble whole, with steps that it may load.
        assert set(called(folder).values()) <= loadable(folder, "audio") <= {1, 2}
        for name in ENSEMBLES["audio"]:
            config = read_config(folder / name / "config.pbtxt")
            identity = json.loads(config.parameters["audio"].string_value)
            assert identity["version"] == str(pinned(config, "audio"))
            assert (folder / name / str(config.version_policy.specific.versions[0])).is_dir()
        # The next swap finishes what was left, to the version that decided already.
        chosen = repository.choice("audio").version
        repository.swap("audio", chosen)
        assert called(folder) == dict.fromkeys(ENSEMBLES["audio"], chosen)
        assert loadable(folder, "audio") == {chosen}


def test_two_commands_at_once_are_refused(repository: Repository) -> None:
    with (
        swapping(repository.folder),
        pytest.raises(ServingError, match="another"),
        swapping(repository.folder),
    ):
        pass


@pytest.mark.parametrize("damage", ["changed", "gone", "manifest", "other branch"])
def test_damage_is_found(repository: Repository, damage: str) -> None:
    folder = repository.folder / "audio_classifier/2"
    file = folder / ("manifest.json" if damage in ("manifest", "other branch") else "model.onnx")
    content = file.read_text()
    file.unlink()
    if damage == "changed":
        file.write_text(content + " ")
    elif damage == "manifest":
        file.write_text("[]")
    elif damage == "other branch":
        file.write_text(content.replace('"branch": "audio"', '"branch": "text"'))
    with pytest.raises(ExportError, match=r"version 2|whole"):
        repository.swap("audio", 2)
    assert called(repository.folder) == dict.fromkeys(ENSEMBLES["audio"], 1)
    assert loadable(repository.folder, "audio") == {1}


@pytest.mark.parametrize("content", ["", "[]", '"text"', "{}", '{"branch": "audio", "files": 3}'])
def test_a_version_whose_manifest_says_nothing_is_listed_and_passed_over(
    repository: Repository, content: str
) -> None:
    shipped = manifests.read(repository.folder / "audio_classifier/1")
    file = repository.folder / "audio_classifier/2/manifest.json"
    file.unlink()  # a starter's files are links
    file.write_text(content)
    listed = {(one.branch, one.version): one.name for one in entries(repository.folder, [])}
    assert listed["audio", 1] == shipped.name
    assert listed["audio", 2] == "(no manifest that can be read)"
    found = find(
        repository.folder, "audio", name=shipped.name, revision=shipped.revision,
        weights=shipped.weights, requested=shipped.requested,
    )  # fmt: skip
    assert found is not None
    assert found.version == 1
    with pytest.raises(ExportError, match="publish it again, and remove version 2"):
        repository.swap("audio", 2)


def test_the_number_of_a_removed_version_is_not_used_again(repository: Repository) -> None:
    delete(repository.folder, "audio", 2)
    assert next_version(repository.folder, "audio") == 3
    assert publish_garbage(repository.folder) == 3
    with pytest.raises(ExportError, match="no version 2"):
        intact(repository.folder, "audio", 2)


def test_a_version_exported_elsewhere_is_published_here(
    repository: Repository, tmp_path: Path
) -> None:
    there = repository.folder / "text_classifier/1"
    assert is_exported(there)
    manifest = publish_copy(there, "text", tmp_path / "here")
    assert manifest.version == 1
    assert intact(tmp_path / "here", "text", 1).files == intact(repository.folder, "text", 1).files
    with pytest.raises(ExportError, match="no version of audio"):
        publish_copy(there, "audio", tmp_path / "here")


def test_a_repository_that_was_never_served_has_no_choice(tmp_path: Path) -> None:
    assert read_choice(tmp_path, "text") is None
    with pytest.raises(ServingError, match="serves no text yet"):
        Repository(tmp_path, [], synchronizer(None), print).choice("text")


def test_a_sync_that_fails_stops_the_swap_and_says_how_to_go_on(repository: Repository) -> None:
    failing = dataclasses.replace(repository, synchronize=synchronizer("exit 3"))
    with pytest.raises(ServingError, match="finishes what is left"):
        failing.swap("audio", 2)
    assert repository.choice("audio").version == 1


def test_a_sync_that_fails_after_a_publication_leaves_one_version_whose_number_is_told(
    repository: Repository,
) -> None:
    folder = str(repository.folder)
    given = ["publish", f"{folder}/text_classifier/1", "--branch", "text", "--repository", folder]
    done = CliRunner().invoke(cli.app, [*given, "--sync", "exit 3"])
    assert isinstance(done.exception, ServingError)
    assert str(done.exception).endswith("Run it by hand: here all is done")
    assert "text version 2 is there." in done.stderr


def test_a_kill_while_a_removal_is_noted_breaks_no_later_publish(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(repository.folder, "audio", 2)
    assert publish_garbage(repository.folder) == 3

    def killed(path: Path, *_: Any) -> None:
        path.open("w").close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            delete(repository.folder, "audio", 3)
    assert next_version(repository.folder, "audio") == 4
    delete(repository.folder, "audio", 3)
    assert publish_garbage(repository.folder) == 4


def test_a_swap_is_logged_before_it_is_done_and_a_refused_one_twice(repository: Repository) -> None:
    log = repository.folder / reports.LOG
    swap = reports.Swap("promote", "audio", 1, 2, problems=["it is worse"])
    lines: list[str] = []
    with contextlib.suppress(ServingError), reports.logged(repository, swap):
        lines = log.read_text().splitlines()
        raise ServingError("no memory")
    [line] = lines
    assert json.loads(line)["forced_despite"] == ["it is worse"]
    _, undone = map(json.loads, log.read_text().splitlines())
    assert (undone["action"], undone["to"], undone["why"]) == ("undone", 2, "no memory")


def test_what_is_published_and_removed_is_synchronized_and_told_as_json(
    repository: Repository,
) -> None:
    folder = str(repository.folder)
    given = ["--repository", folder, "--json", "--sync", "ls text_classifier >> ../synced"]

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(cli.app, [*arguments, *given])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert run("publish", f"{folder}/text_classifier/1", "--branch", "text")["version"] == 2
    assert run("remove", "text", "2") == {"branch": "text", "version": 2}
    synced = (repository.folder.parent / "synced").read_text().split()
    assert [name for name in synced if name.isdecimal()] == ["1", "2", "1"]


def test_a_name_stands_for_every_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", (f"10.0.0.{last}", 8001)) for last in (2, 1, 2)]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: found)
    assert options._replicas("neurosense-triton:8001") == ["10.0.0.1:8001", "10.0.0.2:8001"]


def test_no_version_is_swapped_under_the_engines_of_another(
    repository: Repository,
) -> None:
    folder = repository.folder
    render(folder, {b: intact(folder, b, 1) for b in MODELS}, Settings(accelerator="tensorrt"))
    with pytest.raises(ServingError, match="without NEUROSENSE_ACCELERATOR=tensorrt"):
        repository.swap("audio", 2)
    assert loadable(folder, "audio") == {1}
    assert called(folder) == dict.fromkeys(ENSEMBLES["audio"], 1)
    repository.swap("audio", 1)  # finishes what was interrupted


AWS = """#!{python}
import fnmatch, json, os, sys
arguments = sys.argv[1:]
assert arguments[:3] == ["s3", "sync", "."]
patterns = [v for k, v in zip(arguments, arguments[1:]) if k == "--exclude"]
files = [os.path.relpath(os.path.join(at, name)) for at, _, names in os.walk(".") for name in names]
left = [file for file in files if not any(fnmatch.fnmatch(file, p) for p in patterns)]
with open("{log}", "a") as log:
    print(json.dumps([left, "--delete" in arguments]), file=log)
"""


def test_the_sync_of_the_readme_carries_versions_before_the_configs_that_name_them(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (PROJECT / "README.md").read_text()
    [command] = re.findall(r"<!-- SYNC -->.+? --sync '(.+?)'\n```", readme, re.DOTALL)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/aws"
    program.write_text(AWS.format(python=sys.executable, log=tmp_path / "log"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (repository.folder / "promotions.jsonl").write_text("{}")
    with staged(repository.folder, "audio") as stage, swapping(repository.folder):
        (stage.classifier / "model.onnx").write_text("half of it")
        (repository.folder / "emotion_text/.config.pbtxt").write_text("half of it")
        synchronizer(command)(repository.folder)
    (versions, kept), (all_of_it, deleted) = map(
        json.loads, (tmp_path / "log").read_text().splitlines()
    )
    assert (kept, deleted) == (False, True)
    configs = {f"{model.name}/config.pbtxt" for model in repository.folder.glob("[a-z]*/")}
    assert set(all_of_it) - set(versions) == configs
    assert {"audio_classifier/2/model.onnx", "text_tokenizer/1/model.py"} <= set(versions)
    assert not [file for file in all_of_it if "/." in f"/{file}" or file.endswith(".jsonl")]


def test_the_shipped_golden_sets() -> None:
    texts, clips = shipped("text"), shipped("audio")
    assert len(texts) == 56
    assert {case.label for case in texts} == {
        "anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"
    }  # fmt: skip
    assert len(clips) == 25
    assert all(case.content.startswith(b"RIFF") for case in clips)


def test_a_golden_set_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    file = tmp_path / "golden.csv"
    file.write_text("audio,label\na.wav,hap\na.wav,\n")
    assert read(file, "audio") == [Case("a.wav", b"sound", "joy"), Case("a.wav", b"sound")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("sentence\nx\n", "no column `text`"),
        ("text,label\nx,bored\n", "line 2.*bored"),
        ("text\n", "no case"),
        ("", "no column"),
    ],
)
def test_a_bad_golden_set_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "golden.csv"
    file.write_text(content)
    with pytest.raises(ServingError, match=said):
        read(file, "text")
    with pytest.raises(ServingError, match="cannot be read"):
        read(tmp_path / "missing.csv", "text")


def one_hot(emotion: int, latency_ms: float = 10.0) -> Asked:
    probabilities = np.full(7, 0.05, np.float32)
    probabilities[emotion] = 0.7
    return Asked(probabilities, latency_ms)


def verdict(new_labels: list[int], latency_ms: float = 10.0, failed: int = 0) -> Any:
    """Ten cases that the served version calls joy, rightly; and what a candidate calls them."""
    pairs = [
        (Case(f"case {n}", b"", "joy"), one_hot(3), one_hot(new, latency_ms))
        for n, new in enumerate(new_labels)
    ]
    return _verdict("text", 1, 2, pairs, ["it died"] * failed)


THRESHOLDS = Thresholds(min_agreement=0.9, max_accuracy_drop=0.1, max_latency_ratio=2.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (verdict([3] * 10), []),
        (verdict([3] * 9 + [0]), []),
        (verdict([3] * 8 + [0, 0]), ["labels agree", "accuracy falls by 20.0%"]),
        (verdict([3] * 10, latency_ms=21), ["2.10 times as long"]),
        (verdict([3] * 9, failed=1), ["it died"]),
    ],
)
def test_the_gate(found: Any, said: list[str]) -> None:
    problems = found.problems(THRESHOLDS)
    assert len(problems) == len(said)
    for problem, part in zip(problems, said, strict=True):
        assert part in problem


def test_a_candidate_that_does_not_answer_ends_the_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def ask(_triton: Any, _branch: Branch, version: int, _content: bytes) -> Asked:
        asked.append(version)
        if version == 2:
            raise SilentError("Triton does not answer")
        return one_hot(3)

    monkeypatch.setattr("serving.models.verify.ask", ask)
    cases = [Case(f"case {n}", b"", "joy") for n in range(3)]
    said = "version 2 left case 1 of 3 without an answer: Triton does not answer"
    with SwappedTriton("127.0.0.1:1") as triton, pytest.raises(ServingError, match=said):
        compare(triton, "text", 1, 2, cases, print)
    assert asked == [1, 2]


def test_figures_of_a_verdict() -> None:
    found = verdict([3] * 8 + [0, 0])
    assert found.label_agreement == pytest.approx(0.8)
    assert (found.current_accuracy, found.candidate_accuracy) == (1.0, 0.8)
    assert found.max_abs_diff == pytest.approx(0.65)
    assert found.largest_differences[0].current == "joy"
    assert found.largest_differences[0].candidate == "anger"
    assert json.loads(json.dumps(found.figures()))["latency_ratio"] == 1.0
