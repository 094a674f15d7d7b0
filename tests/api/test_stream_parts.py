"""What a live stream is made of: its cuts, its queue, its texts, its pace."""

import asyncio
from itertools import pairwise

import numpy as np
import pytest

from api import speech
from api.errors import InputError
from api.segments import LONGEST_S
from api.stream_audio import Cut, Hearing
from api.stream_messages import Text, message_of
from api.stream_queue import Newest
from api.stream_talk import FASTEST, Pace
from api.stream_texts import Texts
from tests.api.long_recordings import long_recording
from tests.api.streams import SECOND, pcm, seconds
from tests.recordings import speech as recording

SAMPLES, _ = long_recording(6)


def heard(sound: bytes, step_s: float = 0.1, window_s: float = 4) -> list[Cut]:
    hearing = Hearing(window_s)
    cuts = []
    for number, piece in enumerate(seconds(sound, step_s), 1):
        cuts += hearing.hear(piece, number * step_s)
    return cuts + hearing.finish()


@pytest.mark.parametrize("step_s", [0.013, 0.1, 7.5, 1000])
def test_segments_are_those_of_the_whole_recording(step_s: float) -> None:
    sound = pcm(SAMPLES)
    detector = speech.SpeechDetector()
    detector.hear(sound)
    whole = speech.segments(detector.activity(), len(sound) / SECOND)
    found = [cut for cut in heard(sound, step_s) if cut.kind == "segment"]
    assert len(found) > 5
    for cut, cue in zip(found, whole, strict=True):
        assert (cut.start_s, cut.end_s) == pytest.approx((cue.start_s, cue.end_s), abs=2e-3)
        start, end = (2 * round(at * SECOND / 2) for at in (cut.start_s, cut.end_s))
        assert cut.samples == sound[start:end]


def test_windows_come_every_second() -> None:
    sound = pcm(SAMPLES)
    windows = [cut for cut in heard(sound) if cut.kind == "window"]
    assert [cut.end_s for cut in windows] == list(range(1, int(len(sound) / SECOND) + 1))
    for cut in windows:
        assert cut.start_s == max(0, cut.end_s - 4)
        assert cut.samples == sound[int(cut.start_s * SECOND) : int(cut.end_s * SECOND)]
        assert cut.received_s == pytest.approx(cut.end_s, abs=0.11)


def test_a_segment_ends_when_its_last_sound_came_not_when_the_pause_was_long_enough() -> None:
    segments = [cut for cut in heard(pcm(SAMPLES), 0.1) if cut.kind == "segment"]
    for cut in segments:
        assert cut.end_s - 1e-3 <= cut.received_s <= cut.end_s + 0.11


def test_who_speaks_on_is_cut_before_it_is_too_long_for_the_models() -> None:
    sound = pcm(np.concatenate([recording(0)] * 12))
    assert len(sound) > 70 * SECOND
    segments = [cut for cut in heard(sound, 0.5, 15) if cut.kind == "segment"]
    assert all(0 < cut.end_s - cut.start_s <= LONGEST_S for cut in segments)
    assert all(len(cut.samples) == pytest.approx((cut.end_s - cut.start_s) * SECOND, abs=4)
               for cut in segments)  # fmt: skip
    for before, after in pairwise(segments):
        assert before.end_s <= after.start_s


def test_what_is_kept_is_bounded() -> None:
    hearing = Hearing(15)
    for second in range(600):
        hearing.hear(bytes(SECOND), second)
        for _ in range(100):
            hearing.hear(b"", second)
    for _ in range(16_000):
        hearing.hear(b"\0\0", 600)
    assert len(hearing._kept) <= 31 * SECOND
    assert len(hearing._arrivals) < 300
    assert hearing.duration_s == 601


def test_half_a_sample() -> None:
    with pytest.raises(InputError, match="3 bytes"):
        Hearing(4).hear(b"abc", 0)


def test_the_queue_drops_the_oldest_and_ends() -> None:
    async def run() -> list[int | None]:
        queue = Newest[int](2)
        assert [queue.put(number) for number in range(5)] == [0, 0, 1, 1, 1]
        queue.close()
        return [await queue.get() for _ in range(4)]

    assert asyncio.run(run()) == [3, 4, None, None]


def said(start_s: float, end_s: float, text: str) -> Text:
    return Text(type="text", start=start_s, end=end_s, text=text)


def test_a_text_belongs_to_the_time_of_its_middle() -> None:
    texts = Texts()
    for one in (said(4, 6, "three"), said(0, 2, "one"), said(1.8, 4, " two "), said(2, 3, " ")):
        texts.add(one)
    assert texts.within(0, 4) == "one two"
    assert texts.within(4, 9) == "three"
    assert texts.within(9, 10) is None
    for number in range(1000):
        texts.add(said(number, number + 1, "x"))
    assert len(texts._texts) == 50


def test_a_late_text_is_waited_for_but_not_for_long() -> None:
    async def run() -> None:
        texts = Texts()
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, texts.add, said(0, 1, "early"))
        loop.call_later(0.1, texts.add, said(1, 2, "late"))
        await texts.wait_until(2.3, 30)
        assert texts.within(0, 3) == "early late"
        await texts.wait_until(9, 0.05)

    asyncio.run(run())


def test_the_pace() -> None:
    pace, second = Pace(), bytes(SECOND)
    assert [pace.wait_s(second, 100) for _ in range(10)] == [0] * 10  # ten seconds at once
    assert pace.wait_s(second, 100) == pytest.approx(1 / FASTEST)
    assert pace.wait_s(second, 200) == 0
    assert pace.wait_s(second * 20, 200) == pytest.approx(11 / FASTEST)  # no credit for the pause


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ('{"type": "text", "start": 0, "end": "1", "text": "a"}', "end: Input should be a valid"),
        ('{"type": "text", "start": 0, "end": 1}', "text: Field required"),
        ('{"type": "text", "start": 2, "end": 1, "text": "a"}', "end: must be later than start"),
        ('{"type": "sound"}', "Input tag 'sound' found"),
        ("{", "Invalid JSON"),
    ],
)
def test_a_message_that_is_refused_says_where(sent: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        message_of(sent)
    assert raised.value.detail.startswith(says)


def test_nobody_waits_for_texts_that_cannot_come() -> None:
    async def run() -> None:
        texts = Texts()
        waiting = asyncio.create_task(texts.wait_until(5, 3600))
        await asyncio.sleep(0)
        texts.end()
        await waiting
        await texts.wait_until(50, 3600)  # a segment that was cut by the end

    asyncio.run(asyncio.wait_for(run(), 60))
