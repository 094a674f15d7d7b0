"""The whole real system with API keys: `neurosense keys`, the API and curl."""

import json
import shutil
import subprocess

import httpx
import psutil
import pytest

from tests.conftest import Locked
from tests.processes import each, family, listening
from tests.recordings import wav
from tests.waiting import wait_for

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt install curl")


def ask(locked: Locked, key: str | None) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    form = {"data": {"text": "I love this!"}, "files": {"audio": wav()}}
    return httpx.post(f"{locked.api_url}/analyze/multimodal", headers=headers, timeout=60, **form)  # type: ignore[arg-type]


def test_only_who_has_a_key_is_answered(locked: Locked) -> None:
    assert ask(locked, None).status_code == 401
    assert ask(locked, "ns_somebody-elses").status_code == 401
    assert ask(locked, locked.key).json()["modality"] == "multimodal_fused"
    wait_for(lambda: httpx.get(f"{locked.api_url}/health/ready", timeout=60).is_success)


def test_a_key_is_made_and_revoked_while_it_runs(locked: Locked) -> None:
    key = locked.run_keys("create", "second", "--scope", "analyze", "--scope", "read").strip()
    assert ask(locked, key).is_success
    listed = json.loads(locked.run_keys("list", "--json"))
    assert [one["name"] for one in listed] == ["first", "second"]
    locked.run_keys("revoke", listed[1]["id"])
    assert ask(locked, key).status_code == 401
    assert ask(locked, locked.key).is_success


@needs_curl
def test_a_curl_that_has_the_key_in_a_variable(locked: Locked) -> None:
    command = (
        f"curl -s {locked.api_url}/analyze/text "
        '-H "Authorization: Bearer $NEUROSENSE_API_KEY" -F text="I love this!"'
    )
    done = subprocess.run(
        ["bash", "-c", command],
        env=locked.environment | {"NEUROSENSE_API_KEY": locked.key},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["top_emotion"] == "JOY"


def test_no_key_is_in_a_log_or_a_command_line(locked: Locked) -> None:
    ask(locked, locked.key)
    running = family(locked.pid)
    environments = [environment for _, environment in each(running, psutil.Process.environ)]
    page_keys = {e["NEUROSENSE_PAGE_KEY"] for e in environments if "NEUROSENSE_PAGE_KEY" in e}
    assert len(page_keys) == 1
    logs = [file.read_text(errors="replace") for file in (locked.state_dir / "logs").iterdir()]
    commands = [" ".join(words) for _, words in each(running, psutil.Process.cmdline)]
    for secret in (locked.key, *page_keys):
        assert not any(secret in text for text in (*logs, *commands))


def test_everything_listens_on_loopback_only(locked: Locked) -> None:
    found = listening(locked.pid)
    assert {address for _, address in found} == {"127.0.0.1"}
    assert not [name for name, _ in found if "postgres" in name], "it has a Unix socket only"
