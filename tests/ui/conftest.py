"""A real headless Chromium, and a page in it that keeps what the browser complains about."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    expect,
    sync_playwright,
)

# The first has no window to draw, and so needs a third less of the processor.
_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A recording needs a microphone: this one beeps once a second.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
NO_CHROMIUM = (
    "no Chromium found: install one (Debian, Ubuntu: apt install chromium) or set "
    "NEUROSENSE_CHROMIUM to its path"
)
_TIMEOUT_MS = 60_000


@dataclass
class Visit:
    """A tab of the browser, and every error that its console or scripts reported."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def keep_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def keep_exception(self, error: Error) -> None:
        self.errors.append(str(error))


def settle(page: Page) -> None:
    """Wait until the page is drawn: a key or a click before may go to what is replaced or moved."""
    expect(page.locator("[data-test-script-state='notRunning']")).to_be_attached()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def walk_to(
    page: Page, key: str, target: Locator, after: Callable[[Page], None] = lambda _: None
) -> None:
    """Press a key until `target` has the focus, which some stops away it must have."""
    for _ in range(12):
        page.keyboard.press(key)
        after(page)
        if target.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError("the keyboard does not get there")


def find_chromium() -> str | None:
    """Return the browser's path: NEUROSENSE_CHROMIUM, or the first that PATH has."""
    named = os.environ.get("NEUROSENSE_CHROMIUM")
    candidates = [named] if named else list(_NAMES)
    return next((path for name in candidates if (path := shutil.which(name))), None)


@pytest.fixture(scope="package")  # its event loop would be in the way of other tests
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        if os.environ.get("CI") == "true" or os.environ.get("NEUROSENSE_REQUIRE_BROWSER") == "1":
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    expect.set_options(timeout=_TIMEOUT_MS)  # for machines on which other tests run beside
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor of all pages: the scripts come once and are then in the browser's cache."""
    context = browser.new_context(permissions=["microphone"])
    context.set_default_timeout(_TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def visit(visitor: BrowserContext) -> Iterator[Callable[[str], Visit]]:
    """Return a function that opens an address in a fresh session, closed after the test."""

    def open_page(url: str) -> Visit:
        visit = Visit(visitor.new_page())
        visit.page.on("console", visit.keep_console)
        visit.page.on("pageerror", visit.keep_exception)
        visit.page.goto(url)
        return visit

    yield open_page
    for page in visitor.pages:
        page.close()
