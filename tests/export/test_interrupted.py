"""Publishers that are killed, or run out of disk, leave no half version."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.manifest import read, sha256

PUBLISH = """
import sys, time
from pathlib import Path
from tokenizers import Tokenizer, models
from export.manifest import Manifest
from export.publish import staged

manifest = Manifest(branch="text", name="toy", revision="1", weights="local", labels={},
                    coverage=[], precision="fp32", opset=17, parity={}, files={},
                    max_tokens=8, pad_id=0)
while True:
    with staged(Path(sys.argv[1]), "text") as stage:
        (stage.classifier / "model.onnx").write_bytes(bytes(200_000))
        stage.write_tokenizer(Tokenizer(models.WordLevel({"[PAD]": 0}, "[PAD]")), manifest)
        if len(sys.argv) > 2:
            print("staged", flush=True)
            time.sleep(600)
        print(stage.commit(manifest).version, flush=True)
"""
LIMITED = """
import resource, sys
from pathlib import Path
from export.errors import ExportError
from export.run import export_checkpoint
from export.starter import publish_starter

what, source, repository = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    if what == "starter":
        publish_starter("audio", Path(repository))
    else:
        export_checkpoint("text", source, None, Path(repository), weights="local",
                          precision="fp32", progress=lambda _: None)
except ExportError as error:
    print(error)
"""


def start(repository: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PUBLISH, str(repository), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_text_models_share_a_number_that_neither_has_used(tmp_path: Path) -> None:
    (tmp_path / "text_tokenizer/1").mkdir(parents=True)
    (tmp_path / "text_tokenizer/1/model.py").touch()
    with start(tmp_path) as publisher:
        assert line_of(publisher) == "2"
        publisher.kill()
    assert (tmp_path / "text_tokenizer/2/tokenizer.json").is_file()
    assert (tmp_path / "text_classifier/2/model.onnx").is_file()
    assert (tmp_path / "text_tokenizer/1/model.py").is_file()


def test_killed_publisher_leaves_a_hidden_stage_that_the_next_removes(tmp_path: Path) -> None:
    with start(tmp_path, "stop before commit") as publisher:
        assert line_of(publisher) == "staged"
        publisher.send_signal(signal.SIGKILL)
    left = {file.name for model in ("text_tokenizer", "text_classifier")
            for file in (tmp_path / model).iterdir()}  # fmt: skip
    assert all(name.startswith(".") for name in left)
    with start(tmp_path) as publisher:
        assert line_of(publisher) == "1"
        publisher.kill()
    assert not list((tmp_path / "text_classifier/1").glob(".*"))


def test_kills_at_any_moment_never_leave_half_a_version(tmp_path: Path) -> None:
    for round_number in range(6):
        with start(tmp_path) as publisher:
            line_of(publisher)
            time.sleep(0.003 * round_number)  # not waited for: just another moment each time
            publisher.send_signal(signal.SIGKILL)
        published = [f for f in (tmp_path / "text_classifier").iterdir() if f.name.isdecimal()]
        assert len(published) > round_number
        for folder in published:
            for file, digest in read(folder).files.items():
                model, _, name = file.partition("/")
                assert sha256(tmp_path / model / folder.name / name) == digest


@pytest.mark.parametrize("what", ["starter", "checkpoint"])
def test_full_disk_is_named_and_cleaned_up(what: str, bert: Path, tmp_path: Path) -> None:
    """A limit on file sizes stands in for the disk: the same call fails, with the same family."""
    command = [sys.executable, "-c", LIMITED, what, str(bert), str(tmp_path / "repository")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "no room left" in printed
    assert str(tmp_path / "repository") in printed
    assert "NEUROSENSE_STATE_DIR" in printed
    assert not list((tmp_path / "repository").glob("*/*"))
