"""A long recording under way: a thread asks the API, the page looks now and then how far it is."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui import advice
from ui.client import Answer, ApiError, Client, sentence
from ui.timeline_request import Request

PATH = "/analyze/timeline"
_GRACE_S = 5.0
"""A connection that is lost for less, as phones do, ends nothing."""


class Run:
    """What is known so far. Only its thread writes, and each field as a whole."""

    def __init__(self, client: Client, request: Request, wanted: Callable[[], bool]) -> None:
        """Start; it stops by itself where `wanted` says no for a while."""
        self.request = request
        self.progress: Answer | None = None
        self.waveform: Answer = {"step_s": 0.1, "peaks": []}
        self.segments: list[Answer] = []
        self.summary: Answer | None = None
        self.error: ApiError | None = None
        self.stopped = False
        self._wanted = wanted
        self._thread = threading.Thread(target=self._ask, args=[client], daemon=True)
        self._thread.start()

    @property
    def under_way(self) -> bool:
        """Whether more is to come."""
        return not self.stopped and self._thread.is_alive()

    @property
    def answer(self) -> Answer:
        """The whole answer, as the API gives it to those who wait for it; once it is there."""
        assert self.summary is not None  # noqa: S101  asked for when it is there
        return {**self.summary, "segments": self.segments}

    def stop(self) -> None:
        """Have the service drop what is left; it notices with the next thing that it tells."""
        self.stopped = True

    def _ask(self, client: Client) -> None:
        seen_s = time.monotonic()
        try:
            advise = partial(advice.of_timeline, button=self.request.button)
            told = client.stream(PATH, advise, files=self.request.files)
            with closing(told):
                for event in told:
                    now_s = time.monotonic()
                    seen_s = now_s if self._wanted() else seen_s
                    self.stopped = self.stopped or now_s - seen_s > _GRACE_S
                    if self.stopped:
                        return
                    self._take(event)
        except ApiError as error:
            self.error = error
        finally:
            if not (self.summary or self.error or self.stopped):
                self.error = ApiError("The service broke off its answer.", advice.LOOK)

    def _take(self, event: Answer) -> None:
        kind, data = event["event"], _without_kind(event)
        if kind == "segment":
            self.segments.append(data)
        elif kind == "error":
            advised = advice.of_recording(data["code"], self.request.button)
            raise ApiError(sentence(data["detail"]), advised)
        elif kind in ("progress", "waveform", "summary"):
            setattr(self, kind, data)


def _without_kind(event: Mapping[str, Any]) -> Answer:
    return {name: value for name, value in event.items() if name != "event"}


def while_looked_at() -> Callable[[], bool]:
    """Return a function that tells, in any thread, whether this browser is still connected."""
    context, runtime = get_script_run_ctx(), get_instance()
    session = context.session_id if context else ""
    return lambda: bool(runtime.is_active_session(session))
