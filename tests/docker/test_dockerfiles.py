"""What the images name exists; what they should do for safety they do."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.files import DOCKERFILES, PROJECT, copied_paths, instructions, variables
from tests.docker.known import known_variables
from tests.test_layers import OURS

RELEASE = re.compile(r"nvcr\.io/nvidia/tritonserver:(\d\d)\.(\d\d)-py3")


def each() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)


def test_there_is_an_image_for_each_service_and_one_for_all() -> None:
    assert [path.name for path in DOCKERFILES] == [
        "api.Dockerfile",
        "cpu.Dockerfile",
        "triton.Dockerfile",
        "ui.Dockerfile",
    ]


@each()
def test_hadolint_finds_nothing(dockerfile: Path, tmp_path: Path) -> None:
    checked = hadolint(dockerfile)
    assert checked.returncode == 0, checked.stdout
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(dockerfile.read_text() + "RUN cd /tmp && sudo true\n")
    assert hadolint(wrong).returncode != 0


def hadolint(dockerfile: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run([program, dockerfile], capture_output=True, text=True, check=False)


@each()
def test_no_installer_is_left_in_an_image_of_ours(dockerfile: Path) -> None:
    every = instructions(dockerfile)
    stages = [n for n, i in enumerate(every) if i.name == "FROM"]
    if every[stages[-1]].words[0].startswith("python:"):
        run = " ".join(i.arguments for i in every[stages[-1] :] if i.name == "RUN")
        assert "pip uninstall --yes pip" in run
    assert not re.search(r"apt-get|build-essential|\bgcc\b", dockerfile.read_text())


@each()
def test_every_copied_path_exists_and_reaches_the_build(dockerfile: Path) -> None:
    paths = copied_paths(dockerfile)
    assert paths
    allowed = [
        line[1:]
        for line in (PROJECT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for path in paths:
        assert (PROJECT / path).exists(), path
        assert any(path == a or path.startswith(f"{a}/") for a in allowed), path


@each()
def test_base_images_are_pinned(dockerfile: Path) -> None:
    bases = [i.words for i in instructions(dockerfile) if i.name == "FROM"]
    for image, *_ in bases:
        _, _, tag = image.partition(":")
        assert re.search(r"\d+\.\d+", tag), image
    if dockerfile.name == "triton.Dockerfile":
        match = RELEASE.fullmatch(bases[-1][0])
        assert match
        assert (int(match[1]), int(match[2])) >= (26, 7)


@each()
def test_images_run_as_a_user_other_than_root(dockerfile: Path) -> None:
    every = instructions(dockerfile)
    last_stage = max(n for n, i in enumerate(every) if i.name == "FROM")
    users = [i.arguments for i in every[last_stage:] if i.name == "USER"]
    assert users
    assert int(users[-1]) > 0


@each()
def test_images_say_how_to_see_that_they_are_healthy(dockerfile: Path) -> None:
    (check,) = [i for i in instructions(dockerfile) if i.name == "HEALTHCHECK"]
    if dockerfile.name == "triton.Dockerfile":
        assert check.arguments.endswith('CMD ["probe"]')
    else:
        assert re.search(r"urlopen.*(/health/live|/_stcore/health)", check.arguments)


@each()
def test_every_variable_that_an_image_sets_is_a_setting(dockerfile: Path) -> None:
    ours = {name for name in variables(dockerfile) if name.startswith("NEUROSENSE_")}
    assert ours <= known_variables()


def test_requirements_of_the_images_are_locked() -> None:
    for name in ("api", "ui", "steps", "run", "triton"):
        lines = (PROJECT / "requirements" / f"{name}.txt").read_text().splitlines()
        packages = [line for line in lines if line and not line.startswith(("#", " "))]
        assert packages
        assert all("==" in line for line in packages), name


def copied(dockerfile: Path, folder: Path) -> Path:
    """Copy what an image copies, and return where it lies."""
    for path in copied_paths(dockerfile):
        source, target = PROJECT / path, folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    return folder


def assert_complete(source: Path, *modules: str) -> None:
    """What is installed here must not stand in for a package that the image lacks."""
    listed = f"import sys, {', '.join(modules)}; print(*(m.__file__ for m in sys.modules.values() "
    listed += f"if m.__name__.split('.')[0] in {OURS}))"
    loaded = subprocess.run(
        [sys.executable, "-c", listed], cwd=source, capture_output=True, check=True
    )
    files = loaded.stdout.decode().split()
    assert files
    assert [file for file in files if not file.startswith(str(source))] == []


def test_the_image_of_everything_has_what_it_starts(tmp_path: Path) -> None:
    dockerfile = PROJECT / "docker" / "cpu.Dockerfile"
    source = copied(dockerfile, tmp_path)
    assert_complete(source, "serving.cli", "serving.serve", "api.app", "api.__main__")
    for path in ("ui/app.py", "samples", "model_repository/fusion", "export/starters/text"):
        assert (source / path).exists(), path
    [command] = [i.words for i in instructions(dockerfile) if i.name == "CMD"]
    assert command == ["neurosense", "serve"]
    assert "docker/neurosense.sh /usr/local/bin/neurosense" in dockerfile.read_text()
    helped = [sys.executable, "-m", "serving.cli", *command[1:], "--help"]
    subprocess.run(helped, cwd=source, check=True, capture_output=True, timeout=60)


def test_the_triton_build_has_what_its_export_needs(tmp_path: Path) -> None:
    """Run the build's own command where only the copied paths are."""
    dockerfile = PROJECT / "docker" / "triton.Dockerfile"
    source = copied(dockerfile, tmp_path / "src")
    assert_complete(source, "serving.cli")
    [command] = re.findall(r"python (-m serving\.cli .+?) --repository", dockerfile.read_text())
    assert "ARG PRECISION=auto\n" in dockerfile.read_text()
    for precision, made, cores in (("auto", "int8", "4"), ("fp16", "fp16", None)):
        models = tmp_path / precision
        words = command.replace('"$PRECISION"', precision).split()
        subprocess.run(
            [sys.executable, *words, "--repository", str(models)],
            cwd=source,
            env={**os.environ, **({"NEUROSENSE_CPU_CORES": cores} if cores else {})},
            check=True,
            timeout=120,
        )
        assert (models / "emotion_multimodal" / "config.pbtxt").exists()
        version = models / "text_classifier" / "1"
        assert (version / "model.onnx").exists()
        assert json.loads((version / "manifest.json").read_text())["precision"] == made
        # Unless it is told how many cores there will be, it is for a GPU.
        audio = (models / "audio_classifier" / "config.pbtxt").read_text()
        assert ("intra_op_thread_count" in audio) == (cores is not None)
