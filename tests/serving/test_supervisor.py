"""A server that dies is started again, one that hangs too, one that cannot live is given up."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving import supervisor
from serving.errors import ServingError
from serving.ports import free_ports
from serving.server import Program
from tests import waiting
from tests.serving.test_process import wait_until_gone

HTTP = "from http.server import *; import sys;"
SERVE = "HTTPServer(('127.0.0.1', {port}), SimpleHTTPRequestHandler).serve_forever()"


def program(folder: Path, code: str = HTTP + SERVE, kind: type[Program] = Program) -> Program:
    (port,) = free_ports(1)
    (folder / "code.py").write_text(code.format(port=port))
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(folder / "code.py")]
    return kind(
        "a server", command, folder / "log", env=dict(os.environ), ready_url=url, live_url=url
    )


def running_pid(server: Program) -> int:
    assert server.child is not None
    return server.child.pid


def wait_for(happened: Callable[[], bool]) -> None:
    waiting.wait_for(happened, timeout_s=30)


def supervised(server: Program, act: Callable[[list[str]], None]) -> list[str]:
    """Supervise a started server while `act` runs beside, then stop as Ctrl-C does."""
    said: list[str] = []
    wrong: list[Exception] = []

    def act_and_stop() -> None:
        try:
            act(said)
        except Exception as error:  # noqa: BLE001  in a thread it would fail no test
            wrong.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    handlers = {number: signal.getsignal(number) for number in (2, 15, 1)}
    beside = threading.Thread(target=act_and_stop)
    try:
        server.start()
        beside.start()
        with pytest.raises(KeyboardInterrupt):
            supervisor.supervise([server], said.append)
    finally:
        beside.join()
        server.stop()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if wrong:
        raise wrong[0]
    return said


def test_one_that_is_killed_is_back_on_the_same_address(tmp_path: Path) -> None:
    server = program(tmp_path)

    def kill(said: list[str]) -> None:
        first = running_pid(server)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: any("is back" in line for line in said))
        assert running_pid(server) != first
        assert server.ready()

    said = supervised(server, kill)
    assert "a server was killed by SIGKILL: starting it again ..." in said[0]
    assert len(said) == 2


def test_its_log_keeps_the_reason_of_the_death(tmp_path: Path) -> None:
    server = program(tmp_path, "print('a life', flush=True);" + HTTP + SERVE)

    def kill(said: list[str]) -> None:
        os.kill(running_pid(server), signal.SIGKILL)
        wait_for(lambda: len(said) == 2)

    supervised(server, kill)
    assert (tmp_path / "log").read_text().count("a life") == 2


def test_one_that_hangs_is_replaced_and_a_pause_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_PROBE_EVERY_S", 0.2)
    monkeypatch.setattr(supervisor, "_UNANSWERED_PROBES", 2)
    server = program(tmp_path)

    def pause_and_hang(said: list[str]) -> None:
        first = running_pid(server)
        os.kill(first, signal.SIGSTOP)
        time.sleep(1)  # less than one probe takes
        os.kill(first, signal.SIGCONT)
        time.sleep(1)
        assert said == []
        os.kill(first, signal.SIGSTOP)
        wait_for(lambda: len(said) == 2)
        assert running_pid(server) != first

    said = supervised(server, pause_and_hang)
    assert "gave no sign of life" in said[0]


class Losing(Program):
    """Says at each look what it was told to say."""

    looks: tuple[str | None, ...] = ()

    def broken(self) -> str | None:
        said, self.looks = (self.looks[0], self.looks[1:]) if self.looks else (None, ())
        return said


class Halting(Program):
    """Its second life never answers, and has lost a part."""

    lives = 0

    def launch(self) -> None:
        self.lives += 1
        super().launch()

    def back(self) -> bool:
        return self.lives != 2 and super().back()

    def broken(self) -> str | None:
        return "lost a step" if self.lives == 2 else None

    def not_served(self, timeout_s: float = 90.0) -> dict[str, str]:  # noqa: ARG002
        return {"audio_classifier": "no memory"}


def test_what_is_lost_as_it_starts_is_noticed_and_what_is_not_served_is_said(
    tmp_path: Path,
) -> None:
    halting = program(tmp_path, kind=Halting)

    def kill(said: list[str]) -> None:
        os.kill(running_pid(halting), signal.SIGKILL)
        wait_for(lambda: any("NOT SERVED" in line for line in said))

    said = supervised(halting, kill)
    assert "killed by SIGKILL" in said[0]
    assert said[1].startswith("a server lost a step: starting it again")
    assert "is back" in said[2]
    assert said[3] == ("NOT SERVED, what needs it is answered without: audio_classifier: no memory")


def test_a_closed_terminal_ends_it_but_not_under_nohup() -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.{before})\n"
        "from serving.supervisor import stop_on_signals\n"
        "stop_on_signals()\n"
        "signal.raise_signal(signal.SIGHUP)\n"
    )
    for before, ends in (("SIG_DFL", True), ("SIG_IGN", False)):
        done = subprocess.run(
            [sys.executable, "-c", code.format(before=before)], capture_output=True, check=False
        )
        assert (b"KeyboardInterrupt" in done.stderr) == ends


def test_what_is_broken_at_two_looks_is_replaced_and_at_one_is_not(tmp_path: Path) -> None:
    losing = program(tmp_path, kind=Losing)
    assert isinstance(losing, Losing)

    def lose(said: list[str]) -> None:
        losing.looks = ("lost a step", None, "lost a step")  # children that end in order
        wait_for(lambda: losing.looks == ())
        time.sleep(1)
        assert said == []
        losing.looks = ("lost a step",) * 3  # wherever the first one falls
        wait_for(lambda: len(said) == 2)

    said = supervised(losing, lose)
    assert said[0] == "a server lost a step: starting it again ..."


class StuckOnce(Program):
    """Its second life gives no sign of itself."""

    lives = 0

    def launch(self) -> None:
        super().launch()
        self.lives += 1

    def back(self) -> bool:
        return self.lives != 2 and super().back()

    def stuck(self) -> str | None:
        return "did nothing for 30 s" if self.lives == 2 else None


def test_one_that_is_stuck_as_it_starts_is_started_again(tmp_path: Path) -> None:
    server = program(tmp_path, kind=StuckOnce)

    def kill(said: list[str]) -> None:
        os.kill(running_pid(server), signal.SIGKILL)
        wait_for(lambda: any("is back" in line for line in said))

    said = supervised(server, kill)
    assert said[1].startswith("a server did nothing for 30 s: starting it again")
    assert isinstance(server, StuckOnce)
    assert server.lives == 3


class Blaming(Losing):
    """Ends its life at once, by a part of it, for as long as it has that part."""

    parts: tuple[str | None, ...] = ("a part",)
    lives = 0

    def broken(self) -> str | None:
        return None if self.left_out else "lost a step"

    def to_blame(self) -> str | None:
        self.lives += 1
        return self.parts[(self.lives - 1) % len(self.parts)]


def blaming(folder: Path, *parts: str | None) -> Blaming:
    server = program(folder, kind=Blaming)
    assert isinstance(server, Blaming)
    server.parts = parts
    return server


def test_the_part_that_ends_it_three_times_in_a_row_is_left_out(tmp_path: Path) -> None:
    server = blaming(tmp_path, "a part")

    def wait(said: list[str]) -> None:
        wait_for(lambda: server.left_out is not None and "is back" in said[-1])

    said = supervised(server, wait)
    assert (server.left_out, server.lives) == ("a part", 3)
    assert sum("NOT SERVED ANY MORE" in line and "a part" in line for line in said) == 1


@pytest.mark.parametrize(
    ("lives", "left_out"),
    [
        (["a part", None, "a part", "a part"], "a part"),  # None: it aborted by itself meanwhile
        (["a part", "a part", "a part", None], None),
        (["a part", "a part", "another", "a part"], None),
    ],
)
def test_a_life_that_no_part_ended_speaks_for_none(
    tmp_path: Path, lives: list[str | None], left_out: str | None
) -> None:
    server = program(tmp_path)
    said: list[str] = []
    counted = supervisor._without_who_is_to_blame(server, lives, said.append)
    assert server.left_out == left_out
    assert (counted, len(said)) == (([], 1) if left_out else (lives, 0))


def test_what_is_left_out_is_tried_again_after_a_longer_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_SHORT_LIFE_S", 0.0)
    server = program(tmp_path)
    server.left_out = "a part"

    def kill(said: list[str]) -> None:
        os.kill(running_pid(server), signal.SIGKILL)
        wait_for(lambda: len(said) == 2)

    supervised(server, kill)
    assert server.left_out is None


@pytest.mark.parametrize("parts", [(None,), ("a part", "a part", "another")])
def test_where_no_one_part_is_to_blame_it_is_given_up(
    tmp_path: Path, parts: tuple[str | None, ...]
) -> None:
    server = blaming(tmp_path, *parts)
    lives = [server.to_blame() for _ in range(4)]
    server.start()
    try:
        with pytest.raises(ServingError, match="5 times in a row"):
            asyncio.run(supervisor._restart(server, "died", [*lives, server.to_blame()], print))
    finally:
        server.stop()
    assert server.left_out is None


def test_half_a_minute_is_waited_for_a_sign_of_life() -> None:
    waited_s = supervisor._PROBE_EVERY_S * supervisor._UNANSWERED_PROBES
    assert 20 <= waited_s <= 40


def test_one_that_dies_again_and_again_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    server = program(tmp_path)
    server.start()
    (tmp_path / "code.py").write_text("raise SystemExit('no such model')")
    os.kill(running_pid(server), signal.SIGKILL)
    said: list[str] = []
    handlers = {number: signal.getsignal(number) for number in (2, 15, 1)}
    try:
        with pytest.raises(
            ServingError, match=r"exit code 1, 5 times in a row(.|\n)*no such model"
        ):
            supervisor.supervise([server], said.append)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "was killed by SIGKILL" in said[0]
    assert ["in 1 s" in said[1], "in 2 s" in said[2], "in 4 s" in said[3]] == [True] * 3


def test_a_restart_ends_the_helpers_of_the_dead(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; from http.server import *;"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid,"
        " flush=True);" + SERVE
    )
    server = program(tmp_path, code)

    def kill(said: list[str]) -> None:
        helper = int((tmp_path / "log").read_text().split()[0])
        os.kill(running_pid(server), signal.SIGKILL)
        wait_for(lambda: len(said) == 2)
        assert wait_until_gone(helper)

    supervised(server, kill)


def test_ctrl_c_in_the_middle_of_a_restart_ends_within_seconds(tmp_path: Path) -> None:
    """In a process of its own, as signals are."""
    code = f"""
import os, signal, sys, threading, time
from pathlib import Path
from serving.server import Program
from serving.supervisor import supervise
from tests.serving.test_supervisor import program
server = program(Path({str(tmp_path)!r}))
server.start()
Path({str(tmp_path / "code.py")!r}).write_text("import time; time.sleep(60)")
os.kill(server.child.pid, signal.SIGKILL)
try:
    supervise([server], lambda line: print(line, flush=True))
except KeyboardInterrupt:
    server.stop()
    print("ended", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "starting it again" in process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "ended\n"
    assert process.returncode == 0
