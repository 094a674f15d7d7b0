"""Monitor in a real browser: it shows, filters and exports what the real log holds."""

import contextlib
import csv
import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from api.records import Record
from api.schemas import Modality
from ensemble.labels import EMOTIONS
from tests.api.process import api_process
from tests.conftest import Locked, Stack
from tests.recordings import wav
from tests.ui.accessibility import nothing_wrong
from tests.ui.conftest import Visit, settle, walk_to
from tests.ui.test_page_alone import page_alone
from ui import export, words
from ui.theme import EMOTION_FILLS

Open = Callable[[str], Visit]


def test_the_pages_emotions_are_the_services() -> None:
    assert tuple(name.upper() for name in EMOTIONS) == words.EMOTIONS
    assert {name.upper() for name in EMOTIONS} == set(EMOTION_FILLS)


def test_everything_that_an_answer_can_rest_on_can_be_chosen() -> None:
    assert tuple(words.MODALITIES) == get_args(Modality)


def test_a_table_has_every_field_of_the_log() -> None:
    [columns] = csv.reader([export.as_csv([]).decode().strip()])
    parts = {"all_scores": "score_", "fusion_weights": "weight_", "models": "text_"}
    for field in Record.model_fields:
        start = parts.get(field, field)
        assert any(column.startswith(start) for column in columns), field


@pytest.fixture(scope="module")
def asked(stack: Stack) -> Stack:
    """The running system after some predictions, one of them degraded."""
    for text in ("I love this!", "I am furious with you", "I love this!"):
        httpx.post(f"{stack.api_url}/analyze/text", data={"text": text}, timeout=60)
    for clip in (wav(1.0), b"no recording"):
        form: dict[str, Any] = {"data": {"text": "I am scared"}, "files": {"audio": clip}}
        answer = httpx.post(f"{stack.api_url}/analyze/multimodal", timeout=60, **form)
        answer.raise_for_status()
    segments = json.dumps([{"start": 0, "end": 1, "text": "Well."}])
    form = {"files": {"audio": wav(1.0), "segments": (None, segments)}}
    answer = httpx.post(f"{stack.api_url}/analyze/timeline", timeout=60, **form)
    answer.raise_for_status()
    return stack


def open_monitor(page: Page) -> None:
    page.get_by_role("tab", name="Monitor").click()
    expect(page.get_by_role("button", name="Refresh")).to_be_visible()


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def figure(page: Page, label: str, value: str) -> None:
    expect(page.get_by_test_id("stMetric").filter(has_text=label)).to_contain_text(value)


def chart_label(page: Page, title: str) -> str:
    chart = page.locator(f"[role=graphics-document][aria-label^='{title}: ']")
    expect(chart).to_be_visible()
    return chart.get_attribute("aria-label") or ""


def whole(stack: Stack, **params: str) -> dict[str, Any]:
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    params = {"since": since, "bucket": "hour"} | params
    answer = httpx.get(f"{stack.api_url}/stats", params=params, timeout=30)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def drawn_anew(page: Page) -> None:
    """A tab that is walked over is drawn, and meanwhile those behind it can't be reached."""
    with contextlib.suppress(PlaywrightTimeoutError):  # or it has been already
        page.locator("[data-test-script-state='running']").wait_for(state="attached", timeout=1000)
    settle(page)
    # Streamlit draws one tab after another: on a busy machine the one with the focus may be gone
    # for a moment, and a person presses Tab to come back to it.
    if page.evaluate("document.activeElement === document.body"):
        page.locator("[role=tab][aria-selected=true]").focus()


def test_it_is_reached_with_the_keyboard_and_shows_what_the_log_counts(
    asked: Stack, visit: Open
) -> None:
    visited = visit(asked.ui_url)
    page = visited.page
    found = whole(asked)
    settle(page)
    page.get_by_role("tab", name="Try").focus()
    walk_to(page, "ArrowRight", page.get_by_role("tab", name="Monitor"), drawn_anew)
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Monitor")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("heading", name="Newest predictions")).to_be_visible()
    figure(page, "Predictions", f"{found['total']:,}")
    figure(page, "Degraded", f"{found['degraded']:,} (")
    assert f"Joy: {found['emotions']['JOY']:,} (" in chart_label(page, "Emotions")
    assert "Disgust: " in chart_label(page, "Emotions")
    worst = max(one["degraded"] / one["total"] for one in found["over_time"] if one["total"])
    assert f"worst hour {words.percent(worst)};" in chart_label(page, "How many") + ";"
    expect(page.get_by_role("table").last).to_contain_text("Words; voice failed")
    assert visited.errors == []


def test_filters_and_refresh(asked: Stack, visit: Open) -> None:
    page = visit(asked.ui_url).page
    open_monitor(page)
    choose(page, "Emotion", "Anger")
    figure(page, "Predictions", f"{whole(asked, emotion='ANGER')['total']:,}")
    expect(page.get_by_role("table").last).not_to_contain_text("Joy,")
    choose(page, "Degraded", "Degraded only")
    # Other tests of this system may have left such a row.
    if both := whole(asked, emotion="ANGER", degraded="true")["total"]:
        figure(page, "Predictions", f"{both:,}")
    else:
        expect(page.get_by_text("No predictions match.")).to_be_visible()
    choose(page, "Emotion", "All")
    degraded = whole(asked, degraded="true")["total"]
    figure(page, "Predictions", f"{degraded:,}")
    form: dict[str, Any] = {"data": {"text": "I am scared"}, "files": {"audio": b"nothing"}}
    httpx.post(f"{asked.api_url}/analyze/multimodal", timeout=60, **form).raise_for_status()
    page.get_by_role("button", name="Refresh").click()
    figure(page, "Predictions", f"{degraded + 1:,}")


@pytest.mark.slow  # more of the same
def test_filters_by_what_was_judged_and_by_which_version(asked: Stack, visit: Open) -> None:
    page = visit(asked.ui_url).page
    open_monitor(page)
    choose(page, "Judged by", "Long recordings, as a whole")
    expect(page.get_by_role("table").last).to_contain_text("Long recordings")
    expect(page.get_by_role("table").last).not_to_contain_text("Words")
    choose(page, "Judged by", "All")
    total = whole(asked)["total"]
    choose(page, "On trial", "Canary")
    expect(page.get_by_text("No predictions match.")).to_be_visible()
    choose(page, "On trial", "Served versions")
    figure(page, "Predictions", f"{total:,}")


def test_pages_and_files_hold_what_the_api_gives(asked: Stack, visit: Open, tmp_path: Path) -> None:
    for number in range(21):
        form = {"data": {"text": f"{number}: I am so sad and lonely"}, "timeout": 60}
        httpx.post(f"{asked.api_url}/analyze/text", **form).raise_for_status()  # type: ignore[arg-type]
    page = visit(asked.ui_url).page
    open_monitor(page)
    choose(page, "Emotion", "Sadness")
    found = whole(asked, emotion="SADNESS")
    total = found["total"] + found.get("recordings", 0)
    expect(page.get_by_text(f"1 to 20 of {total}")).to_be_visible()
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text(f"21 to {min(total, 40)} of {total}")).to_be_visible()
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_text(f"1 to 20 of {total}")).to_be_visible()
    files = {}
    settle(page)
    for kind in ("CSV", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {kind}").click()
        files[kind] = tmp_path / kind
        download.value.save_as(files[kind])
    query = {"emotion": "SADNESS", "limit": "500"}
    given = httpx.get(f"{asked.api_url}/predictions", params=query, timeout=30).json()
    exported = json.loads(files["JSON"].read_text())
    assert exported["predictions"] == given["predictions"]
    assert (exported["total"], exported["cut"]) == (total, False)
    lines = list(csv.DictReader(files["CSV"].read_text().splitlines()))
    assert [one["id"] for one in lines] == [one["id"] for one in given["predictions"]]
    for line, one in zip(lines, given["predictions"], strict=True):
        assert float(line["score_sadness"]) == one["all_scores"]["SADNESS"]
        versions = {branch: model["version"] for branch, model in one["models"].items()}
        assert line["text_version"] == versions.get("text", "")
        for name in ("recording_id", "start_s", "end_s", "track", "shadow_of"):
            assert line[name] == ("" if one[name] is None else str(one[name]))


@pytest.mark.parametrize("width_px", [360, pytest.param(1200, marks=pytest.mark.slow)])
def test_nothing_is_wrong_for_screen_readers_or_too_wide(
    asked: Stack, visit: Open, width_px: int
) -> None:
    page = visit("about:blank").page
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": width_px, "height": 800})
    page.goto(asked.ui_url)
    expect(page.get_by_role("button", name="Analyze")).to_be_visible()
    nothing_wrong(page)
    page.get_by_label("Words: type a sentence").fill("I love this!")
    page.locator("input[type=file]").set_input_files(
        {"name": "tone.wav", "mimeType": "audio/wav", "buffer": wav(1.5)}
    )
    page.locator("audio").wait_for()
    page.get_by_role("button", name="Analyze").click()
    expect(page.get_by_role("heading", name="Voice", exact=True)).to_be_visible()
    nothing_wrong(page)
    page.get_by_role("tab", name="Monitor").click()
    expect(page.get_by_role("heading", name="Export")).to_be_visible()
    nothing_wrong(page)
    page.emulate_media(color_scheme="light")
    expect(page.locator(".stApp")).to_have_css("background-color", "rgb(255, 255, 255)")
    nothing_wrong(page)


@pytest.mark.slow
def test_a_time_without_predictions_says_what_to_do(asked: Stack, visit: Open) -> None:
    page = visit(asked.ui_url).page
    open_monitor(page)
    choose(page, "Time", "Between two days")
    long_ago = f"{datetime.now(UTC) - timedelta(days=1000):%Y-%m-%d}"
    for label in ("From", "Until the end of"):
        day = page.get_by_test_id("stDateInput").filter(has_text=label).get_by_role("textbox")
        day.fill(long_ago)
        day.press("Enter")
    expect(
        page.get_by_text("No predictions in this time. Analyze something in Try")
    ).to_be_visible()


@pytest.mark.slow  # a service and a page of their own
def test_a_log_without_its_database_says_what_to_do(visit: Open, tmp_path: Path) -> None:
    with ExitStack() as started:
        nowhere = "postgresql://127.0.0.1:9/none"
        settings = {"NEUROSENSE_LOG_TIMEOUT_S": "1"}
        api = started.enter_context(api_process(nowhere, tmp_path / "api.log", **settings))
        variables = {
            "NEUROSENSE_API_URL": str(api.client.base_url),
            "NEUROSENSE_UI_MONITOR": "true",
        }
        url = started.enter_context(page_alone(tmp_path / "ui.log", **variables))
        page = visit(url).page
        open_monitor(page)
        alert = page.get_by_role("alert").filter(has_text="Its database is away or busy")
        expect(alert).to_be_visible()


@pytest.mark.slow  # a page of its own
def test_a_key_without_the_scope_is_explained(locked: Locked, visit: Open, tmp_path: Path) -> None:
    variables = {
        "NEUROSENSE_API_URL": locked.api_url,
        "NEUROSENSE_API_KEY": locked.key,
        "NEUROSENSE_UI_MONITOR": "true",
    }
    with page_alone(tmp_path / "ui.log", **variables) as url:
        page = visit(url).page
        open_monitor(page)
        alert = page.get_by_role("alert").filter(has_text="may not read the log")
        expect(alert).to_contain_text("--scope read")
