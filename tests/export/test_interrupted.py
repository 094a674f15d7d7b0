"""Publishers that are killed, or run out of disk, leave no half version."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from export.errors import ExportError
from export.manifest import read, sha256
from export.starter import publish_starter
from tests.export.exported import export

PUBLISH = """
import os, sys, time
from pathlib import Path
from tokenizers import Tokenizer, models
from export.manifest import Manifest
from export.publish import staged

manifest = Manifest(branch="text", name="toy", revision="1", weights="local", labels={},
                    coverage=[], precision="fp32", opset=17, parity={}, files={},
                    max_tokens=8, pad_id=0)
for _ in sys.stdin:  # a publisher for each line: a start of Python takes a second
    if pid := os.fork():
        os.waitpid(pid, 0)
        print("killed", flush=True)
    else:
        print(os.getpid(), flush=True)
        break
else:
    sys.exit()
while True:
    with staged(Path(sys.argv[1]), "text") as stage:
        (stage.classifier / "model.onnx").write_bytes(bytes(200_000))
        stage.write_tokenizer(Tokenizer(models.WordLevel({"[PAD]": 0}, "[PAD]")), manifest)
        if len(sys.argv) > 2:
            print("staged", flush=True)
            time.sleep(600)
        print(stage.commit(manifest).version, flush=True)
"""
ROOM = 20_000


class Publishers:
    """Publishers into one repository, one after the other, each to be killed."""

    def __init__(self, forking: "subprocess.Popen[str]") -> None:
        self._forking = forking

    def start(self) -> int:
        """Return the process of one that begins now."""
        assert self._forking.stdin
        self._forking.stdin.write("\n")
        self._forking.stdin.flush()
        return int(self.line())

    def line(self) -> str:
        assert self._forking.stdout
        return self._forking.stdout.readline().strip()

    def kill(self, publisher: int) -> None:
        """Return when it has ended."""
        os.kill(publisher, signal.SIGKILL)
        while self.line() != "killed":  # it went on until now
            pass


@contextmanager
def publishers(repository: Path, *more: str) -> Iterator[Publishers]:
    command = [sys.executable, "-c", PUBLISH, str(repository), *more]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forking:
        yield Publishers(forking)
        assert forking.stdin
        forking.stdin.close()
        assert forking.wait(timeout=60) == 0


def test_text_models_share_a_number_that_neither_has_used(tmp_path: Path) -> None:
    (tmp_path / "text_tokenizer/1").mkdir(parents=True)
    (tmp_path / "text_tokenizer/1/model.py").touch()
    with publishers(tmp_path) as all_of_them:
        publisher = all_of_them.start()
        assert all_of_them.line() == "2"
        all_of_them.kill(publisher)
    assert (tmp_path / "text_tokenizer/2/tokenizer.json").is_file()
    assert (tmp_path / "text_classifier/2/model.onnx").is_file()
    assert (tmp_path / "text_tokenizer/1/model.py").is_file()


def test_killed_publisher_leaves_a_hidden_stage_that_the_next_removes(tmp_path: Path) -> None:
    with publishers(tmp_path, "stop before commit") as all_of_them:
        publisher = all_of_them.start()
        assert all_of_them.line() == "staged"
        all_of_them.kill(publisher)
    left = {file.name for model in ("text_tokenizer", "text_classifier")
            for file in (tmp_path / model).iterdir()}  # fmt: skip
    assert all(name.startswith(".") for name in left)
    with publishers(tmp_path) as all_of_them:
        publisher = all_of_them.start()
        assert all_of_them.line() == "1"
        all_of_them.kill(publisher)
    assert not list((tmp_path / "text_classifier/1").glob(".*"))


def test_kills_at_any_moment_never_leave_half_a_version(tmp_path: Path) -> None:
    with publishers(tmp_path) as all_of_them:
        for round_number in range(6):
            publisher = all_of_them.start()
            all_of_them.line()
            time.sleep(0.003 * round_number)  # not waited for: just another moment each time
            all_of_them.kill(publisher)
            published = [f for f in (tmp_path / "text_classifier").iterdir() if f.name.isdecimal()]
            assert len(published) > round_number
            for folder in published:
                for file, digest in read(folder).files.items():
                    model, _, name = file.partition("/")
                    assert sha256(tmp_path / model / folder.name / name) == digest


@contextmanager
def little_room() -> Iterator[None]:
    """A limit on file sizes stands in for the disk: the same call fails, with the same family."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("what", ["starter", "checkpoint"])
def test_full_disk_is_named_and_cleaned_up(what: str, bert: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    publish: dict[str, Callable[[], object]] = {
        "starter": lambda: publish_starter("audio", repository),
        "checkpoint": lambda: export("text", bert, repository),
    }
    with pytest.raises(ExportError, match="no room left") as raised, little_room():
        publish[what]()
    assert str(repository) in str(raised.value)
    assert "NEUROSENSE_STATE_DIR" in str(raised.value)
    assert not list(repository.glob("*/*"))
