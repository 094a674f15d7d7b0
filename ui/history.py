"""What the page asks of the prediction log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from ui.client import Answer, Client

_LARGEST_PAGE = 500


@dataclass(frozen=True)
class Wanted:
    """Which predictions, from `since` until `until`; None asks for all."""

    since: datetime
    until: datetime
    emotion: str | None = None
    modality: str | None = None
    model_version: str | None = None
    degraded: str | None = None
    track: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """The query of the endpoints."""
        times = {"since": _written(self.since), "until": _written(self.until)}
        named = {k: v for k, v in vars(self).items() if k not in times and v is not None}
        return times | named

    @property
    def everything(self) -> "Wanted":
        """The same time, unfiltered."""
        return Wanted(self.since, self.until)

    @property
    def bucket(self) -> str:
        """The slices that show this time at a glance: some dozens at most."""
        length = self.until - self.since
        if length <= timedelta(hours=1):
            return "minute"
        return "hour" if length <= timedelta(days=2) else "day"


def stats(client: Client, wanted: Wanted) -> Answer:
    """Return the counts; ApiError where the log doesn't answer."""
    return _asked(client, "/stats", wanted.params | {"bucket": wanted.bucket})


def page(client: Client, wanted: Wanted, cursor: str | None, limit: int) -> Answer:
    """Return a page of `limit` predictions, the newest first, after `cursor`."""
    after = {} if cursor is None else {"cursor": cursor}
    return _asked(client, "/predictions", wanted.params | after | {"limit": str(limit)})


def newest(client: Client, wanted: Wanted, most: int) -> Iterator[Mapping[str, Any]]:
    """Yield the newest predictions, at most so many; asks page by page, and keeps none."""
    params = wanted.params
    while most > 0:
        limit = min(most, _LARGEST_PAGE)
        answer = client.log("/predictions", params | {"limit": str(limit)})
        yield from answer["predictions"]
        if answer["next_cursor"] is None:
            return
        params["cursor"] = answer["next_cursor"]
        most -= limit


def _asked(client: Client, path: str, params: Mapping[str, str]) -> Answer:
    found: Answer = _kept(client.base_url, path, tuple(params.items()), client)
    return found


# Every click draws the whole page again; only a new question or Refresh asks the log again.
@st.cache_data(ttl=300, max_entries=100, show_spinner=False)  # type: ignore[untyped-decorator]
def _kept(
    base_url: str,  # noqa: ARG001  part of what is remembered, unlike the client
    path: str,
    params: tuple[tuple[str, str], ...],
    _client: Client,
) -> Answer:
    return _client.log(path, dict(params))


def _written(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
