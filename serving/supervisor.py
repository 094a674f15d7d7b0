"""Keeps the servers running: one that dies or hangs is started again in its place.

One task for each server, all in the main thread: the kernel ends a child with the thread that
started it, and a task is only ever interrupted where it waits, never while it starts a process.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from export.progress import Progress
from serving.errors import ServingError
from serving.process import Child
from serving.server import Server, tell_not_served

_POLL_S = 0.1
_LOOK_EVERY_S = 0.5
_PROBE_EVERY_S = 3.0
_UNANSWERED_PROBES = 10  # in a row: half a minute; counted, so that a laptop may sleep
_TELLS_WITHIN_S = 6.0  # nobody looks after it meanwhile
_SHORT_LIFE_S = 12.0
_SHORT_LIVES = 5  # in a row: about as many deaths within a minute
_LIVES_OF_A_PART = 3  # ended in a row: then the others live without it
_UNDER_NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, *(() if _UNDER_NOHUP else (signal.SIGHUP,)))


def stop_on_signals(stop: Callable[[], object] | None = None) -> None:
    """Make Ctrl-C, SIGTERM and a closed terminal end the program with everything stopped.

    Only the first one counts: another must not leave half of it running. Ctrl-C is set too,
    since a shell starts what it puts into the background with SIGINT ignored; under `nohup` a
    closed terminal ends nothing. Without `stop`, a KeyboardInterrupt is raised.
    """

    def handle(*_: object) -> None:
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if stop is None:
            raise KeyboardInterrupt
        stop()

    for number in _STOP_SIGNALS:
        signal.signal(number, handle)


def supervise(servers: Sequence[Server], say: Progress) -> NoReturn:
    """Keep started servers running until a signal.

    Raises:
        KeyboardInterrupt: a signal of `stop_on_signals` came.
        ServingError: one died again and again; with the last lines of its log.
    """
    try:
        asyncio.run(_supervise(servers, say))
    except asyncio.CancelledError:
        pass
    except ServingError:
        stop_on_signals()  # the loop that was to hear of them is gone
        raise
    raise KeyboardInterrupt


async def _supervise(servers: Sequence[Server], say: Progress) -> None:
    loop, everything = asyncio.get_running_loop(), asyncio.current_task()
    assert everything is not None  # noqa: S101  inside a coroutine there is one
    stop_on_signals(lambda: loop.call_soon_threadsafe(everything.cancel))
    await asyncio.gather(*(_keep(server, say) for server in servers))


async def _keep(server: Server, say: Progress) -> NoReturn:
    lives: list[str | None] = []
    while True:
        began_s = time.monotonic()
        how = await _end(server)
        if time.monotonic() - began_s >= _SHORT_LIFE_S:
            lives = []
            server.left_out = None  # whatever was wrong with that may be mended
        lives = await _restart(server, how, [*lives, server.to_blame()], say)


async def _end(server: Server) -> str:
    """Wait until a server dies, breaks or hangs; return in words what happened."""
    unanswered, looks = 0, _Looks(server)
    while unanswered < _UNANSWERED_PROBES:
        if (how := await _end_within(server, looks, _PROBE_EVERY_S)) is not None:
            return how
        alive = await asyncio.to_thread(server.alive)
        unanswered = 0 if alive else unanswered + 1
    return f"gave no sign of life to {_UNANSWERED_PROBES} questions in a row"


async def _end_within(server: Server, looks: "_Looks", seconds: float) -> str | None:
    for _ in range(round(seconds / _POLL_S)):
        if (how := _child(server).ended() or looks.broken()) is not None:
            return how
        await asyncio.sleep(_POLL_S)
    return None


class _Looks:
    """Tells that a server is broken once two looks in a row, half a second apart, found it so.

    A child that ends in order is dead for a moment.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._found = False
        self._next_s = 0.0

    def broken(self) -> str | None:
        """Return in words what it has lost, or None; looks twice a second at most."""
        if time.monotonic() < self._next_s:
            return None
        self._next_s = time.monotonic() + _LOOK_EVERY_S
        how = self._server.broken()
        before, self._found = self._found, how is not None
        return how if before else None


async def _restart(
    server: Server, how: str, lives: list[str | None], say: Progress
) -> list[str | None]:
    """Start a server again, as often as it takes.

    `lives` are its short lives in a row, each by the part that is to blame for its end; what is
    returned are those that now count.
    """
    began_s = time.monotonic()
    while True:
        _child(server).kill()
        lives = _without_who_is_to_blame(server, lives, say)
        if len(lives) >= _SHORT_LIVES:
            raise ServingError(
                f"{server.name} {how}, {len(lives)} times in a row within seconds; "
                f"its last lines:\n{_child(server).log_end()}"
            )
        pause_s = 0 if len(lives) < 2 else 2 ** (len(lives) - 2)
        say(f"{server.name} {how}: starting it again{f' in {pause_s} s' if pause_s else ''} ...")
        await asyncio.sleep(pause_s)
        problem = await _launch(server)
        if problem is None:
            say(f"{server.name} is back after {time.monotonic() - began_s:.1f} s")
            await _tell_what_is_not_served(server, say)
            return lives
        how, lives = problem, [*lives, server.to_blame()]


def _without_who_is_to_blame(
    server: Server, lives: list[str | None], say: Progress
) -> list[str | None]:
    """Leave out the part that ended the last lives, if one did; the next lives count anew.

    Lives that no part ended do not speak for it: Triton 2.51 aborts by itself at a start now and
    then.
    """
    part = lives[-1]
    ended = [one for one in lives if one is not None]
    if part is None or ended[-_LIVES_OF_A_PART:] != [part] * _LIVES_OF_A_PART:
        return lives
    server.left_out = part
    say(
        f"NOT SERVED ANY MORE, what needs it is answered without: {part}. It ended {server.name} "
        f"{_LIVES_OF_A_PART} times in a row within seconds, and is tried again at the next start."
    )
    return []


async def _tell_what_is_not_served(server: Server, say: Progress) -> None:
    try:
        missing = await asyncio.to_thread(server.not_served, _TELLS_WITHIN_S)
    except (ServingError, OSError) as error:  # a trial's folder may go just then
        say(f"{server.name} is not known to serve everything: {error}")
    else:
        tell_not_served(missing, say)


async def _launch(server: Server) -> str | None:
    """Start a server; return in words why it did not get as far as a sign of life, or None."""
    try:
        server.launch()
    except (ServingError, OSError) as error:
        return f"could not be started ({error})"
    deadline_s, looks = time.monotonic() + server.start_timeout_s, _Looks(server)
    while time.monotonic() < deadline_s:
        if (how := _child(server).ended() or looks.broken()) is not None:
            return how
        if await asyncio.to_thread(server.back):
            return None
        if (how := server.stuck()) is not None:
            return how
        await asyncio.sleep(_POLL_S)
    return f"was not back within {server.start_timeout_s:g} s"


def _child(server: Server) -> Child:
    if server.child is None:
        raise ServingError(f"{server.name} was never started")
    return server.child
