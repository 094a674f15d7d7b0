"""What the timeline says and writes: sentences, bars and files, without a browser."""

import csv
import io
from typing import Any

import pytest

from ui import timeline_export as export
from ui import timeline_words as words
from ui.theme import _COLORS, EMOTION_FILLS
from ui.timeline_charts import MOST_BARS, timeline
from ui.timeline_parts import Part, grouped, lanes, mean_scores, stacked

TEXT_ONLY = {"modality": "audio", "code": "x", "reason": "the model is away."}


def segment(number: int, scores: dict[str, float], **more: Any) -> dict[str, Any]:
    top = max(scores, key=lambda name: scores[name])
    models = {"text": {"name": "a/b", "version": "2", "weights": "local"}}
    result = {
        "top_emotion": top, "confidence": scores[top], "all_scores": scores, "id": f"id-{number}",
        "degraded": None, "warnings": [], "sub_results": {}, "models": models,
    }  # fmt: skip
    return {
        "number": number, "start": 2.0 * number, "end": 2.0 * number + 1, "text": "Well.",
        "speaker": "Ann", "error": None, "result": result,
    } | more  # fmt: skip


def failed(number: int) -> dict[str, Any]:
    error = {"detail": "the models were busy", "code": "overloaded"}
    return segment(number, {"JOY": 1.0}, result=None, error=error)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.9, "0:00"), (65, "1:05"), (3599.9, "59:59"), (3723, "1:02:03")]
)
def test_a_time_is_read_as_on_a_clock(seconds: float, said: str) -> None:
    assert words.clock(seconds) == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (("corrected", -2.01, 0.91, -0.2), ["2.01 s late", "moved back", "well: 0.91", "-0.20 as"]),
        (("corrected", 1.5, 0.45, 0.1), ["1.50 s early", "moved forward", "fairly well: 0.45"]),
        (("kept", 0.0, 0.2, 0.2), ["were kept", "are sure to fit", "loosely: 0.20 of 1"]),
        (("off", 0.0, None, None), ["switched off"]),
        (("no_transcript", 0.0, None, None), ["Without a transcript"]),
    ],
)
def test_what_aligning_did_is_said(found: tuple[Any, ...], said: list[str]) -> None:
    names = ("status", "offset_s", "confidence", "correlation_before")
    sentence = words.alignment(dict(zip(names, found, strict=True)))
    for part in said:
        assert part in sentence


def test_a_drift_is_said_where_there_is_one() -> None:
    found = {"status": "corrected", "offset_s": 1.0, "confidence": 0.9, "correlation_before": 0.1}
    assert "an hour" not in words.alignment(found)
    assert "an hour" not in words.alignment(found | {"drift_ppm": None})
    both = words.alignment(found | {"drift_ppm": -2000.0})
    assert "1.00 s early" in both
    assert "fast by 7.2 s an hour: its times were shortened" in both
    only = words.alignment(found | {"offset_s": 0.0, "drift_ppm": 500.0})
    assert only.startswith("The transcript's clock was slow by 1.8 s an hour: its times were str")


def test_progress_is_said_and_its_share() -> None:
    assert words.progress(None)[1] == 0
    assert "1:30" in words.progress({"stage": "decoding", "done": 90.0, "total": None})[0]
    said, share = words.progress({"stage": "analysing", "done": 3.0, "total": 12})
    assert (said, share) == ("Judging: 3 of 12 segments …", 0.25)


def test_problems_are_counted_and_explained() -> None:
    half = segment(1, {"JOY": 1.0})
    half["result"]["degraded"] = TEXT_ONLY
    half["result"]["warnings"] = ["the text was cut"]
    said = list(words.problems([segment(0, {"JOY": 1.0}), half, half, failed(3)]))
    assert said == [
        "The voice had no say: the model is away (2 (50%) of the segments)",
        "the text was cut (2 (50%) of the segments)",
        "No result: the models were busy (1 (25%) of the segments)",
    ]


def test_each_model_is_named_once() -> None:
    both = [segment(0, {"JOY": 1.0}), segment(1, {"JOY": 1.0}), failed(2)]
    assert words.models(both) == ["Words: a/b, version 2, own weights"]


def test_a_timeline_is_marked_where_starters_judged_some_of_it() -> None:
    starter = segment(1, {"JOY": 1.0})
    starter["result"]["models"] = {"audio": {"name": "s", "version": "1", "weights": "starter"}}
    assert words.starter_mark([segment(0, {"JOY": 1.0}), failed(2)]) is None
    assert words.starter_mark([segment(0, {"JOY": 1.0}), starter]) == (
        "Starter weights judged the voice"
    )


def test_a_shift_says_where_and_from_what_to_what() -> None:
    found = {"at": 234.0, "from_emotion": "JOY", "to_emotion": "ANGER", "change": 0.55}
    assert words.shift(found) == "3:54: Joy to Anger (55% changed)"
    assert "Joy, more or less of it" in words.shift({**found, "to_emotion": "JOY"})


def test_bands_fill_a_bar_from_joy_to_anger() -> None:
    bands = list(stacked([segment(0, {"ANGER": 0.5, "JOY": 0.3, "FEAR": 0.2})]))
    assert [name for _, _, name in bands] == ["Joy", "Fear", "Anger"]
    assert bands[0][1] == 1
    assert bands[-1][0] == pytest.approx(0)
    assert list(stacked([failed(0)])) == []


def test_neighbours_share_a_bar_with_their_mean() -> None:
    many = [segment(n, {"JOY": float(n % 2), "ANGER": 1.0 - n % 2}) for n in range(1000)]
    groups = grouped(many, MOST_BARS)
    assert len(groups) <= MOST_BARS
    assert [one for group in groups for one in group] == many
    long = many[0] | {"end": many[0]["start"] + 3}
    assert mean_scores([long, many[1], failed(2)]) == {"JOY": 0.25, "ANGER": 0.75}


def test_who_speaks_has_a_lane_and_many_share_the_last() -> None:
    named = [segment(n, {"JOY": 1.0}, speaker=name) for n, name in enumerate("BABCD")]
    found = lanes([*named, segment(9, {"JOY": 1.0}, speaker=None)], most=2)
    numbers = {name: [one["number"] for one in said] for name, said in found.items()}
    assert numbers == {"B": [0, 2], "A": [1], "Others": [3, 4]}


def test_the_axis_ends_with_the_recording_and_names_cannot_break_the_chart() -> None:
    many = [segment(n, {"JOY": 1.0}, speaker="A\"]; alert('x')//\u2028") for n in range(33)]
    waveform = {"step_s": 1.0, "peaks": [0.5] * 66}
    chart = timeline(many, waveform, Part(0, 65.8), None, _COLORS["light"]).to_dict()
    sound, *_ = chart["layer"]
    ticks = sound["encoding"]["x"]["axis"]["values"]
    assert ticks == [0, 15, 30, 45, 65.8]
    assert '"1:05"]' in sound["encoding"]["x"]["axis"]["labelExpr"]
    names = sound["encoding"]["y"]["axis"]["labelExpr"]
    assert names.startswith('["A\\"]; alert(\'x\')//\\u2028"]')


def test_a_part_has_what_reaches_into_it() -> None:
    many = [segment(n, {"JOY": 1.0}) for n in range(10)]
    assert [one["number"] for one in Part(2.5, 6.5).of(many)] == [1, 2, 3]


def test_a_long_recordings_chart_stays_small() -> None:
    scores = dict.fromkeys(EMOTION_FILLS, 1 / 7)
    many = [segment(n, scores) for n in range(3600)]
    waveform = {"step_s": 3.6, "peaks": [0.5] * 2000}
    chart = timeline(many, waveform, Part(0, 7200), 5, _COLORS["light"])
    assert len(chart.to_json()) < 1_500_000


def test_a_table_keeps_what_was_said_from_becoming_a_formula() -> None:
    one = segment(0, {"JOY": 1.0}, text="=1+1", speaker='Ann, "the" boss\n')
    [line] = csv.DictReader(io.StringIO(export.as_csv([one]).decode()))
    assert (line["text"], line["speaker"]) == ("'=1+1", 'Ann, "the" boss\n')
    [line] = csv.DictReader(io.StringIO(export.as_csv([failed(0)]).decode()))
    assert (line["error"], line["top_emotion"]) == ("the models were busy", "")


def test_subtitles_cannot_be_broken_by_what_was_said() -> None:
    one = segment(1801, {"JOY": 0.5}, text="a --> b\n\n<b>&", speaker="A>nn")
    assert export.as_vtt([one]).decode() == (
        "WEBVTT\n\n01:00:02.000 --> 01:00:03.000\n<v A&gt;nn>[Joy, 50%] a --&gt; b &lt;b&gt;&amp;\n"
    )
