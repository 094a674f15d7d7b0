"""The page of a system that asks for API keys has one of its own."""

from collections.abc import Callable

import psutil
from playwright.sync_api import expect

from tests.conftest import Locked
from tests.processes import each, family
from tests.ui.conftest import Visit


def test_the_page_works_by_itself_reads_the_log_and_its_curl_asks_for_a_key(
    locked: Locked, visit: Callable[[str], Visit]
) -> None:
    page = visit(locked.ui_url).page
    page.get_by_label("Words: type a sentence").fill("I love this!")
    page.get_by_role("button", name="Analyze").click()
    expect(page.get_by_role("heading", name="Joy, ")).to_be_visible()
    page.get_by_text("The same request with curl").click()
    shown = page.get_by_test_id("stCode").first.inner_text()
    assert '-H "Authorization: Bearer $NEUROSENSE_API_KEY"' in shown
    environments = [found for _, found in each(family(locked.pid), psutil.Process.environ)]
    [page_key] = {key for one in environments if (key := one.get("NEUROSENSE_PAGE_KEY"))}
    assert page_key not in page.content()
    page.get_by_role("tab", name="Monitor").click()
    expect(page.get_by_text("The log as of")).to_be_visible()
    expect(page.get_by_role("combobox", name="Model version")).to_be_visible()
