"""What `neurosense` says when it cannot start; nothing here needs a server."""

import socket
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.cli import app
from serving.repository import SOURCE, read_config
from tests.conftest import NEUROSENSE, stack_environment


def run(
    *arguments: str, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [NEUROSENSE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_help_names_the_commands_and_teaches_by_example() -> None:
    assert {"serve", "export", "evaluate", "calibrate"} <= set(run("--help").stdout.split())
    assert "NEUROSENSE_WEIGHTS=starter" in run("serve", "--help").stdout
    assert "--branch text" in run("export", "--help").stdout


def test_an_occupied_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", environment=stack_environment(tmp_path, NEUROSENSE_UI_PORT=port))
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "NEUROSENSE_UI_PORT" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NEUROSENSE_API_PORT", "http"),
        ("NEUROSENSE_API_PORT", "70000"),
        ("NEUROSENSE_WEIGHTS", "large"),
        ("NEUROSENSE_MAX_AUDIO_SECONDS", "-1"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, variable: str, value: str) -> None:
    done = run("serve", environment=stack_environment(tmp_path, **{variable: value}))
    assert done.returncode == 1
    assert variable in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_without_its_branch_is_refused() -> None:
    done = run("export", "./somewhere")
    assert done.returncode == 2
    assert "--branch" in done.stderr


def test_a_checkpoint_that_is_neither_a_folder_nor_an_id_is_named(tmp_path: Path) -> None:
    environment = stack_environment(tmp_path, NEUROSENSE_TEXT_CHECKPOINT="./typo-model")
    done = run("serve", environment=environment)
    assert done.returncode == 1
    assert "./typo-model" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_starters_make_a_complete_repository(tmp_path: Path) -> None:
    environment = stack_environment(tmp_path / "state")
    done = run(
        "export", "--starter", "--repository", str(tmp_path / "models"), environment=environment
    )
    assert done.returncode == 0, done.stderr
    for source in SOURCE.glob("*/config.pbtxt"):
        model = tmp_path / "models" / source.parent.name
        config = read_config(model / "config.pbtxt")
        for version in config.version_policy.specific.versions or [1]:
            assert (model / str(version)).is_dir(), model
        for step in config.ensemble_scheduling.step:
            assert step.model_version == 1
    assert (tmp_path / "models" / "audio_classifier" / "1" / "model.safetensors").exists()
    assert (tmp_path / "models" / "text_tokenizer" / "1" / "model.py").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--tolerance", "nan"),
        ("models", "canary", "text", "2", "--percent", "nan"),
        ("models", "verify", "text", "2", "--min-agreement", "nan"),
        ("models", "promote", "text", "2", "--max-latency-ratio", "nan"),
        ("models", "promote", "text", "2", "--max-accuracy-drop", "nan"),
    ],
)
def test_what_is_no_number_is_no_limit(arguments: tuple[str, ...]) -> None:
    """Every comparison with nan is false: a gate that is told nan would let everything through."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "Invalid value" in done.output
