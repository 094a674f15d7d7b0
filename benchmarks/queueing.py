"""Waiting in line for one of several equal servers, first come first served.

Closed forms: Erlang (1917), as in Gross et al., Fundamentals of Queueing Theory, 4th ed., ch. 2.
"""

import heapq

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]


def erlang_c(servers: int, load: float) -> float:
    """Return the probability that a request has to wait in M/M/c.

    `load` is what is offered in servers: requests a second times seconds of service.

    Raises:
        ValueError: the servers can't keep up with the load.
    """
    if not 0 <= load < servers:
        raise ValueError(f"{servers} servers cannot carry a load of {load:g}")
    blocked = 1.0  # Erlang B, by its recursion: nothing overflows
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    busy = load / servers
    return blocked / (1 - busy * (1 - blocked))


def mean_wait_s(servers: int, rate_per_s: float, service_s: float) -> float:
    """Return the mean wait in M/M/c, before service begins."""
    load = rate_per_s * service_s
    return erlang_c(servers, load) * service_s / (servers - load)


def arrivals_s(rate_per_s: float, count: int, random: np.random.Generator) -> Seconds:
    """Return when `count` requests of a Poisson process come, (count,), from 0 on."""
    return np.cumsum(random.exponential(1 / rate_per_s, count))


def shared_line(arrivals: Seconds, services: Seconds, servers: int) -> Seconds:
    """Return each request's wait where the next free server takes the first in one line."""
    free_at = [0.0] * servers
    waits = np.empty_like(arrivals)
    for number, (came, takes) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        starts = max(came, free_at[0])
        heapq.heapreplace(free_at, starts + takes)
        waits[number] = starts - came
    return waits


def round_robin(arrivals: Seconds, services: Seconds, servers: int) -> Seconds:
    """Return each request's wait where every server has a line, and each in turn gets a request.

    Lindley's recursion (1952) for all lines at once: a wait is how far the work that has come,
    less the time that has passed, is above its lowest so far.
    """
    turns = -(-len(arrivals) // servers)
    missing = turns * servers - len(arrivals)  # requests that come last and need nothing
    came = np.pad(arrivals, (0, missing), mode="edge").reshape(turns, servers)
    takes = np.pad(services, (0, missing)).reshape(turns, servers)
    ahead = np.zeros_like(came)
    np.cumsum(takes[:-1] - np.diff(came, axis=0), axis=0, out=ahead[1:])
    waits = ahead - np.minimum.accumulate(ahead, axis=0)
    return np.asarray(waits.ravel()[: len(arrivals)])
