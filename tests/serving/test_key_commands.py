"""`neurosense keys …`, and the same commands as the API's image has them."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from api.key_commands import default_file
from serving.settings import Settings
from tests.conftest import NEUROSENSE

PROJECT = Path(__file__).parents[2]
COMMANDS = {
    "neurosense": [str(NEUROSENSE), "keys"],
    "image": [sys.executable, "-m", "api.key_commands"],
}


@pytest.fixture(params=list(COMMANDS.values()), ids=list(COMMANDS))
def command(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    return found


def run(
    command: list[str], *arguments: str, state: Path, **more: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*command, *arguments],
        env={"PATH": os.environ["PATH"], "NEUROSENSE_STATE_DIR": str(state), **more},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_made_listed_and_revoked(command: list[str], tmp_path: Path) -> None:
    made = run(command, "create", "web", "--scope", "analyze", "--scope", "read", state=tmp_path)
    assert made.returncode == 0, made.stderr
    key = made.stdout.removesuffix("\n")
    assert key.startswith("ns_")
    assert len(key.split()) == 1, "nothing but the key, for a pipe"
    assert key not in made.stderr
    assert "web" in made.stderr
    assert stat.S_IMODE((tmp_path / "api_keys.json").stat().st_mode) == 0o600
    listed = run(command, "list", state=tmp_path).stdout
    assert {"web", "analyze,read"} <= set(listed.split())
    [shown] = json.loads(run(command, "list", "--json", state=tmp_path).stdout)
    assert set(shown) == {"id", "name", "scopes", "created_at"}
    revoked = run(command, "revoke", "web", state=tmp_path)
    assert revoked.returncode == 0
    assert "refuses everybody" in revoked.stderr
    empty = run(command, "list", state=tmp_path)
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "keys create" in empty.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "web"), 2, "--scope"),
        (("create", "web", "--scope", "root"), 2, "analyze"),
        (("create", "two words", "--scope", "read"), 1, "1 to 64 letters"),
        (("revoke", "nobody"), 1, "no key 'nobody'"),
        (("list", "--file", __file__), 1, "is no file of API keys"),
        (("create", "web", "--scope", "read", "--file", "/proc/keys/x.json"), 1, "/proc"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(COMMANDS["image"], *arguments, state=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_help_teaches(command: list[str], tmp_path: Path) -> None:
    assert {"create", "list", "revoke"} <= set(
        run(command, "--help", state=tmp_path).stdout.split()
    )
    assert "web-shop --scope analyze" in run(command, "create", "--help", state=tmp_path).stdout


def test_the_commands_and_serve_agree_on_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NEUROSENSE_API_KEYS_FILE", raising=False)
    monkeypatch.delenv("NEUROSENSE_STATE_DIR", raising=False)
    assert default_file() == Settings.load().keys_file
    monkeypatch.setenv("NEUROSENSE_STATE_DIR", str(tmp_path))
    assert default_file() == Settings.load().keys_file == tmp_path / "api_keys.json"
    monkeypatch.setenv("NEUROSENSE_API_KEYS_FILE", str(tmp_path / "mine"))
    assert default_file() == Settings.load().keys_file == tmp_path / "mine"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"NEUROSENSE_API_HOST": "0.0.0.0"}, "neurosense keys create NAME"),  # noqa: S104
        ({"NEUROSENSE_API_KEYS_FILE": __file__}, "is no file of API keys"),
    ],
)
def test_serve_refuses_before_it_exports_anything(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    done = run([str(NEUROSENSE)], "serve", state=tmp_path, **variables)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "model_repository").exists()
