"""What holds for every tab, theme and width."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.ui.conftest import settle


def nothing_wrong(page: Page) -> None:
    """Expect that nothing is broken for screen readers, and nothing wider than the screen."""
    expect(page.get_by_role("main")).to_be_visible()
    settle(page)
    # Streamlit fades what a run has not drawn again, and that has too little contrast.
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    page.wait_for_function("document.getAnimations().every(one => one.playState != 'running')")
    page.wait_for_timeout(500)  # what the page's own script mends, it mends in the next frame
    page.wait_for_function("document.querySelector('.stMain').scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
