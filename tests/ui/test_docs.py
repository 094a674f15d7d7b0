"""/docs in a real browser: its policy lets its own script run, and no other."""

import re

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.conftest import Stack

# In the place of Swagger UI, which comes from a CDN: says what it was started with.
_SWAGGER = """
window.SwaggerUIBundle = async (options) => {
  const openapi = await (await fetch(options.url)).json();
  document.title = openapi.info.title + " " + Object.keys(openapi.paths).length;
};
SwaggerUIBundle.presets = {};
"""
_FOREIGN = "document.head.append(Object.assign(document.createElement('script'), %s))"


@pytest.mark.parametrize("foreign", ["{text: 'stolen = 1'}", "{src: 'https://evil.example/a.js'}"])
def test_it_runs_its_own_script_and_no_other(browser: Browser, stack: Stack, foreign: str) -> None:
    page = browser.new_page()

    def serve(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        route.fulfill(body={"swagger-ui-bundle.js": _SWAGGER, "a.js": "stolen = 1"}.get(name, ""))

    page.route(re.compile("^https:"), serve)
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(f"{stack.api_url}/docs")
    expect(page).to_have_title(re.compile(r"NeuroSense \d+"))
    assert refused == []
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate(_FOREIGN % foreign)
    page.wait_for_timeout(300)
    assert page.evaluate("typeof stolen") == "undefined"
    page.close()
