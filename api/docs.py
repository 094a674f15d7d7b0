"""What people read: /docs, the OpenAPI under a policy for its own script, and /responsible-use."""

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, PlainTextResponse

_RESPONSIBLE_USE = Path(__file__).with_name("responsible_use.md")
_CDN = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/"
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Show what can be called; the browser fetches Swagger UI from its CDN."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",  # relative: a proxy may put the API under a path of its own
        title="NeuroSense",
        swagger_js_url=f"{_CDN}swagger-ui-bundle.js",
        swagger_css_url=f"{_CDN}swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


@router.get("/responsible-use")
async def responsible_use() -> PlainTextResponse:
    """Say what the labels are worth, and what is owed to the people concerned."""
    return PlainTextResponse(_RESPONSIBLE_USE.read_text(encoding="utf-8"))


def _policy(html: str) -> str:
    digests = (hashlib.sha256(code.encode()).digest() for code in _INLINE_SCRIPT.findall(html))
    scripts = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return (
        f"default-src 'none'; script-src {_CDN} {scripts}; style-src {_CDN} 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; frame-ancestors 'none'"
    )
