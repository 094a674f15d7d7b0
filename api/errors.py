"""One family of errors, one shape: `{"detail": …, "code": …}`."""

import asyncio
import logging
import traceback
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("neurosense.api")

RETRY_AFTER_S = 2
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}


class ApiError(Exception):
    """An answer other than 200. `code` is stable, `detail` is for people and shows no secrets."""

    status = 500
    retry_after_s: int | None = None

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"[{code}] {detail}")
        self.code = code
        self.detail = detail

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer's headers say besides."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


class InputError(ApiError):
    """The request was understood, but its content cannot be analysed."""

    status = 422


class MalformedBodyError(ApiError):
    """The body is not what its content type says."""

    status = 400


class UnsupportedMediaTypeError(ApiError):
    """The endpoint does not take this content type."""

    status = 415


class UploadTooSlowError(ApiError):
    """The body did not arrive as `NEUROSENSE_UPLOAD_TIMEOUT_S` demands."""

    status = 408


class TooLargeError(ApiError):
    """A body, text or recording over its limit."""

    status = 413


class NotFoundError(ApiError):
    """There is no such thing."""

    status = 404


class UnavailableError(ApiError):
    """Triton or the database does not answer as it should; worth another try."""

    status = 503
    retry_after_s = RETRY_AFTER_S


class ModelTimeoutError(ApiError):
    """The models did not answer within `NEUROSENSE_REQUEST_TIMEOUT_S`."""

    status = 504
    retry_after_s = RETRY_AFTER_S


def install(app: FastAPI) -> None:
    """Make every error of `app` an answer of the one shape."""
    for kind in (ApiError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answer)
    app.add_middleware(UnexpectedErrors)


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error's answer."""
    return JSONResponse({"detail": detail, "code": code}, status, headers)


def answer(error: ApiError) -> JSONResponse:
    """Return what a client is told of an error of ours."""
    return problem(error.status, error.code, error.detail, error.headers)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    match error:
        case ApiError():
            return answer(error)
        case HTTPException():
            code = _HTTP_CODES.get(error.status_code, f"http_{error.status_code}")
            return problem(error.status_code, code, str(error.detail), error.headers)
        case RequestValidationError():
            detail = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors())
            return problem(422, "invalid_request", detail)
    raise error


def logged(error: Exception) -> ApiError:
    """Return what a client is told of an error that nobody expected: `internal`.

    The log gets the stack but not the message, which could quote what a user sent.
    """
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger.error("unexpected %s\n%s", type(error).__name__, stack)
    return ApiError("internal", "an unexpected error; it has been logged")


class UnexpectedErrors:
    """Last resort: 500 `internal`, and in the log where it happened; 503 where a stop cuts off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            logger.info("the client left before its request was read")
        except asyncio.CancelledError:
            # By the server, which stops and has waited as long as it does; it would say 500.
            if scope["type"] != "http" or started:
                raise
            detail = "the service is being stopped: try again shortly"
            await answer(UnavailableError("stopping", detail))(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan" or (scope["type"] == "http" and started):
                raise
            told = logged(error)
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011, "reason": told.code})
                return
            await answer(told)(scope, receive, send)
