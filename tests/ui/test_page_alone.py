"""The page without the service behind it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from serving.ports import free_ports
from tests.api.process import LINGER, LINGERING, api_process
from tests.recordings import wav
from tests.ui.conftest import Visit
from tests.ui.test_timeline import make, open_timeline, result

PROJECT = Path(__file__).resolve().parents[2]
_START_TIMEOUT_S = 60.0


@contextmanager
def page_alone(log: Path, **environment: str) -> Iterator[str]:
    """Run the page with these variables; yields its address."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "streamlit", "run", "ui/app.py", f"--server.port={port}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the page did not start:\n{log.read_text()}")


def test_a_service_that_is_away_is_said_with_what_to_do(
    visit: Callable[[str], Visit], tmp_path: Path
) -> None:
    (closed,) = free_ports(1)
    address = f"http://127.0.0.1:{closed}"
    variables = {"NEUROSENSE_API_URL": address, "NEUROSENSE_UI_MONITOR": "true"}
    with page_alone(tmp_path / "ui.log", **variables) as url:
        page = visit(url).page
        alerts = page.get_by_role("alert").filter(has_text=f"at {address} can't be reached")
        expect(alerts).to_have_count(1)
        expect(alerts.first).to_contain_text("NEUROSENSE_API_URL")
        link = page.get_by_role("link", name="responsible use")
        expect(link).to_have_attribute("href", f"{address}/responsible-use")
        page.get_by_label("Words: type a sentence").fill("I love this!")
        page.get_by_role("button", name="Analyze").click()
        expect(alerts).to_have_count(2)
        panel = open_timeline(page)
        make(panel, recording(tmp_path))
        alert = panel.get_by_role("alert").filter(has_text=f"at {address} can't be reached")
        expect(alert).to_contain_text("make serve")
        page.get_by_role("tab", name="Monitor").click()
        panel = page.get_by_role("tabpanel", name="Monitor")
        alert = panel.get_by_role("alert").filter(has_text=f"at {address} can't be reached")
        expect(alert).to_contain_text("make serve")
        expect(panel.get_by_role("button", name="Refresh")).to_be_visible()


@pytest.mark.slow
def test_a_service_that_dies_midway_is_said_and_used_when_it_is_back(
    visit: Callable[[str], Visit], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    api = partial(
        api_process, "postgresql://127.0.0.1:9/none", tmp_path / "api.log",
        NEUROSENSE_API_PORT=str(port), NEUROSENSE_LOG_TIMEOUT_S="1",
    )  # fmt: skip
    variables = {"NEUROSENSE_API_URL": f"http://127.0.0.1:{port}", "NEUROSENSE_UI_MONITOR": "false"}
    transcript = tmp_path / "talk.json"
    said = ["Well.", f"Do not {LINGERING}."]
    cues = [{"start": at, "end": at + 0.9, "text": text} for at, text in enumerate(said)]
    transcript.write_text(json.dumps(cues))
    with page_alone(tmp_path / "ui.log", **variables) as url:
        with api(**{LINGER: "1"}) as dying:
            page = visit(url).page
            expect(page.get_by_role("tab")).to_have_text(["Try", "Timeline"])
            panel = open_timeline(page)
            make(panel, recording(tmp_path), transcript)
            expect(panel.get_by_text("Judging: 1 of 2")).to_be_visible()
            dying.child.kill()
            expect(panel.get_by_role("alert").filter(has_text="broke off")).to_be_visible()
        with api():
            panel.get_by_role("button", name="Make the timeline").click()
            result(panel)
            expect(panel.get_by_role("alert").filter(has_text="broke off")).to_have_count(0)


def recording(folder: Path) -> Path:
    path = folder / "tone.wav"
    path.write_bytes(wav())
    return path


@pytest.mark.slow  # a page of its own
def test_a_wrong_setting_is_named(visit: Callable[[str], Visit], tmp_path: Path) -> None:
    with page_alone(tmp_path / "ui.log", NEUROSENSE_API_URL="localhost") as url:
        alert = visit(url).page.get_by_role("alert")
        expect(alert).to_contain_text("NEUROSENSE_API_URL: String should match pattern")
