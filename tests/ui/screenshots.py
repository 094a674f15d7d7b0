"""`make screenshots`: the README's pictures of the page, in docs/screenshots.

They show a system of its own, with the starter weights, that is used as a person uses it. The hour
that Monitor shows is an example: its answers are real, their times and latencies are spread.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import typer
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

from tests.conftest import stack_environment, start_serve, stop_serve
from tests.ui.conftest import FLAGS, NO_CHROMIUM, find_chromium
from ui import samples

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
# Higher than any tab, so that nothing has to be scrolled.
_VIEW: ViewportSize = {"width": 1080, "height": 4000}
_MARGIN_PX = 20  # ends below the frame of what is last
_WAIT_MS = 120_000
_REQUESTS = 40
_SENTENCES = [
    "I love this!",
    "I am furious with you, this is the third time!",
    "The meeting is at ten in room four.",
    "I miss her so much, the house is empty without her.",
    "Did you hear that? Somebody is at the door.",
    "What? I never expected to win!",
    "The soup was cold and smelled of old fish.",
    "Thank you, that was the kindest thing all year.",
]
# In each answer's place some like it within the hour before, most of them in its middle.
_AN_HOUR = """
    WITH answers AS (DELETE FROM emotion_logs RETURNING *)
    INSERT INTO emotion_logs
    SELECT (copy).* FROM (
        SELECT jsonb_populate_record(null::emotion_logs, to_jsonb(answer) || jsonb_build_object(
            'id', gen_random_uuid(),
            'created_at', now() - interval '1 hour' * (random() + random()) / 2,
            'latency_ms', answer.latency_ms * (0.7 + 0.4 * random() + 1.5 * random() ^ 16)
        )) AS copy
        FROM answers AS answer, generate_series(1, 12)
    ) AS copies
"""


def ask_variously(api_url: str) -> None:
    """Send words, voices, both, and now and then a file that is no recording."""
    voices = [samples.read(name).clip.content for name in samples.names()]
    for number in range(_REQUESTS):
        typer.echo(f"\rRequest {number + 1} of {_REQUESTS}", nl=number == _REQUESTS - 1)
        path, form = _request(number, voices)
        httpx.post(f"{api_url}/analyze/{path}", timeout=60, **form).raise_for_status()


def _request(number: int, voices: list[bytes]) -> tuple[str, dict[str, Any]]:
    """Return an endpoint and what to send there: half of them words, one in eight both."""
    words = {"text": _SENTENCES[number * 3 % len(_SENTENCES)]}
    voice = {"audio": voices[number % len(voices)]}
    if number % 8 == 3:
        broken = {"audio": b"notes, and no recording"}
        return "multimodal", {"data": words, "files": broken if number % 16 == 3 else voice}
    return ("audio", {"files": voice}) if number % 4 == 1 else ("text", {"data": words})


def spread_over_an_hour(database_url: str) -> None:
    """Fill the log of this system, which is thrown away, with copies of its answers."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(_AN_HOUR)


def show_try(page: Page) -> Locator:
    """Analyze the sample birthday; return what stands last in the picture."""
    page.get_by_role("radio", name="Use a sample").click()
    page.get_by_role("radio", name="Birthday").click()
    expect(page.locator("audio")).to_be_visible()
    page.get_by_role("button", name="Analyze").click()
    expect(page.get_by_role("heading", name="Together")).to_be_visible()
    return page.get_by_text("The whole answer as JSON")


def show_timeline(page: Page) -> Locator:
    """Make the timeline of the sample conversation, and choose a segment of it."""
    page.get_by_role("tab", name="Timeline").click()
    page.get_by_role("button", name="Use the sample conversation").click()
    panel = page.get_by_role("tabpanel", name="Timeline")
    panel.get_by_role("combobox").click()
    page.get_by_role("option", name="I am furious").click()
    expect(panel.get_by_text("“I am furious")).to_be_visible()
    page.evaluate("document.querySelectorAll('audio').forEach(audio => audio.pause())")
    return panel.get_by_text("Number in the log")


def show_monitor(page: Page) -> Locator:
    """Open Monitor on the last hour."""
    page.get_by_role("tab", name="Monitor").click()
    panel = page.get_by_role("tabpanel", name="Monitor")
    panel.get_by_role("combobox", name="Time").click()
    page.get_by_role("option", name="Last hour").click()
    expect(panel.get_by_role("heading", name="How many per minute")).to_be_visible()
    return panel.get_by_role("button", name="Download JSON")


def take(page: Page, show: Callable[[Page], Locator]) -> None:
    """Write the page from its top to the end of what `show` returns."""
    last = show(page)
    expect(last).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)  # stands where a chart will be
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(1500)  # until charts have taken their size, and nothing fades
    box = last.bounding_box()
    if box is None:
        sys.exit(f"{show.__name__}: the page ends before what should be its last part")
    height = box["y"] + box["height"] + _MARGIN_PX
    path = FOLDER / f"{show.__name__.removeprefix('show_')}.png"
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": _VIEW["width"], "height": height})
    typer.echo(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


@contextmanager
def opened(chromium: str, url: str) -> Iterator[Page]:
    """Open the page in its light theme."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=_VIEW, color_scheme="light")
        page.set_default_timeout(_WAIT_MS)
        expect.set_options(timeout=_WAIT_MS)
        page.goto(url)
        yield page
        browser.close()


def main() -> None:
    """Start a system, ask it, and take the pictures."""
    chromium = find_chromium() or sys.exit(NO_CHROMIUM)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        environment = stack_environment(state)
        typer.echo("Starting the system ...")
        process = start_serve(environment, Path(folder) / "serve.log")
        try:
            ask_variously(f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}")
            spread_over_an_hour((state / "database_url").read_text().strip())
            with opened(chromium, f"http://127.0.0.1:{environment['NEUROSENSE_UI_PORT']}") as page:
                for show in (show_try, show_monitor, show_timeline):
                    take(page, show)
        finally:
            stop_serve(process)


if __name__ == "__main__":
    main()
