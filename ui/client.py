"""One analysis as an HTTP call, and every way it can fail in words."""

import json
import shlex
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ui import advice

Answer = dict[str, Any]

# Read once: httpx would read all certificates that it knows for each call.
_CERTIFICATES = httpx.create_ssl_context(trust_env=False)


class ApiError(Exception):
    """No answer; `problem` says what happened, `advice` what a person can do about it."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


@dataclass(frozen=True)
class Clip:
    """An encoded recording as it was uploaded or recorded."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Analysis:
    """What a person asks: a sentence, a clip or both; at least one is set."""

    text: str | None
    clip: Clip | None
    text_weight: float

    @property
    def path(self) -> str:
        """The endpoint that fits what was given."""
        if self.text and self.clip:
            return "/analyze/multimodal"
        return "/analyze/text" if self.text else "/analyze/audio"

    @property
    def form(self) -> dict[str, str]:
        """The form fields beside the clip."""
        fields = {"text": self.text} if self.text else {}
        if self.text and self.clip:
            fields["text_weight"] = f"{self.text_weight:g}"
        return fields

    def curl(self, base_url: str, *, with_key: bool = False) -> str:
        """The same call for a shell, which has the reader's own key in a variable."""
        lines = [f"curl {shlex.quote(base_url + self.path)}"]
        if with_key:
            lines.append('-H "Authorization: Bearer $NEUROSENSE_API_KEY"')
        # --form-string: a sentence that starts with @ or < must not name a file.
        option = "--form-string" if self.clip else "--data-urlencode"
        lines += [f"{option} {shlex.quote(f'{k}={v}')}" for k, v in self.form.items()]
        if self.clip:
            lines.append(f"--form {shlex.quote(f'audio=@{_curl_quoted(self.clip.name)}')}")
        return " \\\n  ".join(lines)


def _curl_quoted(name: str) -> str:
    """Return a file name as curl reads it: quoted where it holds its separators."""
    if not set(name) & set(',;"\\'):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Client:
    """The API at `base_url`; calls raise ApiError and nothing else that is expected."""

    def __init__(self, base_url: str, timeout_s: float, key: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s))

    def health(self) -> Answer:
        """Return what `/health` says: `weights` has the source of each branch's, or None."""
        return self._answer("GET", "/health")

    def analyze(self, analysis: Analysis) -> Answer:
        """Return the API's answer to what a person asked."""
        clip = analysis.clip
        files = {"audio": (clip.name, clip.content, clip.media_type)} if clip else None
        return self._answer("POST", analysis.path, data=analysis.form, files=files)

    def log(self, path: str, params: Mapping[str, str]) -> Answer:
        """Return what an endpoint that reads the log says."""
        return self._answer("GET", path, advice.of_log, params=params)

    def stream(
        self, path: str, advise: Callable[[httpx.Response], str], **sent: Any
    ) -> Generator[Answer, None, None]:
        """Yield what an endpoint tells, line by line as it comes; closing it ends the call."""
        call = httpx.stream(
            "POST",
            self.base_url + path,
            headers=self._headers | {"Accept": "application/x-ndjson"},
            timeout=self._timeout,
            trust_env=False,
            verify=_CERTIFICATES,
            **sent,
        )
        with self._explained(), call as response:
            if "ndjson" in response.headers.get("Content-Type", ""):
                yield from map(json.loads, response.iter_lines())
            else:
                response.read()
                _checked(response, advise)

    def _answer(
        self,
        method: str,
        path: str,
        advise: Callable[[httpx.Response], str] = advice.of_analysis,
        **sent: Any,
    ) -> Answer:
        with self._explained():
            # No proxy from the environment: the API is a neighbour, not out on the web.
            response = httpx.request(
                method,
                self.base_url + path,
                headers=self._headers,
                timeout=self._timeout,
                trust_env=False,
                verify=_CERTIFICATES,
                **sent,
            )
        return _checked(response, advise)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in words why no answer came, or not the whole of it."""
        try:
            yield
        except httpx.TimeoutException:
            raise _timed_out() from None
        except httpx.RemoteProtocolError:
            raise ApiError("The service broke off its answer.", advice.LOOK) from None
        except httpx.HTTPError:
            raise self._unreachable() from None

    def _unreachable(self) -> ApiError:
        return ApiError(
            f"The service at {self.base_url} can't be reached.",
            "Start it with `make serve` and wait until it says it is ready. If it runs "
            "elsewhere, set NEUROSENSE_API_URL to its address.",
        )


def _timed_out() -> ApiError:
    return ApiError("The service took too long to answer.", advice.BUSY)


def _checked(response: httpx.Response, advise: Callable[[httpx.Response], str]) -> Answer:
    """Return the JSON object of an answer, or raise ApiError."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(
            f"The address answered (HTTP {response.status_code}), but not as NeuroSense does.",
            "Check that NEUROSENSE_API_URL is the API's address, not another service's.",
        )
    if response.is_error:
        raise ApiError(sentence(str(body.get("detail") or "The request failed.")), advise(response))
    return body


def sentence(detail: str) -> str:
    """Return what the API says as a sentence."""
    return detail[:1].upper() + detail[1:] + ("" if detail.endswith((".", "!", "?")) else ".")
