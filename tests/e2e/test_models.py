"""Versions are swapped while requests come: through the CLI, and as fast as it goes."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from export.publish import MODELS
from serving.choice import read_choice
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton
from tests.e2e.served import LABELS, SENTENCES, Served, expected, readme_commands, shell
from tests.e2e.swapping import load
from tests.recordings import wav
from tests.serving.test_models import publish_garbage

SWAP_FOREVER = """
import sys
from pathlib import Path
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton

folder, address, key = sys.argv[1:]
with SwappedTriton(address, key) as triton:
    repository = Repository(Path(folder), [triton], synchronizer(None), print)
    with swapping(repository.folder), repository.beside("text", 2):
        while True:
            for version in (2, 1):
                repository.promote("text", version)
                print(version, flush=True)
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


@pytest.mark.usefixtures("toys")
def test_50_swaps_under_load_fail_no_request_and_mix_no_versions(served: Served) -> None:
    with SwappedTriton(served.address, served.key) as triton:
        repository = Repository(served.folder, [triton], synchronizer(None), print)
        with swapping(served.folder), repository.beside("text", 2):
            answers = expected(triton)
            with load(served.url, wav(), answers) as running:
                for number in range(50):
                    repository.promote("text", 1 + (number + 1) % 2)
                    time.sleep(0.05)  # so that requests meet each of them
        before = served.steps()
        with load(served.url, wav(), answers) as through_commands:
            served.models("promote", "text", "2", "--force")
            assert served.steps() == {"text_classifier/2", "text_tokenizer/2"}
            served.models("rollback", "text")
    assert running.wrong + through_commands.wrong == []
    assert set(running.versions) == set(through_commands.versions) == {"1", "2"}
    assert served.steps() == before == {"text_classifier/1", "text_tokenizer/1"}
    rows = {
        row: logged["models"]["text"]["version"]
        for row, logged in served.rows().items()
        if "text" in logged["models"]
    }
    for answered in (running.rows, through_commands.rows):
        assert {row: rows[row] for row in answered} == answered


@pytest.mark.usefixtures("toys")
def test_a_kill_at_any_moment_leaves_one_version_and_the_next_swap_finishes(served: Served) -> None:
    command = [sys.executable, "-c", SWAP_FOREVER, str(served.folder), served.address, served.key]
    for number in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapper:
            assert swapper.stdout
            swapper.stdout.readline()
            time.sleep(0.007 * number)  # not waited for: just another moment each time
            swapper.send_signal(signal.SIGKILL)
        choice = read_choice(served.folder, "text")
        assert choice is not None
        assert choice.version in (1, 2)
        assert served.answering("text")[1] in ("1", "2")
    served.models("promote", "text", "1", "--force")
    assert served.answering("text")[1] == "1"
    assert served.steps() == {"text_classifier/1", "text_tokenizer/1"}


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
def test_the_gate_refuses_and_force_is_logged(served: Served) -> None:
    told = served.models("promote", "audio", "2", fails=True)
    assert "labels agree" in told
    assert served.answering("audio") == ("neurosense/starter-audio", "1")
    served.models("promote", "audio", "2", "--force")
    assert served.answering("audio") == ("toy-audio", "2")
    last = json.loads((served.folder / "promotions.jsonl").read_text().splitlines()[-1])
    assert (last["branch"], last["from"], last["to"]) == ("audio", 1, 2)
    assert "labels agree" in last["forced_despite"][0]
    assert last["verdict"]["cases"] == 25
    assert "largest_differences" not in last["verdict"]
    served.models("rollback", "audio")


@pytest.mark.usefixtures("toys")
def test_what_was_promoted_is_served_by_the_next_start(served: Served) -> None:
    served.models("promote", "audio", "2", "--force")
    served.restart()
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
    served.models("remove", "audio", str(version))
    assert not (served.folder / MODELS["audio"][-1] / str(version)).exists()
