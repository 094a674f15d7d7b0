"""The same commands for a plain Triton in another place, that reads a copy of the repository."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from export.publish import MODELS
from export.starter import publish_starter
from serving.choice import loadable, pinned, read_choice
from serving.models.reports import LOG
from serving.models.triton import SwappedTriton
from serving.ports import free_ports
from serving.repository import render
from serving.settings import Settings
from serving.trial import read_trial
from serving.triton import Triton
from tests.conftest import NEUROSENSE


@dataclass
class Elsewhere:
    """A folder that was made with `neurosense export`, and a Triton that serves a copy."""

    folder: Path
    copy: Path
    triton: Triton
    key_file: Path

    def models(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        options = ["--repository", str(self.folder), "--triton", self.triton.grpc_url]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NEUROSENSE_")}
        try:
            return subprocess.run(
                [NEUROSENSE, "models", *arguments, *options],
                env={**environment, "NEUROSENSE_STATE_DIR": str(self.folder.parent / "state")},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        except subprocess.TimeoutExpired as stuck:  # nobody keeps this Triton going
            log = (self.folder.parent / "triton.log").read_text()[-5000:]
            pytest.fail(f"{arguments} did not end; it said:\n{stuck.stderr!r}\nTriton said:\n{log}")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    root = tmp_path_factory.mktemp("elsewhere")
    folder, copy = root / "models", root / "bucket"
    manifests = {branch: publish_starter(branch, folder) for branch in MODELS}
    render(folder, manifests, Settings())
    assert publish_starter("text", folder, precision="fp32").version == 2
    subprocess.run(["cp", "-a", folder, copy], check=True)
    http, grpc, metrics = free_ports(3)
    log = root / "triton.log"
    with Triton(copy, http_port=http, grpc_port=grpc, metrics_port=metrics, log_path=log) as triton:
        (root / "key").write_text(triton.control_key)
        yield Elsewhere(folder, copy, triton, root / "key")


def test_a_version_is_verified_promoted_and_rolled_back_over_grpc(elsewhere: Elsewhere) -> None:
    given = ["--control-key-file", str(elsewhere.key_file)]
    sync = ["--sync", f"cp -ru . '{elsewhere.copy}'"]
    gate = ["--max-latency-ratio", "100"]  # the machine of the tests does other things too
    done = elsewhere.models("verify", "text", "2", "--json", *gate, *given, *sync)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["labelled"] == figures["cases"] == 56
    assert figures["label_agreement"] >= 0.9
    assert 0 < figures["max_abs_diff"] < 0.5
    assert figures["current_accuracy"] > 0.5

    done = elsewhere.models("promote", "text", "2", *gate, *given, *sync)
    assert done.returncode == 0, done.stderr
    with SwappedTriton(elsewhere.triton.grpc_url, elsewhere.triton.control_key) as triton:
        assert triton.loaded("text_classifier") == {2}
        config = triton.config("emotion_multimodal")
    assert json.loads(config.parameters["text"].string_value)["version"] == "2"
    assert json.loads(config.parameters["audio"].string_value)["version"] == "1"

    listed = elsewhere.models("list", "--json", *given)
    states = {(e["branch"], e["version"]): e for e in json.loads(listed.stdout)}
    assert states["text", 2]["state"] == "served, promoted"
    assert [states["text", n]["loaded"] for n in (1, 2)] == [False, True]

    assert elsewhere.models("rollback", "text", *given, *sync).returncode == 0
    with SwappedTriton(elsewhere.triton.grpc_url, elsewhere.triton.control_key) as triton:
        assert triton.loaded("text_classifier") == {1}


@pytest.mark.slow
def test_a_forgotten_sync_changes_nothing_and_is_told(elsewhere: Elsewhere) -> None:
    given = ["--control-key-file", str(elsewhere.key_file)]
    sync = ["--sync", f"cp -ru . '{elsewhere.copy}'"]

    def folder() -> list[Any]:
        choice = read_choice(elsewhere.folder, "text")
        return [choice, loadable(elsewhere.folder, "text"), read_trial(elsewhere.folder)]

    for command in (["promote", "text", "2", "--force"], ["rollback", "text"]):
        assert elsewhere.models(*command, *given, *sync).returncode == 0
    before = folder()
    assert str(before[0]).startswith("Choice(version=1, previous=2")
    done = elsewhere.models("rollback", "text", *given)
    assert done.returncode == 1
    assert "reads another folder" in done.stderr
    assert "give --sync" in done.stderr
    assert folder() == before

    # A version that is loaded there already, as a canary: the ensembles would tell.
    assert elsewhere.models("canary", "text", "2", *given, *sync).returncode == 0
    before = folder()
    done = elsewhere.models("promote", "text", "2", "--force", *given)
    assert done.returncode == 1
    assert "give --sync" in done.stderr
    assert folder() == before
    assert "give --sync" in elsewhere.models("stop", "text", *given).stderr
    with SwappedTriton(elsewhere.triton.grpc_url, elsewhere.triton.control_key) as triton:
        assert pinned(triton.config("emotion_text"), "text") == 1
    # What is left of the trial in the copy, and in Triton, goes with the next command.
    assert elsewhere.models("promote", "text", "1", *given, *sync).returncode == 0
    with SwappedTriton(elsewhere.triton.grpc_url, elsewhere.triton.control_key) as triton:
        assert triton.loaded("text_classifier") == {1}


@pytest.mark.slow  # two whole swaps
def test_a_forced_promotion_is_logged_also_if_the_old_version_cannot_be_unloaded(
    elsewhere: Elsewhere,
) -> None:
    given = ["--control-key-file", str(elsewhere.key_file)]
    copy = f"cp -ru . '{elsewhere.copy}'"
    thrice = f"echo >> ../synced; [ $(wc -l < ../synced) != 3 ] && {copy}"
    gate = ["--max-latency-ratio", "0.0001", "--force"]
    done = elsewhere.models("promote", "text", "2", *gate, *given, "--sync", thrice)
    assert done.returncode == 1
    assert "--sync failed" in done.stderr
    last = json.loads((elsewhere.folder / LOG).read_text().splitlines()[-1])
    assert (last["action"], last["to"]) == ("promote", 2)
    assert "times as long" in last["forced_despite"][0]
    assert elsewhere.models("rollback", "text", *given, "--sync", copy).returncode == 0


def test_a_triton_elsewhere_needs_the_name_of_its_folder(elsewhere: Elsewhere) -> None:
    command = [str(NEUROSENSE), "models", "rollback", "text"]
    command += ["--triton", elsewhere.triton.grpc_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--repository" in done.stderr


def test_without_its_key_nothing_is_swapped_and_the_way_out_is_named(elsewhere: Elsewhere) -> None:
    done = elsewhere.models("promote", "text", "2")
    assert done.returncode == 1
    assert "--control-key-file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_triton_that_was_named_must_answer(elsewhere: Elsewhere, tmp_path: Path) -> None:
    done = elsewhere.models("rollback", "text", "--triton", f"127.0.0.1:{free_ports(1)[0]}")
    assert done.returncode == 1
    assert "no Triton answers at" in done.stderr
