"""/docs: the OpenAPI for people, under a policy that lets its own script run and no other."""

import base64
import hashlib
import re

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

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


def _policy(html: str) -> str:
    digests = (hashlib.sha256(code.encode()).digest() for code in _INLINE_SCRIPT.findall(html))
    scripts = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return (
        f"default-src 'none'; script-src {_CDN} {scripts}; style-src {_CDN} 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; frame-ancestors 'none'"
    )
