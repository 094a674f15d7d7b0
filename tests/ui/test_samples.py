"""The samples of Try in a real browser, and what is said beside their results."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.conftest import Stack
from tests.ui.conftest import Visit
from ui import samples

Open = Callable[[str], Visit]


def choose(page: Page, name: str) -> None:
    """Choose a sample, and wait until its words and its recording are there."""
    page.get_by_role("radio", name="Use a sample").click()
    page.get_by_role("radio", name=name.capitalize()).click()
    expect(page.get_by_label("Words: type a sentence")).to_have_value(samples.read(name).words)
    expect(page.locator("audio")).to_be_visible()


def analyze(page: Page, said: str) -> None:
    page.get_by_role("button", name="Analyze").click()
    expect(page.get_by_text(said)).to_be_visible()


@pytest.mark.parametrize("scheme", [pytest.param("dark", marks=pytest.mark.slow), "light"])
def test_a_sample_is_analyzed_and_its_result_names_the_starters(
    stack: Stack, visit: Open, scheme: Any
) -> None:
    visited = visit("about:blank")
    page = visited.page
    page.emulate_media(color_scheme=scheme)
    page.goto(stack.ui_url)
    choose(page, "birthday")
    analyze(page, "55% words and 45% voice")
    expect(page.get_by_text("Result for “")).to_contain_text("birthday.flac")
    expect(page.get_by_text("Starter weights judged the words and the voice")).to_be_visible()
    page.get_by_text("The same request with curl").click()
    expect(page.get_by_text("Run it in the folder that holds the recording")).to_be_visible()
    for width_px in (1200, 360):
        page.set_viewport_size({"width": width_px, "height": 800})
        page.wait_for_function("document.querySelector('.stMain').scrollWidth <= innerWidth")
        ours = {"include": [[".stMarkdownBadge"], ["[data-testid=stButtonGroup]"]]}
        found = Axe().run(page, context=ours).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert visited.errors == []


@pytest.mark.slow
def test_a_samples_words_can_be_changed_and_its_voice_left_out(stack: Stack, visit: Open) -> None:
    page = visit(stack.ui_url).page
    choose(page, "letter")
    choose(page, "noise")
    page.get_by_label("Words: type a sentence").fill("What a lovely noise!")
    analyze(page, "“What a lovely noise!” and noise.flac")
    page.get_by_role("radio", name="Upload a file").click()
    expect(page.locator("audio")).to_have_count(0)
    analyze(page, "Judged by the words alone")
    expect(page.get_by_label("Words: type a sentence")).to_have_value("What a lovely noise!")
    expect(page.get_by_test_id("stCode").first).to_contain_text("/analyze/text")
    expect(page.get_by_text("Run it in the folder")).to_have_count(0)
