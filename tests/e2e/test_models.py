"""Versions are swapped while requests come: through the CLI, and as fast as it goes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from benchmarks.server import triton_on_free_ports
from export.publish import MODELS
from serving.choice import read_choice
from serving.models.exclusive import swapping
from serving.models.steps import ask
from tests.conftest import start_serve, stop_serve
from tests.e2e.served import LABELS, SENTENCES, Served, expected, readme_commands, shell
from tests.e2e.swapping import load
from tests.recordings import wav
from tests.serving.test_models import publish_garbage

SWAPPER = """
import os, sys
from pathlib import Path
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton

folder, address, key = sys.argv[1:]
for _ in sys.stdin:
    if pid := os.fork():  # a start of Python takes a second
        os.waitpid(pid, 0)
        print("killed", flush=True)
        continue
    print(os.getpid(), flush=True)
    with SwappedTriton(address, key) as triton, swapping(Path(folder)):
        repository = Repository(Path(folder), [triton], synchronizer(None), lambda _: None)
        while True:
            for version in (2, 1):
                repository.swap("text", version)
"""


def test_the_commands_of_the_readme_swap_to_a_multilingual_model(
    served: Served, toys: Path
) -> None:
    for command in readme_commands("SWAP")[1:]:
        said = shell(f"{command} --max-latency-ratio 100", toys, served)
        if "verify" in command:
            assert f"accuracy on {len(SENTENCES)} labelled: version 1" in said
            assert "version 2 100.0%" in said
    assert served.answering("text") == ("xlm-roberta-emotions", "2")
    answer = httpx.post(f"{served.url}/analyze/text", data={"text": "я рад"}, timeout=60).json()
    assert set(answer["all_scores"]) == {label.upper() for label in LABELS}
    served.models("rollback", "text")
    assert served.answering("text") == ("neurosense/starter-text", "1")


LONG = (pytest.mark.slow, pytest.mark.timeout(1800))


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("turns", "whole"), [(20, 2), pytest.param(50, 50, marks=LONG)])
def test_swaps_under_load_fail_no_request_and_mix_no_versions(
    served: Served, turns: int, whole: int
) -> None:
    """`whole` swaps load and unload; before them, `turns` only turn the ensembles."""
    with served.repository() as repository:
        with swapping(served.folder):
            with repository.beside("text", 2):
                answers = expected(repository)
                with load(served.url, wav(), answers) as running:
                    for version in islice(cycle((2, 1)), turns):
                        repository.promote("text", version)
                        running.meet(str(version))
            others = {pid for pid, step in served.processes().items() if "text" not in step}
            with load(served.url, wav(), answers) as through_whole:
                for version in islice(cycle((2, 1)), whole):
                    repository.swap("text", version)
                    assert served.steps() == {
                        f"text_{step}/{version}" for step in ("classifier", "tokenizer")
                    }
                    through_whole.meet(str(version), times=10)
        # What is not swapped is not loaded anew either.
        assert others == {pid for pid, step in served.processes().items() if "text" not in step}
        before = served.steps()
        with load(served.url, wav(), answers) as through_commands:
            served.models("promote", "text", "2", "--force")
            assert served.steps() == {"text_classifier/2", "text_tokenizer/2"}
            through_commands.meet("2", times=10)
            served.models("rollback", "text")
            through_commands.meet("1", times=10)
    loads = [running, through_whole, through_commands]
    assert [one.wrong for one in loads] == [[]] * len(loads)
    for one in loads:
        assert min(one.versions["1"], one.versions["2"]) >= 10, one.versions
    assert served.steps() == before == {"text_classifier/1", "text_tokenizer/1"}
    rows = {
        row: logged["models"]["text"]["version"]
        for row, logged in served.rows().items()
        if "text" in logged["models"]
    }
    for one in loads:
        assert {row: rows[row] for row in one.rows} == one.rows


COVERED = {"1": {"ANGER", "JOY", "NEUTRAL", "SADNESS"}, "2": {"FEAR", "NEUTRAL", "SURPRISE"}}


@pytest.mark.slow  # `make test` has short ones
@pytest.mark.usefixtures("toys")
def test_long_recordings_that_meet_a_swap_are_answered_by_the_version_that_took_them(
    served: Served,
) -> None:
    recording, stopped = wav(seconds=15), threading.Event()
    answered: list[tuple[str, float]] = []  # version, and when its answer came

    def ask() -> None:
        while not stopped.is_set():
            files = {"audio": recording}
            answer = httpx.post(f"{served.url}/analyze/audio", files=files, timeout=120)
            version = answer.raise_for_status().json()["models"]["audio"]["version"]
            assert set(answer.json()["all_scores"]) == COVERED[version]
            answered.append((version, time.monotonic()))

    def wait_for(version: str, after_s: float) -> None:
        while not any(one == version and at_s > after_s for one, at_s in answered):
            assert not [one.result() for one in asking if one.done()]
            time.sleep(0.05)

    with served.repository() as repository, ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]  # a busy machine gets no more done in time
        try:
            with swapping(served.folder):
                wait_for("1", 0)
                with repository.beside("audio", 2):
                    repository.promote("audio", 2)
                    pinned_at_s = time.monotonic()
                wait_for("2", pinned_at_s)
                repository.swap("audio", 1)
                wait_for("1", time.monotonic())
        finally:
            stopped.set()
        for one in asking:
            one.result()  # none failed
    late = [at_s for version, at_s in answered if version == "1" and at_s > pinned_at_s]
    assert late, "a version was unloaded while it had work"


@pytest.mark.usefixtures("toys")
def test_memory_of_the_old_version_comes_back(served: Served) -> None:
    def answered(version: str) -> int:
        """Return what is held when a version has grown to what an answer takes."""
        assert served.both()["models"]["text"]["version"] == version
        return served.text_bytes()

    with served.repository() as repository, swapping(served.folder):
        before = answered("1")
        with repository.beside("text", 2):
            ask(repository.tritons[0], "text", 2, b"I love this!")
            beside = answered("1")
            repository.promote("text", 2)
        after = answered("2")
        repository.swap("text", 1)
    margin = (beside - before) / 3
    assert margin > 10e6
    assert after <= before + margin < beside


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("kills", [pytest.param(number, marks=LONG) for number in (2, 60)])
def test_killed_at_any_moment_it_serves_one_version_and_the_next_command_finishes(
    served: Served, kills: int, tmp_path: Path
) -> None:
    """Text and multimodal may call different versions after a kill, each of them whole."""
    with served.repository() as repository, swapping(served.folder):
        with repository.beside("text", 2):
            answers = expected(repository)
        start_s = time.monotonic()
        repository.swap("text", 1)
        repository.swap("text", 2)
        whole_s = time.monotonic() - start_s
    command = [sys.executable, "-c", SWAPPER, str(served.folder), served.address, served.key]
    with (
        load(served.url, wav(), answers) as running,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one,
    ):
        assert one.stdin
        assert one.stdout
        for number in range(kills):
            one.stdin.write("\n")
            one.stdin.flush()
            pid = int(one.stdout.readline())
            # Not waited for: just another moment each time, all over loading, turning, unloading.
            time.sleep(1.5 * whole_s * (number + 0.5) / kills)
            os.kill(pid, signal.SIGKILL)
            assert one.stdout.readline() == "killed\n"
            decided = read_choice(served.folder, "text")
            assert decided is not None
            assert served.answering("text")[1] in ("1", "2")
            both = served.both()
            assert both["degraded"] is None
            assert both["models"]["text"]["version"] in ("1", "2")
        one.stdin.close()
    assert running.wrong == []
    assert running.versions.total() > kills
    subprocess.run(["cp", "-a", served.folder, tmp_path / "models"], check=True)
    with triton_on_free_ports(tmp_path / "models", tmp_path / "triton.log") as fresh:
        assert fresh.not_served() == {}
    # What was left of the last one is finished: all ensembles call one version again.
    assert decided
    version = str(decided.version)
    served.models("promote", "text", version, "--force")
    assert served.answering("text")[1] == version
    assert served.both()["models"]["text"]["version"] == version
    assert served.steps() == {f"text_classifier/{version}", f"text_tokenizer/{version}"}
    with served.repository() as repository, swapping(served.folder):
        repository.swap("text", 1)


@pytest.mark.usefixtures("toys")
def test_ensembles_that_disagree_are_brought_together_by_the_next_command(served: Served) -> None:
    """As after a kill between the two: what decides is the ensemble of the branch alone."""
    with served.repository() as repository, swapping(served.folder):
        repository.load("text", {1, 2})
        file = served.folder / "emotion_multimodal/config.pbtxt"
        old = file.read_text()
        repository.promote("text", 2)
        file.write_text(old)
        repository.tritons[0].load("emotion_multimodal")
        assert served.answering("text")[1] == "2"
        assert served.both()["models"]["text"]["version"] == "1"
        repository.swap("text", 2)  # what `promote` does
        assert served.both()["models"]["text"]["version"] == "2"
        assert served.steps() == {"text_classifier/2", "text_tokenizer/2"}
        repository.swap("text", 1)


@pytest.mark.usefixtures("toys")
def test_a_damaged_version_is_refused_and_nothing_changes(served: Served) -> None:
    with (served.folder / "text_classifier/2/model.onnx").open("r+b") as graph:
        graph.seek(1000)
        byte = graph.read(1)
        graph.seek(1000)
        graph.write(bytes([byte[0] ^ 1]))
        graph.flush()
        for command in ("verify", "promote"):
            assert "damaged" in served.models(command, "text", "2", fails=True)
        assert served.steps() == {"text_classifier/1", "text_tokenizer/1"}
        graph.seek(1000)
        graph.write(byte)


@pytest.mark.usefixtures("toys")
def test_the_gate_refuses_force_is_logged_and_the_next_start_serves_what_was_promoted(
    served: Served,
) -> None:
    told = served.models("promote", "audio", "2", fails=True)
    assert "labels agree" in told
    assert served.answering("audio") == ("neurosense/starter-audio", "1")
    served.models("promote", "audio", "2", "--force")
    assert served.answering("audio") == ("toy-audio", "2")
    answer = httpx.post(f"{served.url}/analyze/audio", files={"audio": wav()}, timeout=60).json()
    assert set(answer["all_scores"]) == COVERED["2"]
    last = json.loads((served.folder / "promotions.jsonl").read_text().splitlines()[-1])
    assert (last["branch"], last["from"], last["to"]) == ("audio", 1, 2)
    assert "labels agree" in last["forced_despite"][0]
    assert last["verdict"]["cases"] == 25
    assert "largest_differences" not in last["verdict"]
    stop_serve(served.process)
    served.log.unlink()
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(start_serve, served.environment, served.log)
        while not served.log.exists() or "Starting Triton" not in served.log.read_text():
            assert not started.done(), started.result()
            time.sleep(0.05)
        # Triton reads the folder now: nobody may change what it serves.
        assert "or a start" in served.models("rollback", "audio", fails=True)
        served.process = started.result()
    assert served.answering("audio") == ("toy-audio", "2")
    assert served.answering("text") == ("neurosense/starter-text", "1")
    states = {
        (entry["branch"], entry["version"]): (entry["state"], entry["loaded"])
        for entry in json.loads(served.models("list", "--json"))
    }
    assert states["audio", 2] == ("served, promoted", True)
    assert states["audio", 1] == ("previous", False)
    served.models("rollback", "audio")
    assert served.answering("audio") == ("neurosense/starter-audio", "1")


@pytest.mark.usefixtures("toys")
def test_a_version_that_triton_cannot_load_hurts_nobody(served: Served) -> None:
    version = publish_garbage(served.folder, "fp32")
    assert "model.onnx" in served.models("promote", "audio", str(version), fails=True)
    assert served.answering("audio") == ("neurosense/starter-audio", "1")
    told = json.loads(served.models("remove", "audio", str(version), "--json"))
    assert told == {"branch": "audio", "version": version}
    assert not (served.folder / MODELS["audio"][-1] / str(version)).exists()
