"""WS /stream: speech while it is spoken, and its emotions while it is heard."""

from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket

from api import errors, stream_messages, trial
from api.auth import Access, ForbiddenError
from api.errors import ApiError
from api.service import Service
from api.settings import Settings
from api.stream_talk import talk

PROTOCOL = "neurosense"
"""The subprotocol that a web page offers beside the one that is its key."""

router = APIRouter(dependencies=[trial.choosing])


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """Answer a live stream."""
    service: Service = websocket.app.state.service
    try:
        _admit(websocket, service.settings)
        options = stream_messages.options_of(websocket.query_params)
        with service.admission.stream(), service.metrics.streams.track_inprogress():
            offered = websocket.scope.get("subprotocols", [])
            await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
            await talk(websocket, service, options)  # raises no ApiError
    except ApiError as error:
        await websocket.send_denial_response(errors.answer(error))


def _admit(websocket: WebSocket, settings: Settings) -> None:
    """Let a client in, or raise: the same rules as for requests, and the page's origin."""
    origin = websocket.headers.get("origin")
    own = websocket.headers.get("host")
    # CORS does not hold for WebSockets: a browser lets any page open one and read from it.
    if origin and origin not in settings.allowed_origins and urlsplit(origin).netloc != own:
        raise ForbiddenError("origin_forbidden", "NEUROSENSE_CORS_ORIGINS does not name this page")
    access: Access = websocket.app.state.access
    access.admit(websocket, "analyze")
