"""How many requests a client may send, kept by each process for itself.

A token bucket for each client, as one number (GCRA): the time at which the bucket is full again.
Not the package `limits`: its memory storage has no token bucket and no bound.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from api.errors import ApiError

BURST_S = 10.0
"""So many seconds' worth of requests may come at once."""

MOST_CLIENTS = 10_000
"""Clients that are remembered; who asked the longest ago is forgotten first."""


class RateLimitedError(ApiError):
    """The client asks more often than it may."""

    status = 429

    def __init__(self, wait_s: float) -> None:
        retry_s = max(1, math.ceil(wait_s))
        super().__init__("rate_limited", f"too many requests: try again in {retry_s} s")
        self.retry_after_s = retry_s


class RateLimit:
    """At most `per_minute` requests of each client, 0 for any number."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = 60 / per_minute if per_minute else 0.0
        self._burst_s = max(BURST_S, self._interval_s)
        self._clock = clock
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def count(self, client: str) -> None:
        """Count a request; RateLimitedError, and no count, where it is one too many."""
        if not self._interval_s:
            return
        now_s = self._clock()
        full_at_s = max(now_s, self._full_at_s.get(client, now_s)) + self._interval_s
        if (wait_s := full_at_s - now_s - self._burst_s) > 1e-9:  # clocks are floats
            raise RateLimitedError(wait_s)
        self._full_at_s[client] = full_at_s
        self._full_at_s.move_to_end(client)
        if len(self._full_at_s) > MOST_CLIENTS:
            self._full_at_s.popitem(last=False)


@lru_cache(MOST_CLIENTS)
def address_of(host: str) -> str:
    """Return what counts as one client: an address, of IPv6 the /64, which one host may fill."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))
