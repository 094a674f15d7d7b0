"""Who may call what: `requires("read")` is the dependency that guards a route.

    @router.get("/stats", dependencies=[requires("read")])

It runs before the body is read: a caller without a key, without the scope or over its rate
limit is answered at once.
"""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from api.errors import ApiError
from api.keyring import Keyring
from api.keys import KeysError, Scope
from api.loopback import is_loopback, is_loopback_address
from api.rate_limit import RateLimit, address_of
from api.schemas import Problem
from api.settings import Settings

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "A key is needed; see `detail`"},
    403: {"model": Problem, "description": "The key lacks the scope, or a foreign page has none"},
    429: {"model": Problem, "description": "Over the key's rate limit; see Retry-After"},
}
"""What every guarded route may answer, for its OpenAPI entry."""

_BEARER = HTTPBearer(auto_error=False, description="`Authorization: Bearer ns_…`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="`X-API-Key: ns_…`")
_LONGEST_KEY = 256
KEY_PROTOCOL = "bearer."
"""Begins a WebSocket's subprotocol that is a key."""
_FORWARDED = {"forwarded", "x-forwarded-for", "x-forwarded-host"}


class UnauthorizedError(ApiError):
    """No key, an unknown one, or several."""

    status = 401

    def __init__(self, detail: str) -> None:
        super().__init__("unauthorized", detail)

    @property
    def headers(self) -> Mapping[str, str]:
        """Name the way to say who one is."""
        return {"WWW-Authenticate": "Bearer"}


class ForbiddenError(ApiError):
    """The key is known, but not for this."""

    status = 403


class Access:
    """One per process: the keys, the limits, and whether it takes a key at all."""

    def __init__(self, settings: Settings) -> None:
        """Read the keys.

        Raises:
            KeysError: the file is broken, or the API would be reached from elsewhere without keys.
        """
        try:
            self._keys = Keyring(settings.api_keys_file, settings.page_key, settings.ui_monitor)
        except OSError as error:
            raise KeysError(f"the file of API keys cannot be read: {error}") from None
        self._limit = RateLimit(settings.rate_limit_per_minute)
        self._origins = frozenset(settings.allowed_origins)
        self._local = is_loopback(settings.api_host)
        if not self._local and not len(self._keys):
            raise KeysError(
                f"{settings.api_host} can be reached from elsewhere, so a key is needed: make one "
                "with `neurosense keys create NAME --scope analyze` (in the API's image "
                "`python -m api.key_commands create …`) in the file that "
                "NEUROSENSE_API_KEYS_FILE names, or listen on 127.0.0.1"
            )

    def admit(self, request: HTTPConnection, scope: Scope) -> None:
        """Let a request through, or raise UnauthorizedError, ForbiddenError, RateLimitedError."""
        if self.is_open_to(request):
            self._refuse_foreign_page(request)
            self._limit.count(address_of(request.client.host) if request.client else "")
            return
        entry = self._keys.find(_sent_key(request))
        if entry is None:
            raise UnauthorizedError("the API key is not known")
        if not entry.may(scope):
            raise ForbiddenError("forbidden", f"the key {entry.name!r} lacks the scope {scope!r}")
        self._limit.count(entry.id)

    def _refuse_foreign_page(self, request: HTTPConnection) -> None:
        """Raise ForbiddenError for what another site's page sends from a browser on this machine.

        Without a key nothing else stops it: a form is sent without asking, and its Host is right.
        """
        origin = request.headers.get("origin")
        if origin in self._origins:
            return
        is_foreign = origin and urlsplit(origin).netloc != request.headers.get("host")
        if is_foreign or request.headers.get("sec-fetch-site") == "cross-site":
            detail = "send a key, or name the page's origin in NEUROSENSE_CORS_ORIGINS"
            raise ForbiddenError("origin_forbidden", detail)

    def is_open_to(self, request: HTTPConnection) -> bool:
        """Tell whether a request needs no key: there is no file, and it comes from this machine.

        The settings say where the API listens, unless another server than ours runs it: so the
        connection must have arrived at a loopback address too. Its Host must be such a name: a
        web page that points its own name at 127.0.0.1 (DNS rebinding) has another. And what a
        proxy hands on comes from anywhere.
        """
        if not self._local or self._keys.has_file:
            return False
        if not _FORWARDED.isdisjoint(request.headers.keys()):
            return False
        server = request.scope.get("server") or ("", 0)
        host = request.headers.get("host", "127.0.0.1").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return is_loopback_address(server[0]) and is_loopback(name.strip("[]"))


def requires(scope: Scope) -> Any:
    """Return the dependency of a route that needs a key with `scope`."""

    async def admit(
        request: Request,
        _bearer: Annotated[object, Security(_BEARER)],  # these two are for the OpenAPI
        _header: Annotated[object, Security(_HEADER)],
    ) -> None:
        access: Access = request.app.state.access
        access.admit(request, scope)

    return Depends(admit)


def _sent_key(request: HTTPConnection) -> str:
    """Return the one key of a request; UnauthorizedError where there is none or more."""
    sent = set(request.headers.getlist("x-api-key"))
    for credentials in request.headers.getlist("authorization"):
        scheme, _, key = credentials.partition(" ")
        sent.add(key.strip(" ") if scheme.lower() == "bearer" else "")
    for protocol in request.scope.get("subprotocols", ()):  # a web page's WebSocket sets no header
        if protocol.startswith(KEY_PROTOCOL):
            sent.add(protocol.removeprefix(KEY_PROTOCOL))
    sent.discard("")
    if not sent:
        raise UnauthorizedError("send an API key as `Authorization: Bearer …` or `X-API-Key: …`")
    if len(sent) > 1 or len(key := sent.pop()) > _LONGEST_KEY:
        raise UnauthorizedError("send one API key, as it was given out")
    return key
