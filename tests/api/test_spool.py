"""The spool's promises: durable, bounded, whole after a crash, and one taker at a time."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.database import Database, DatabaseError
from api.draining import drain
from api.recovery import Recovery
from api.rows import Row
from api.spool import Spool, SpoolFullError
from benchmarks.chaos.proxy import Proxy
from tests.api.rows import a_row
from tests.api.servers import read_rows
from tests.api.test_migrations import run as migrated

PROJECT = Path(__file__).parent.parent.parent
WRITER = """
import sys
from pathlib import Path
from api.spool import Spool
from tests.api.rows import a_row
spool = Spool(Path(sys.argv[1]), 2**30)
spool.open()
while True:
    row = a_row()
    spool.append([row])
    print(row["id"], flush=True)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "a" / "spool", 2**20)
    made.open()
    return made


def taken(spool: Spool) -> list[Row]:
    spool.finish_segment()
    rows = []
    for segment in spool.segments():
        rows += spool.read(segment)
        segment.unlink()
    return rows


def test_what_goes_in_comes_out_in_order(spool: Spool) -> None:
    rows = [a_row(input_text="ü\u2028\n", confidence=0.1 + n / 7) for n in range(50)]
    spool.append(rows[:20])
    spool.append(rows[20:])
    assert taken(spool) == rows
    assert spool.size_bytes() == 0
    spool.append(rows[:1])
    assert taken(spool) == rows[:1]


def test_the_limit_is_kept_and_nothing_is_half_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 2000)
    spool.open()
    rows = [a_row() for _ in range(3)]
    spool.append(rows[:2])
    before = spool.size_bytes()
    assert not spool.is_full()
    with pytest.raises(SpoolFullError):
        spool.append([a_row() for _ in range(20)])
    assert spool.size_bytes() == before
    assert spool.is_full(), "what came last was refused"
    assert taken(spool) == rows[:2]
    spool.append(rows[:1])
    assert not spool.is_full(), "what came last was taken"


def test_a_disk_that_fills_up_leaves_no_half_row(spool: Spool) -> None:
    rows = [a_row() for _ in range(2)]
    spool.append(rows[:1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size_bytes() + 100, limits[1]))
        with pytest.raises(OSError, match="too large"):
            spool.append([a_row()])
        assert spool.is_full() is False, "a new segment has room"
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        with pytest.raises(OSError, match="too large"):
            spool.append([a_row()])
        assert spool.is_full()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert not spool.is_full(), "by itself, before any row is taken again"
    spool.append(rows[1:])
    assert taken(spool) == rows


def test_a_line_that_was_cut_off_belongs_to_no_answer(spool: Spool, tmp_path: Path) -> None:
    row = a_row()
    whole = json.dumps(row).encode()
    (spool.folder / "1.jsonl").write_bytes(whole + b"\n" + b"not json\n" + whole[:40])
    segment = (spool.folder / "1.jsonl").read_bytes()
    for _ in range(2):  # killed before the segment was removed, it is read again
        assert taken(spool) == [row]
        [rejected] = spool.folder.iterdir()
        assert rejected.read_bytes() == b"not json\n"
        (spool.folder / "1.jsonl").write_bytes(segment)


def test_what_is_rejected_expires_is_counted_and_is_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 4000)
    spool.open()
    kept, gone = a_row(input_text="\0"), a_row(input_text="\0")
    about = a_row(recording_id=gone["id"], input_text="\0")
    for row in (kept, gone, about):
        spool.set_aside(row)
    assert spool.size_bytes() == 0, "it does not wait"
    with pytest.raises(SpoolFullError):
        spool.append([a_row() for _ in range(7)])
    assert spool.rejected.forget(UUID(gone["id"])) == 2
    assert spool.rejected.forget(UUID(gone["id"])) == 0
    [rejected] = tmp_path.iterdir()
    assert [json.loads(line) for line in rejected.read_text().splitlines()] == [kept]
    month = datetime.now(UTC).replace(day=1)
    for _ in range(3):
        month = (month - timedelta(days=1)).replace(day=1)
        (tmp_path / f"rejected-{month:%Y-%m}").write_text("x\n")
    spool.rejected.expire(0)
    assert len(list(tmp_path.iterdir())) == 4
    spool.rejected.expire(2)
    assert len(list(tmp_path.iterdir())) == 3
    assert not (tmp_path / f"rejected-{month:%Y-%m}").exists()


def test_what_another_process_writes_is_left_until_it_is_gone(spool: Spool) -> None:
    """Killed with -9 while it writes: each row that it had stored is there."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(spool.folder)], cwd=PROJECT, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    stored = [writer.stdout.readline().decode().strip() for _ in range(20)]
    assert taken(spool) == []
    spool.append([mine := a_row()])
    assert taken(spool) == [mine]
    os.kill(writer.pid, signal.SIGKILL)
    stored += writer.stdout.read().decode().split()
    writer.wait()
    writer.stdout.close()
    found = [row["id"] for row in taken(spool)]
    assert found[: len(stored)] == stored
    assert len(found) <= len(stored) + 1  # the last one was not told any more


def drained(spool: Spool, url: str) -> int:
    async def run() -> int:
        database = Database(url, 2, 10)
        await database.open()
        await database.migrate(30)
        count = await drain(spool, database, 500)
        await database.close()
        return count

    return asyncio.run(run())


def test_rows_are_in_the_database_once_each(spool: Spool, database_url: str) -> None:
    rows = [a_row() for _ in range(1200)]
    spool.append(rows)
    spool.finish_segment()
    [segment] = spool.folder.iterdir()
    copy = segment.read_bytes()
    assert drained(spool, database_url) == 1200
    segment.write_bytes(copy)  # as if it had been killed before it removed the segment
    drained(spool, database_url)
    assert sorted(str(row["id"]) for row in read_rows(database_url)) == sorted(
        row["id"] for row in rows
    )
    assert list(spool.folder.iterdir()) == []


def test_rows_that_the_database_never_takes_stop_no_others(spool: Spool, database_url: str) -> None:
    bad: list[dict[str, Any]] = [a_row(confidence=None), a_row(input_text="\0")]
    good = [a_row() for _ in range(5)]
    spool.append([*good[:2], bad[0], *good[2:], bad[1]])
    drained(spool, database_url)
    found = {str(row["id"]) for row in read_rows(database_url)}
    assert found == {row["id"] for row in good}
    [rejected] = spool.folder.iterdir()
    aside = rejected.read_text().splitlines()
    assert [json.loads(line) for line in aside] == bad


class SlowLine(Proxy):
    """Lets a few hundred kilobytes a second through."""

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(8192):
                writer.write(chunk)
                await asyncio.sleep(len(chunk) / 400_000)


@pytest.mark.parametrize("longest_s", [30.0, 0.7])
def test_a_slow_line_takes_longer_or_fewer_rows_at_a_time(
    spool: Spool, database_url: str, longest_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database._SPOOLED_S", longest_s)
    rows = [a_row(input_text="x" * 3000) for _ in range(200)]
    spool.append(rows)
    asyncio.run(migrated(database_url))
    parts = conninfo_to_dict(database_url)
    socket = f"{parts['host']}/.s.PGSQL.5432"

    async def run() -> None:
        line = SlowLine(lambda: asyncio.open_unix_connection(socket))
        await line.open()
        url = make_conninfo(database_url, host="127.0.0.1", port=line.port)
        database = Database(url, 2, 0.5)
        await database.open()
        recovery = Recovery(database, spool, 0)
        for _ in range(12):
            with suppress(DatabaseError):
                await recovery.drain()
                break
        await database.close()
        line.cut()

    asyncio.run(run())
    assert {str(row["id"]) for row in read_rows(database_url)} == {row["id"] for row in rows}
    assert spool.size_bytes() == 0
