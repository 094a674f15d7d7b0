"""A running system whose versions the tests swap and try, and what they publish into it."""

import csv
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import transformers
from psycopg.rows import dict_row

from benchmarks.peers.processes import resident_bytes
from export.manifest import Branch
from serving.models.steps import ask
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton
from tests.conftest import NEUROSENSE, start_serve, stop_serve
from tests.e2e.swapping import TEXTS
from tests.recordings import wav
from tests.waiting import wait_for

README = Path(__file__).parents[2] / "README.md"
SENTENCES = ["I love this!", "Ich bin glücklich", "я рад", "je suis triste", "leave me alone"]
LABELS = ["sadness", "joy", "fear", "anger", "surprise"]


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

    def trial(self) -> Any:
        """Return what the API knows to be on trial."""
        return httpx.get(f"{self.url}/", timeout=60).json()["trial"]

    def wait_for_trial(self, **expected: Any) -> None:
        wait_for(lambda: (self.trial() or {}) == expected, instead=self.trial)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the log's rows by id."""
        url = (self.state / "database_url").read_text().strip()
        with psycopg.connect(url, row_factory=dict_row) as connection:
            found = connection.execute("SELECT * FROM emotion_logs").fetchall()
        return {str(row["id"]): row for row in found}

    @contextmanager
    def repository(self) -> Iterator[Repository]:
        """Yield what swaps the versions of the Triton that runs now: a start makes another key."""
        with SwappedTriton(self.address, self.key) as triton:
            yield Repository(self.folder, [triton], synchronizer(None), print)

    def restart(self) -> None:
        stop_serve(self.process)
        self.process = start_serve(self.environment, self.log)

    def steps(self) -> set[str]:
        """Return the text steps that have a process: model and version."""
        return {step for step in self.processes().values() if step.startswith("text_")}

    def processes(self) -> dict[int, str]:
        """Return the model and the version that each process of Triton's steps runs."""
        listed = subprocess.run(
            ["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True
        )
        stubs = [
            line.split() for line in listed.stdout.splitlines() if "python_backend_stub" in line
        ]
        return {
            int(words[0]): "/".join(words[2].split("/")[-3:-1])
            for words in stubs
            if len(words) > 2 and self._is_mine(words[2])  # one that is starting has no arguments
        }

    def text_bytes(self) -> int:
        """Return the memory of Triton and its steps for text, shared pages counted once (PSS).

        Those for audio grow and shrink with the recordings of the tests before.
        """
        port = self.environment["NEUROSENSE_TRITON_GRPC_PORT"]
        [pid] = subprocess.run(
            ["pgrep", "-f", f"tritonserver.*--grpc-port={port} "],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        steps = {one for one, step in self.processes().items() if step.startswith("text_")}
        return resident_bytes(steps | {int(pid)})

    def both(self) -> Any:
        """Return the answer for a text and a recording."""
        url, files = f"{self.url}/analyze/multimodal", {"audio": wav()}
        answer = httpx.post(url, data={"text": TEXTS[0]}, files=files, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _is_mine(self, path: str) -> bool:
        return Path(path).parts[1:3] == (self.state / "run").readlink().parts[1:3]


def expected(repository: Repository) -> dict[tuple[str, str], Any]:
    """Return the probabilities that each version gives for each of TEXTS."""
    [triton] = repository.tritons
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


def readme_commands(mark: str) -> list[str]:
    """Return the lines of the block of commands after a mark."""
    pattern = rf"<!-- {mark} -->\n```bash\n(.+?)```"
    [block] = re.findall(pattern, README.read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line]


def shell(command: str, folder: Path, served: Served) -> str:
    """Run a command of the README in a folder; return stdout."""
    command = command.replace(".venv/bin/neurosense", str(NEUROSENSE))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=served.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
