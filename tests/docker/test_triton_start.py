"""The start of the Triton image: its administration is closed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from serving import control
from serving.accelerators import ENGINES
from serving.wheel import environment, wheel_folder
from tests.docker.files import PROJECT, instructions

START = PROJECT / "docker" / "triton.sh"
DOCKERFILE = PROJECT / "docker" / "triton.Dockerfile"
KEY = "k" * 64


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with a `tritonserver` that prints what it is started with."""
    program = tmp_path / "bin" / "tritonserver"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def start(path: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [START, "--load-model=*", "--model-repository=/a folder"],
        env={"PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_key_of_a_file_closes_it_as_serve_does(path: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    started = start(path, TRITON_CONTROL_KEY_FILE=str(tmp_path / "key")).stdout.splitlines()
    assert started == [*control.options(KEY), "--load-model=*", "--model-repository=/a folder"]


def test_the_folder_of_tensorrts_engines_is_made(path: str, tmp_path: Path) -> None:
    mkdir = tmp_path / "bin" / "mkdir"
    mkdir.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/made\n')
    mkdir.chmod(0o755)
    assert start(path).returncode == 0
    assert (tmp_path / "made").read_text().split() == ["-p", ENGINES]


def test_without_a_file_nobody_has_the_key(path: str) -> None:
    keys = {
        key for _ in range(2) for key in re.findall(r"neurosense-control=(.*)", start(path).stdout)
    }
    assert len(keys) == 2, "one for each start, the same over HTTP and gRPC"
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


@pytest.mark.parametrize("content", [None, "", "short"])
def test_a_file_without_a_key_stops_the_start(
    path: str, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    started = start(path, TRITON_CONTROL_KEY_FILE=str(tmp_path / "key"))
    assert started.returncode != 0
    assert started.stdout == ""
    assert "key" in started.stderr


def test_triton_knows_every_option_of_the_image() -> None:
    [command] = [i.words for i in instructions(DOCKERFILE) if i.name == "CMD"]
    options = {word.partition("=")[0] for word in command if word.startswith("--")}
    server = [str(wheel_folder() / "bin" / "tritonserver"), "--help"]
    said = subprocess.run(server, env=environment(), capture_output=True, text=True, check=False)
    known = set(re.findall(r"--[a-z0-9-]+", said.stdout + said.stderr))
    assert len(options) > 5
    assert options <= known


def test_the_image_starts_with_it_and_watches_it() -> None:
    every = instructions(DOCKERFILE)
    [[watched, closed, *_]] = [i.words for i in every if i.name == "CMD"]
    [check] = [i.arguments for i in every if i.name == "HEALTHCHECK"]
    assert check.endswith('CMD ["probe"]')
    copied = dict(i.words for i in every if i.name == "COPY" and len(i.words) == 2)
    for program, file in {watched: "watched.py", closed: "triton.sh", "probe": "probe.py"}.items():
        assert copied[f"docker/{file}"] == f"/usr/local/bin/{program}"
        assert os.access(PROJECT / "docker" / file, os.X_OK)
