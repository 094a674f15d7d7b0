"""Versions are swapped while requests come: through the CLI, and as fast as it goes."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import transformers

from export.manifest import Branch
from export.publish import MODELS
from export.run import export_checkpoint
from serving.choice import read_choice
from serving.models.exclusive import swapping
from serving.models.steps import ask
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton
from tests.conftest import NEUROSENSE, stack_environment, start_serve, stop_serve
from tests.e2e.swapping import TEXTS, load
from tests.export.checkpoints import audio_checkpoint, text_checkpoint
from tests.recordings import wav
from tests.serving.test_models import publish_garbage

README = Path(__file__).parents[2] / "README.md"
SENTENCES = ["I love this!", "Ich bin glücklich", "я рад", "je suis triste", "leave me alone"]
LABELS = ["sadness", "joy", "fear", "anger", "surprise"]
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


@dataclass
class Served:
    """A running system; version 1 of both branches, the starters, answers between the tests."""

    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['NEUROSENSE_API_PORT']}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.environment['NEUROSENSE_TRITON_GRPC_PORT']}"

    @property
    def state(self) -> Path:
        return Path(self.environment["NEUROSENSE_STATE_DIR"])

    @property
    def key(self) -> str:
        return (self.state / "triton_control_key").read_text().strip()

    @property
    def folder(self) -> Path:
        return self.state / "model_repository"

    def models(self, *arguments: str, fails: bool = False) -> str:
        """Run `neurosense models …`; return stdout, or stderr of what is to fail."""
        done = subprocess.run(
            [NEUROSENSE, "models", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert (done.returncode != 0) == fails, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if fails else done.stdout

    def answering(self, branch: Branch) -> tuple[str, str]:
        """Return name and version of what answers."""
        kinds: dict[Branch, Any] = {
            "text": {"data": {"text": TEXTS[0]}},
            "audio": {"files": {"audio": wav()}},
        }
        answer = httpx.post(f"{self.url}/analyze/{branch}", timeout=60, **kinds[branch]).json()
        return answer["models"][branch]["name"], answer["models"][branch]["version"]

    def restart(self) -> None:
        stop_serve(self.process)
        self.process = start_serve(self.environment, self.log)

    def steps(self) -> set[str]:
        """Return the text steps that have a process: model and version."""
        listed = subprocess.run(
            ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
        )
        stubs = [
            line for line in listed.stdout.splitlines() if "triton_python_backend_stub" in line
        ]
        mine = [line.split()[1] for line in stubs if self._is_mine(line.split()[1])]
        return {"/".join(path.split("/")[-3:-1]) for path in mine if "/text_" in path}

    def _is_mine(self, path: str) -> bool:
        return Path(path).parts[1:3] == (self.state / "run").readlink().parts[1:3]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("swapped")
    environment = stack_environment(folder / "state", NEUROSENSE_PRECISION="fp32")
    one = Served(environment, start_serve(environment, folder / "log"), folder / "log")
    yield one
    stop_serve(one.process)


def expected(triton: SwappedTriton) -> dict[tuple[str, str], Any]:
    return {
        (str(version), text): ask(triton, "text", version, text.encode()).probabilities
        for version in (1, 2)
        for text in TEXTS
    }


def golden(folder: Path, toy: Path) -> None:
    """Write sentences, with what the untouched checkpoint calls them for labels."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(toy)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(toy).eval()
    with (folder / "our-sentences.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for text in SENTENCES:
            logits = model(**tokenizer(text, return_tensors="pt")).logits
            writer.writerow([text, model.config.id2label[int(logits.argmax())]])


def readme_commands() -> list[str]:
    [block] = re.findall(r"<!-- SWAP -->\n```bash\n(.+?)```", README.read_text(), re.DOTALL)
    commands = [line for line in block.splitlines() if line]
    assert len(commands) == 3
    return commands


def shell(command: str, folder: Path, served: Served) -> str:
    """Run a command of the README in a folder; return stdout."""
    command = command.replace(".venv/bin/neurosense", str(NEUROSENSE))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=served.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def toys(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish version 2 of both: text with another tokenizer, by the README; other audio labels."""
    folder = tmp_path_factory.mktemp("toys")
    golden(folder, text_checkpoint(folder / "xlm-roberta-emotions", "xlm-roberta", LABELS))
    shell(readme_commands()[0], folder, served)
    audio = audio_checkpoint(folder / "toy-audio", labels=["fear", "sur", "neu"])
    export_checkpoint(
        "audio", str(audio), None, served.folder, weights="local", precision="fp32",
        progress=lambda _: None,
    )  # fmt: skip
    return folder


def test_the_commands_of_the_readme_swap_to_a_multilingual_model(
    served: Served, toys: Path
) -> None:
    for command in readme_commands()[1:]:
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
@pytest.mark.parametrize("swaps", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_swaps_under_load_fail_no_request_and_mix_no_versions(served: Served, swaps: int) -> None:
    with SwappedTriton(served.address, served.key) as triton:
        repository = Repository(served.folder, [triton], synchronizer(None), print)
        with swapping(served.folder), repository.beside("text", 2):
            answers = expected(triton)
            with load(served.url, wav(), answers) as running:
                for number in range(swaps):
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
    rows = logged_versions(served)
    for answered in (running.rows, through_commands.rows):
        assert {row: rows[row] for row in answered} == answered


def logged_versions(served: Served) -> dict[str, str]:
    with psycopg.connect((served.state / "database_url").read_text().strip()) as connection:
        found = connection.execute("SELECT id, models FROM emotion_logs").fetchall()
    return {str(row): models["text"]["version"] for row, models in found if "text" in models}


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
