"""Timeline in a real browser: a recording goes in, its emotions over time come out."""

import csv
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import webvtt
from playwright.sync_api import Locator, Page, expect

from tests.api.long_recordings import Said, as_srt, as_vtt, flac, long_recording, shifted
from tests.conftest import Stack
from tests.ui.accessibility import nothing_wrong
from tests.ui.conftest import Visit, settle

Open = Callable[[str], Visit]

SAMPLES, SAID = long_recording(4)
AUDIO = flac(SAMPLES)
MANY = 3000
SLOW_MS = 120_000  # on a machine that is busy with other things
# Where the player begins and ends.
HEARD = """audio => {
  window.heard = {first: null, last: null};
  audio.playbackRate = 0.5;  // a busy machine stops it late
  audio.addEventListener("play", () => heard.first = audio.currentTime);
  const pause = audio.pause;
  audio.pause = () => { heard.last = audio.currentTime; pause.call(audio); };
}"""


def open_timeline(page: Page) -> Locator:
    page.get_by_role("tab", name="Timeline").click()
    panel = page.get_by_role("tabpanel", name="Timeline")
    expect(panel.get_by_role("button", name="Make the timeline")).to_be_visible()
    return panel


def add(panel: Locator, label: str, file: Path) -> None:
    uploader = panel.get_by_test_id("stFileUploader").filter(has_text=label)
    settle(panel.page)  # a file before this one has the page drawn anew
    with panel.page.expect_response(lambda answer: "/upload_file/" in answer.url):
        uploader.locator("input[type=file]").set_input_files(file)
    expect(uploader.get_by_text(file.name)).to_be_visible()
    expect(uploader.get_by_role("progressbar")).to_have_count(0)


def make(panel: Locator, recording: Path, transcript: Path | None = None) -> None:
    add(panel, "Recording", recording)
    if transcript:
        add(panel, "Transcript", transcript)
    panel.get_by_role("button", name="Make the timeline").click()


def result(panel: Locator) -> Locator:
    """Wait for the timeline and return its chart."""
    heading = panel.get_by_role("heading", name="% overall")
    expect(heading).to_be_visible(timeout=SLOW_MS)
    chart = panel.locator("[role=graphics-document][aria-label^='Emotions over time']")
    expect(chart).to_be_visible()
    return chart


def download(panel: Locator, kind: str, folder: Path) -> Path:
    settle(panel.page)  # charts above the button move it when they are drawn
    with panel.page.expect_download() as started:
        panel.get_by_role("button", name=f"Download {kind}").click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a call.flac"
    path.write_bytes(AUDIO)
    return path


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "a call.vtt"
    path.write_text(as_vtt(SAID))
    return path


def test_a_recording_with_its_transcript(
    stack: Stack, visit: Open, tmp_path: Path, recording: Path, transcript: Path
) -> None:
    visited = visit(stack.ui_url)
    panel = open_timeline(visited.page)
    make(panel, recording, transcript)
    whole = re.compile(f"{len(SAID)} segments: ")  # and not one of those drawn on the way
    expect(result(panel)).to_have_attribute("aria-label", whole)
    label = result(panel).get_attribute("aria-label") or ""
    given = asked(stack, transcript=transcript.read_bytes())
    for one in given["segments"]:
        assert one["result"]["top_emotion"].capitalize() in label
    expect(panel.get_by_text("The transcript's times were kept")).to_be_visible()
    for name in given["speakers"]:
        expect(panel.locator(f"[role=graphics-document][aria-label^='{name}, 0:']")).to_be_visible()
    expect(panel.get_by_text("Words: neurosense/starter-text, version")).to_be_visible()
    expect(panel.get_by_text("Starter weights judged the words and the voice")).to_be_visible()
    assert len(panel.get_by_role("button", name="% changed").all()) == len(given["shifts"])
    assert_files_hold(panel, given, tmp_path)
    assert visited.errors == []


def asked(stack: Stack, **fields: Any) -> dict[str, Any]:
    """Return what the API answers to the same recording."""
    files = {"audio": AUDIO} | fields
    answer = httpx.post(f"{stack.api_url}/analyze/timeline", files=files, timeout=120)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def assert_files_hold(panel: Locator, given: dict[str, Any], folder: Path) -> None:
    exported = json.loads(download(panel, "JSON", folder).read_text())
    assert list(exported) == list(given)
    assert exported["overall"]["all_scores"] == pytest.approx(given["overall"]["all_scores"])
    lines = list(csv.DictReader(io.StringIO(download(panel, "CSV", folder).read_text())))
    cues = webvtt.read(str(download(panel, "WebVTT", folder))).captions
    for one, line, cue, said in zip(exported["segments"], lines, cues, SAID, strict=True):
        top = one["result"]["top_emotion"]
        assert (line["speaker"], line["text"], line["top_emotion"]) == (
            said.speaker,
            said.text,
            top,
        )
        assert float(line["score_joy"]) == one["result"]["all_scores"]["JOY"]
        assert line["text_top_emotion"] == one["result"]["sub_results"]["text"]["top_emotion"]
        assert (cue.voice, cue.start_in_seconds) == (said.speaker, int(said.start_s))
        assert re.fullmatch(rf"\[{top.capitalize()}, \d+%\] {re.escape(said.text)}", cue.text)


@pytest.mark.slow  # `make test` reads the same result
def test_a_segment_is_heard_and_read(
    stack: Stack, visit: Open, tmp_path: Path, recording: Path
) -> None:
    (tmp_path / "call.srt").write_text(as_srt(SAID))
    page = visit(stack.ui_url).page
    panel = open_timeline(page)
    panel.get_by_text("Correct a transcript that is early or late").click()
    make(panel, recording, tmp_path / "call.srt")
    chart, chosen = result(panel), panel.get_by_role("combobox")
    expect(panel.get_by_text("aligning was switched off")).to_be_visible()
    expect(panel.get_by_text("“This is sentence 0.”")).to_be_visible()
    audio = panel.locator("audio")
    assert audio.evaluate("audio => audio.paused")
    sent = audio.get_attribute("src")
    audio.evaluate(HEARD)
    box = chart.bounding_box()
    assert box
    place = (SAID[2].start_s + SAID[2].end_s) / 2 / (len(SAMPLES) / 16_000)
    chart.click(position={"x": box["width"] * place, "y": 150})
    expect(panel.get_by_text("“This is sentence 2.”")).to_be_visible()
    expect(chosen).to_have_value(re.compile("This is sentence 2."))
    page.wait_for_function("heard.first !== null && heard.last !== null")
    first, last = page.evaluate("[heard.first, heard.last]")
    assert first == pytest.approx(SAID[2].start_s, abs=0.005)
    assert SAID[2].end_s <= last < SAID[3].start_s
    assert audio.evaluate("audio => audio.currentTime") == pytest.approx(first, abs=0.005)
    assert audio.get_attribute("src") == sent  # once, not anew for each segment
    settle(page)
    chosen.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(panel.get_by_text("“This is sentence 2.”")).to_be_hidden()


@pytest.mark.slow  # of the same kind as with one
def test_without_a_transcript_the_voice_is_judged(
    stack: Stack, visit: Open, recording: Path
) -> None:
    panel = open_timeline(visit(stack.ui_url).page)
    panel.get_by_role("button", name="Make the timeline").click()
    expect(panel.get_by_text("Add a recording first")).to_be_visible()
    expect(panel.get_by_text("Up to 512 MB")).to_be_visible()
    for rounded in panel.get_by_text("per file").all():
        expect(rounded).to_be_hidden()
    make(panel, recording)
    result(panel)
    expect(panel.get_by_text("segments are where a voice is heard")).to_be_visible()
    expect(panel.get_by_text("judged by the voice alone")).to_be_visible()
    expect(panel.get_by_role("heading", name="Overall", exact=True)).to_be_visible()


@pytest.mark.slow
def test_ten_minutes_with_a_transcript_that_is_two_seconds_late(
    stack: Stack, visit: Open, tmp_path: Path
) -> None:
    samples, said = long_recording(41, pauses_s=(7, 13))
    assert len(samples) / 16_000 > 600
    (tmp_path / "long.flac").write_bytes(flac(samples))
    (tmp_path / "long.vtt").write_text(as_vtt(shifted(said, 2.0)))
    page = visit(stack.ui_url).page
    panel = open_timeline(page)
    make(panel, tmp_path / "long.flac", tmp_path / "long.vtt")
    expect(panel.get_by_role("progressbar")).to_be_visible()
    expect(panel.get_by_text(re.compile("Judging: [1-9]"))).to_be_visible(timeout=SLOW_MS)
    result(panel)
    said_so = panel.get_by_text(re.compile(r"was (1\.9|2\.0)\d s late: its times were moved back"))
    expect(said_so).to_be_visible()
    exported = json.loads(download(panel, "JSON", tmp_path).read_text())
    assert_aligned(exported, said)
    expect(panel.get_by_role("slider").first).to_be_visible()


def assert_aligned(found: dict[str, Any], said: list[Said]) -> None:
    assert found["alignment"]["status"] == "corrected"
    assert found["alignment"]["offset_s"] == pytest.approx(-2, abs=0.2)
    for segment, one in zip(found["segments"], said, strict=True):
        assert segment["text"] == one.text
        assert segment["start"] == pytest.approx(one.start_s, abs=0.2)
        assert segment["end"] == pytest.approx(one.end_s, abs=0.2)


@pytest.mark.parametrize(
    ("recorded", "written", "said", "advised"),
    [
        pytest.param(
            b"this is no recording",
            None,
            "cannot be read",
            "Add another recording",
            marks=pytest.mark.slow,
        ),
        (AUDIO, "no transcript", "neither a WebVTT nor an SRT file", "Correct the transcript"),
    ],
    ids=["recording", "transcript"],
)
def test_what_cannot_be_used_is_explained(
    stack: Stack, visit: Open, tmp_path: Path,
    recorded: bytes, written: str | None, said: str, advised: str,
) -> None:  # fmt: skip
    recording, transcript = tmp_path / "call.wav", tmp_path / "call.vtt"
    recording.write_bytes(recorded)
    transcript.write_text(written or "")
    panel = open_timeline(visit(stack.ui_url).page)
    make(panel, recording, transcript if written else None)
    alert = panel.get_by_role("alert").filter(has_text=said)
    expect(alert).to_contain_text(advised)


@pytest.fixture
def much(tmp_path: Path) -> tuple[Path, Path]:
    """A recording with so many segments that it takes minutes."""
    (tmp_path / "long.flac").write_bytes(flac(np.tile(SAMPLES, 20)))
    end_s = 20 * len(SAMPLES) / 16_000
    many = [
        {"start": start_s, "end": start_s + 0.11, "text": "I love this!"}
        for start_s in np.arange(0, end_s - 1, end_s / MANY)
    ]
    (tmp_path / "many.json").write_text(json.dumps(many))
    return tmp_path / "long.flac", tmp_path / "many.json"


@pytest.mark.slow  # `make test` stops one through the API
def test_other_tabs_can_be_used_until_it_is_stopped(
    stack: Stack, visit: Open, much: tuple[Path, Path]
) -> None:
    page = visit(stack.ui_url).page
    panel = open_timeline(page)
    make(panel, *much)
    judged = panel.get_by_text(re.compile("Judging: [1-9]"))
    expect(judged).to_be_visible(timeout=SLOW_MS)
    chart = panel.locator("[role=graphics-document][aria-label^='Emotions over time']")
    before = chart.get_attribute("aria-label")
    # It fills while one watches.
    page.wait_for_function(
        """([path, before]) => {
             const drawn = (label) => Number(/(\\d+) segments/.exec(label)[1]);
             const chart = document.querySelector(path);
             return chart && drawn(chart.ariaLabel) > drawn(before);
           }""",
        arg=["[role=graphics-document][aria-label^='Emotions over time']", before],
    )
    page.get_by_role("tab", name="Try").click()
    page.get_by_label("Words: type a sentence").fill("I love this!")
    page.get_by_role("button", name="Analyze").click()
    expect(page.get_by_role("heading", name="Joy, ")).to_be_visible()
    open_timeline(page)
    expect(judged).to_be_visible()
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_text("segments were judged; the rest was dropped")).to_be_visible()
    assert_cancelled(stack)


@pytest.mark.slow
def test_leaving_the_page_cancels_the_rest(
    stack: Stack, visit: Open, much: tuple[Path, Path]
) -> None:
    page = visit(stack.ui_url).page
    panel = open_timeline(page)
    make(panel, *much)
    expect(panel.get_by_text(re.compile("Judging: [1-9]"))).to_be_visible(timeout=SLOW_MS)
    page.close()
    assert_cancelled(stack)


def counted(stack: Stack) -> dict[str, Any]:
    found = httpx.get(f"{stack.api_url}/stats", timeout=60).raise_for_status().json()
    return dict(found)


def assert_cancelled(stack: Stack) -> None:
    """Wait until nothing has been judged for some seconds: not because all was."""
    totals = [-1]
    deadline_s = time.monotonic() + 120
    while len(totals) < 4 or len(set(totals[-3:])) > 1:
        assert time.monotonic() < deadline_s
        time.sleep(0.7)
        totals.append(counted(stack)["total"])
    newest = httpx.get(
        f"{stack.api_url}/predictions", params={"modality": "timeline", "limit": 1}, timeout=60
    )
    [whole] = newest.raise_for_status().json()["predictions"]
    assert whole["degraded"]["code"] == "incomplete"


def test_the_sample_is_good_for_screen_readers_and_phones(stack: Stack, visit: Open) -> None:
    page = visit("about:blank").page
    page.emulate_media(color_scheme="light")
    page.goto(stack.ui_url)
    panel = open_timeline(page)
    panel.get_by_role("button", name="Use the sample conversation").click()
    result(panel)
    expect(panel.locator("[role=graphics-document][aria-label^='Ann, 0:']")).to_be_visible()
    background = page.locator(".stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    nothing_wrong(page)
    page.set_viewport_size({"width": 360, "height": 800})
    nothing_wrong(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".stApp")).not_to_have_css("background-color", background)
    nothing_wrong(page)
