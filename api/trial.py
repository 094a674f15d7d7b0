"""A candidate beside the version that answers, and which requests are its.

`neurosense models canary` and `shadow` write what trial runs into the configs that Triton serves:
every replica of the API reads it there, so a trial needs no store of its own and outlives
restarts.
"""

import hashlib
from contextvars import ContextVar
from typing import Annotated, Literal

from fastapi import Depends, Header
from pydantic import BaseModel, ConfigDict, Field

from api.request_id import current_request_id

HEADER = "X-Model-Track"

Track = Literal["current", "canary"]
"""Who answers: the version that is served, or the candidate of a canary."""

_chosen: ContextVar[Track | None] = ContextVar("track", default=None)


class Trial(BaseModel):
    """A version that gets a share of the requests beside the one that is served."""

    model_config = ConfigDict(frozen=True)

    branch: Literal["text", "audio"]
    version: str = Field(description="the candidate's, in Triton")
    kind: Literal["canary", "shadow"] = Field(
        description="canary: it answers them; shadow: its answers to copies are logged"
    )
    percent: float = Field(
        ge=0, le=100, description="of the requests that the branch has a part in"
    )

    def draws_this(self) -> bool:
        """Tell whether the request that is being answered belongs to the candidate's share.

        By a hash of its id, which is as good as chance (ids are random, if the client sends none),
        and lets one version answer all parts of a request: a batch's items, a recording's
        segments, a live stream. So does it for a request that is sent again with its id, whichever
        replica gets it; and who belongs to the share still does when that grows.
        """
        digest = hashlib.sha256((current_request_id() or "").encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 * 100 < self.percent


async def _choose(
    x_model_track: Annotated[
        Track | None,
        Header(
            alias=HEADER,
            description="while a canary runs, who answers: `current`, the version that is served, "
            "or `canary`, the candidate, whose errors are then told; without it, chance decides",
        ),
    ] = None,
) -> None:
    _chosen.set(x_model_track)


choosing = Depends(_choose)
"""The dependency of a route that takes the header."""


def chosen_track() -> Track | None:
    """Return what the header of the request that is being answered says."""
    return _chosen.get()
