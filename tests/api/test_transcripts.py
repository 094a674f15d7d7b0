"""Transcripts as people and tools write them, and as nobody should."""

import json
import time
from typing import Any

import pytest

from api import segments
from api.errors import InputError
from api.transcripts import Cue, from_file, from_json

VTT = """WEBVTT - a title

NOTE nobody reads this

STYLE
::cue { color: red }

first
00:01.000 --> 00:02.500 align:left
<v Ann>hello <b>you</b>
and you

01:00:03.250 --> 01:00:04.000
Bob: 10:30 is fine
"""
SRT = (
    "\ufeff"
    + """1
00:00:01,000 --> 00:00:02,500
Ann: hello

2
00:00:03,000 --> 00:00:04,000
hi
""".replace("\n", "\r\n")
)


def test_webvtt() -> None:
    assert from_file(VTT.encode()) == (
        [
            Cue(1.0, 2.5, "hello you and you", "Ann"),
            Cue(3603.25, 3604.0, "10:30 is fine", "Bob"),
        ],
        [],
    )


def test_srt() -> None:
    assert from_file(SRT.encode()) == ([Cue(1.0, 2.5, "hello", "Ann"), Cue(3, 4, "hi")], [])


def test_cues_that_cannot_be_read_are_told() -> None:
    broken = VTT + "\nx --> y\nlost\n"
    cues, repairs = from_file(broken.encode())
    assert len(cues) == 2
    assert repairs == ["1 cues without readable times were left out"]


CUE = "WEBVTT\n\n00:01.000 --> 00:02.000\n"


@pytest.mark.parametrize(
    "transcript",
    [
        b"", b"\0" * 1000, b"\xff\xfe", b"WEBVTT", b"hello\nworld", b"<tt></tt>", b"{}",
        b"WEBVTT\n\n00:05.000 --> 00:02.000\nback\n", b"\n" * 2**20, b"1\n" * 2**19,
        b"WEBVTT\n\n" + b"9" * 2**19 + b":00.000 --> 00:02.000\nx\n", b"-->" * 2**18,
    ],
)  # fmt: skip
def test_what_is_no_transcript_is_refused_soon(transcript: bytes) -> None:
    started_s = time.perf_counter()
    with pytest.raises(InputError):
        from_file(transcript)
    assert time.perf_counter() - started_s < 30  # what is quadratic takes hours


@pytest.mark.parametrize(
    "text", ["<" * 2**20, "<v " * 2**18, "<v a>" * 2**17, "a: " * 2**18, "é\0"]
)
def test_hostile_text_in_a_cue_is_text(text: str) -> None:
    started_s = time.perf_counter()
    [cue], _ = from_file((CUE + text + "\n").encode())
    assert (cue.start_s, cue.end_s) == (1, 2)
    assert len(cue.speaker or "") <= 200
    assert time.perf_counter() - started_s < 30


def test_too_many_cues() -> None:
    many = "WEBVTT\n\n" + "00:01.000 --> 00:02.000\nx\n\n" * 10_001
    with pytest.raises(InputError) as caught:
        from_file(many.encode())
    assert caught.value.code == "transcript_too_long"


def test_json() -> None:
    sent = [{"start": 1, "end": 2.5, "text": " hi "}, {"start": 3, "end": 4, "speaker": "Ann"}]
    found, repairs = from_json(json.dumps(sent).encode())
    assert found == [Cue(1, 2.5, "hi"), Cue(3, 4, None, "Ann")]
    assert repairs == []


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"[", b"{}", b"[]", b"[1]", b'[{"start": 1}]', b'[{"start": 2, "end": 1}]',
        b'[{"start": 1, "end": 1}]', b'[{"start": -1, "end": 1}]', b'[{"start": NaN, "end": 1}]',
        b'[{"start": "1", "end": 2}]', b'[{"start": 1e400, "end": 2}]', b"[" * 10_000, b"\xff",
        b'[{"start": 1, "end": 2, "text": "\\ud800"}]',
    ],
)  # fmt: skip
def test_json_that_is_refused(sent: bytes) -> None:
    with pytest.raises(InputError):
        from_json(sent)


def test_what_is_fine_stays() -> None:
    cues = [Cue(0, 2, "a", "A"), Cue(1, 3, "b", "B"), Cue(3, 9.9, "c", "A")]
    assert segments.ready(cues, 10) == (cues, [])  # two speakers may talk at once


@pytest.mark.parametrize(
    ("cues", "ready", "told"),
    [
        ([Cue(3, 4), Cue(1, 2)], [(1, 2), (3, 4)], "out of order"),
        ([Cue(1, 4), Cue(3, 5)], [(1, 3), (3, 5)], "where the next one begins"),
        ([Cue(-1, 2), Cue(9, 12)], [(0, 2), (9, 10)], "begins or ends"),
        ([Cue(1.0001, 1.0003), Cue(2, 3)], [(1, 1.1), (2, 3)], "extended to 0.1 s"),
        ([Cue(9.98, 12)], [(9.9, 10)], "extended to 0.1 s"),
        (
            [Cue(-2, -0.5, sent_s=(0, 1.5)), Cue(1, 2, sent_s=(3, 4))],
            [(1, 2)],
            "the segment from 0.00 to 1.50 s was left out",
        ),
        (
            [Cue(-1, 2, sent_s=(1, 4))],
            [(0, 2)],
            "the segment from 1.00 to 4.00 s was cut where the recording begins",
        ),
    ],
)
def test_repairs(cues: list[Cue], ready: list[tuple[float, float]], told: str) -> None:
    found, repairs = segments.ready(cues, 10)
    assert [(cue.start_s, cue.end_s) for cue in found] == ready
    assert any(told in repair for repair in repairs)


def test_a_long_segment_is_cut_with_its_words() -> None:
    words = [f"w{n}" for n in range(100)]
    found, repairs = segments.ready([Cue(10, 100, " ".join(words))], 200)
    assert len(found) == 4
    assert all(cue.end_s - cue.start_s == pytest.approx(22.5) for cue in found)
    assert " ".join(cue.text or "" for cue in found).split() == words
    assert "4 parts" in repairs[0]


@pytest.mark.parametrize(
    ("cues", "code"),
    [
        ([Cue(1, 2), Cue(11, 12)], "segment_beyond_end"),
        ([Cue(-3, 0)], "segment_beyond_end"),
        ([Cue(1, 2), Cue(17, 18, sent_s=(15, 16))], "segment_beyond_end"),
        ([Cue(-2, -1, sent_s=(0, 1))], "segment_beyond_end"),
        ([Cue(1, 3, "a"), Cue(1.05, 4, "b")], "segments_overlap"),
    ],
)
def test_what_is_not_repaired(cues: list[Cue], code: str) -> None:
    with pytest.raises(InputError) as caught:
        segments.ready(cues, 10)
    assert caught.value.code == code


def test_any_json_list_is_cut_or_refused() -> None:
    times: list[Any] = [0, 1e-5, 1.0001, 1.0003, 1.05, 2, 9.9, 9.9998, 10, 1e6]
    for start in times:
        for end in times:
            try:
                cues, _ = from_json(json.dumps([{"start": start, "end": end}]).encode())
                found, _ = segments.ready(cues, 10)
            except InputError:
                continue
            assert found
            for cue in found:
                assert 0 <= cue.start_s < cue.end_s <= 10
                assert (
                    cue.end_s - cue.start_s == pytest.approx(0.1) or cue.end_s - cue.start_s > 0.1
                )
