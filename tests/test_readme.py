"""The README tells the truth: its commands run, and give the answers and settings shown."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import api.settings
import serving.settings
import ui.settings
from export.real_inputs import RECORDINGS
from tests.conftest import Stack
from tests.recordings import speech

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()
EXAMPLES = re.findall(r"```bash\n(curl .+?)\n```\n+```json\n(.+?)\n```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.+?)\n```", README, re.DOTALL)
CHANGING = {"id", "timestamp", "latency_ms"}
GROWING = ("/predictions?", "/stats?")  # what they hold depends on what was asked before
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt install curl")


def assert_same(given: Any, shown: Any, where: str = "answer") -> None:
    """Compare all but what changes from call to call; numbers as exactly as they are shown."""
    if isinstance(shown, dict):
        assert isinstance(given, dict)
        assert list(given) == list(shown), where
        for key in set(shown) - CHANGING:
            assert_same(given[key], shown[key], f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(given, list)
        for one, other in zip(given, shown, strict=True):
            assert_same(one, other, f"{where}[]")
    elif isinstance(shown, float):
        assert given == pytest.approx(shown, abs=6e-4), where
    else:
        assert given == shown, where


@needs_curl
@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_a_curl_gives_the_answer_shown(
    stack: Stack, tmp_path: Path, command: str, shown: str
) -> None:
    (tmp_path / "notes.wav").write_text("this is no recording\n")
    shutil.copy(RECORDINGS[0], tmp_path / "recording.flac")
    command = command.replace("http://127.0.0.1:8080", stack.api_url)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=True)
    if any(path in command for path in GROWING):
        assert_same_keys(json.loads(done.stdout), json.loads(shown))
    else:
        assert_same(json.loads(done.stdout), json.loads(shown))


def assert_same_keys(given: Any, shown: Any) -> None:
    assert list(given) == list(shown)
    for one, other in zip(given.get("predictions", []), shown.get("predictions", []), strict=True):
        assert list(one) == list(other)


def test_every_endpoint_has_an_example() -> None:
    paths = json.loads((PROJECT / "api" / "openapi.json").read_text())["paths"]
    called = [
        re.findall(r"http://127\.0\.0\.1:8080(/[^\s?']*)", command) for command, _ in EXAMPLES
    ]
    shown = {re.sub(r"(?<=/predictions/).+", "{prediction}", path) for [path] in called}
    assert shown == set(paths)


def test_the_python_example_runs(stack: Stack) -> None:
    _, code = PYTHON
    printed: list[Any] = []
    exec(code.replace("127.0.0.1:8001", stack.triton_grpc), {"print": printed.append})  # noqa: S102
    assert printed[0].argmax() == 3


def test_the_live_example_runs(stack: Stack, tmp_path: Path) -> None:
    code, _ = PYTHON
    (tmp_path / "live.py").write_text(
        code.replace("127.0.0.1:8080", stack.api_url.removeprefix("http://"))
    )
    sound = (speech() * 32767).astype("<i2").tobytes() + bytes(32_000)
    done = subprocess.run(
        [sys.executable, "live.py"], cwd=tmp_path, input=sound, capture_output=True, check=True
    )
    told = [line.split() for line in done.stdout.decode().splitlines()]
    assert {"window", "segment"} <= {kind for kind, *_ in told}
    assert told[-1][0] == "end"


def settings_table() -> str:
    """Return the README's table of all settings, made from their own descriptions."""
    rows: dict[str, str] = {}
    for settings in (serving.settings.Settings, api.settings.Settings, ui.settings.Settings):
        for name, field in settings.model_fields.items():
            variable = str(field.validation_alias or f"NEUROSENSE_{name.upper()}")
            default = field.default
            if variable == "NEUROSENSE_STATE_DIR":
                default = ".neurosense"
            empty = default is None or field.is_required()
            shown = "" if empty else f"`{str(default).lower() if default is False else default}`"
            rows.setdefault(variable, f"| `{variable}` | {shown} | {field.description} |")
    return "\n".join(["| variable | default | what |", "|---|---|---|", *rows.values()])


def test_the_settings_table_is_whole() -> None:
    assert settings_table() in README


def test_links_and_folders_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (PROJECT / target).exists(), target
    for folder in re.findall(r"`(\w+)/`", README):
        assert (PROJECT / folder).is_dir(), folder


def test_every_promise_names_tests_that_exist() -> None:
    text = (PROJECT / "SECURITY.md").read_text()
    rows = re.findall(r"^\| .+ \| (`tests/.+) \|$", text, re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        folder = PROJECT
        for name in re.findall(r"`(tests/[^`]+|test_\w+\.py)`", row):
            path = PROJECT / name if "/" in name else folder / name
            assert path.exists(), path
            folder = path.parent


def test_make_help_lists_every_target() -> None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    printed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert set(targets) <= set(printed.stdout.split())
