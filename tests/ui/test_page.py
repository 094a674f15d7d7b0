"""The page of the running system, as a person in front of a browser meets it."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.conftest import Stack
from tests.recordings import wav
from tests.ui.conftest import Visit, settle, walk_to

Open = Callable[[str], Visit]


def type_sentence(page: Page, text: str) -> None:
    page.get_by_label("Words: type a sentence").fill(text)


def write_clip(path: Path) -> Path:
    path.write_bytes(wav(1.5))
    return path


def upload(page: Page, clip: Path) -> None:
    page.locator("input[type=file]").set_input_files(clip)
    page.locator("audio").wait_for()


def analyze(page: Page) -> None:
    page.get_by_role("button", name="Analyze").click()


def start_recording(page: Page) -> None:
    """Press Record until it records, as a person does.

    The button is there before its recorder is, and a press that comes too early, or to which
    the microphone doesn't open, is ignored without a word (Streamlit 1.60).
    """
    record = page.get_by_role("button", name="Record", exact=True)
    stop = page.get_by_role("button", name="Stop recording")
    deadline = time.monotonic() + 60
    record.wait_for()
    while not stop.is_visible() and time.monotonic() < deadline:
        with contextlib.suppress(PlaywrightTimeoutError):
            if record.is_visible():
                record.click(timeout=5000)
            stop.wait_for(timeout=5000)
    expect(stop).to_be_visible()


def card(page: Page, title: str) -> None:
    """Expect a chart headed `title` whose bars and figures were drawn."""
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    chart = page.locator(f"[role=graphics-document][aria-label^='{title}: ']")
    expect(chart).to_be_visible()
    expect(chart.locator("text=%").first).to_be_visible()


def test_a_sentence_is_joy_and_the_starter_weights_are_announced(stack: Stack, visit: Open) -> None:
    visited = visit("about:blank")
    page = visited.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(stack.ui_url)
    expect(
        page.get_by_role("alert").filter(has_text="Starter weights are answering")
    ).to_be_visible()
    settle(page)
    page.get_by_label("Words: type a sentence").focus()
    page.keyboard.type("I love this!")
    walk_to(page, "Tab", page.get_by_role("button", name="Analyze"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Joy, ")).to_be_visible()
    card(page, "Words")
    expect(page.get_by_text("Judged by the words alone")).to_be_visible()
    expect(page.get_by_text("Words: neurosense/starter-text, version")).to_be_visible()
    expect(page.get_by_text("Starter weights judged the words")).to_be_visible()
    expect(page.get_by_text("Answered in")).to_be_visible()
    assert visited.errors == []
    assert asked
    other_hosts = [u for u in asked if not u.startswith((stack.ui_url, "data:", "blob:"))]
    assert other_hosts == []


def test_a_clip_and_a_sentence_show_both_branches_and_the_slider_weighs_them(
    stack: Stack, visit: Open, tmp_path: Path
) -> None:
    visited = visit(stack.ui_url)
    page = visited.page
    slider = page.get_by_role("slider", name="How much the words count")
    expect(slider).to_be_disabled()
    upload(page, write_clip(tmp_path / "tone.wav"))
    type_sentence(page, "I love this!")
    analyze(page)
    for title in ("Together", "Words", "Voice"):
        card(page, title)
    expect(page.get_by_text("55% words and 45% voice")).to_be_visible()
    expect(slider).to_be_enabled()
    page.get_by_text("The same figures as a table").click()
    expect(page.get_by_role("table")).to_contain_text("not covered")
    assert visited.errors == []
    slider.press("End")
    analyze(page)
    expect(page.get_by_text("100% words and 0% voice")).to_be_visible()


def test_a_recording_from_the_microphone_is_classified_and_kept(
    stack: Stack, visit: Open, tmp_path: Path
) -> None:
    page = visit(stack.ui_url).page
    page.get_by_text("Record now").click()
    start_recording(page)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_role("button", name="Play").wait_for()
    analyze(page)
    card(page, "Voice")
    page.get_by_text("The same request with curl").click()
    command = page.get_by_test_id("stCode").first.inner_text()
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download recording.wav").click()
    clip = tmp_path / download.value.suggested_filename
    download.value.save_as(clip)
    assert f"audio=@{clip.name}" in command
    assert soundfile.info(clip).duration > 0.5


@pytest.mark.slow  # test_page_keys.py runs the one with a key
def test_the_curl_shown_gives_the_same_answer(stack: Stack, visit: Open, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    page = visit(stack.ui_url).page
    upload(page, write_clip(tmp_path / "it's, a tone.wav"))
    type_sentence(page, 'It\'s $HOME; I "love" `this`!')
    analyze(page)
    heading = page.get_by_role("heading", name="%")
    expect(heading).to_be_visible()
    page.get_by_text("The same request with curl").click()
    command = page.get_by_test_id("stCode").first.inner_text()
    result = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, check=True, timeout=60
    )
    answer = json.loads(result.stdout)
    assert answer["modality"] == "multimodal_fused"
    assert (
        heading.inner_text() == f"{answer['top_emotion'].capitalize()}, {answer['confidence']:.0%}"
    )


def test_nothing_and_a_broken_recording_are_explained(
    stack: Stack, visit: Open, tmp_path: Path
) -> None:
    (tmp_path / "notes.wav").write_text("this is no recording")
    page = visit(stack.ui_url).page
    analyze(page)
    expect(page.get_by_text("Type a sentence or add a recording first")).to_be_visible()
    upload(page, tmp_path / "notes.wav")
    analyze(page)
    error = page.get_by_role("alert").filter(has_text="cannot be read")
    expect(error).to_contain_text("press Analyze again")
    type_sentence(page, "I love this!")
    analyze(page)
    expect(page.get_by_text("The recording was left out")).to_be_visible()
    expect(page.get_by_text("Judged by the words alone")).to_be_visible()


def test_what_is_typed_is_shown_as_typed(stack: Stack, visit: Open) -> None:
    page = visit(stack.ui_url).page
    type_sentence(page, "<b>bold</b> *star* [link](x) $x$ :smile:")
    analyze(page)
    expect(page.get_by_text("“<b>bold</b> *star* [link](x) $x$ :smile:”")).to_be_visible()
