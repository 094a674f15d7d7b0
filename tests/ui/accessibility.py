"""What holds for every tab, theme and width."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect


def nothing_wrong(page: Page) -> None:
    """Expect that nothing is broken for screen readers, and nothing wider than the screen."""
    # What the script of the page mends, it mends in the next frame.
    expect(page.get_by_role("main")).to_be_visible()
    page.wait_for_timeout(500)
    page.wait_for_function("document.querySelector('.stMain').scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
