"""The sentences beside the charts."""

import pytest

from ui import words


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0%"), (0.0001, "<1%"), (0.0099, "<1%"), (0.874, "87%"), (1.0, "100%")],
)
def test_a_share_is_a_whole_percentage(share: float, said: str) -> None:
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"JOY": 0.9, "FEAR": 0.1}, "far ahead of fear (10%)"),
        ({"FEAR": 0.4, "JOY": 0.6}, "ahead of fear (40%)"),
        ({"JOY": 0.36, "FEAR": 0.34, "ANGER": 0.3}, "only just ahead of fear (34%)"),
        ({"JOY": 1.0}, "the only emotion"),
    ],
)
def test_the_lead_over_the_second_emotion_is_said(scores: dict[str, float], said: str) -> None:
    assert words.lead(scores).startswith(said)


@pytest.mark.parametrize(
    ("failed", "said"),
    [("audio", "rests on the words alone"), ("text", "rests on the voice alone")],
)
def test_what_was_left_out_and_what_remains_is_said(failed: str, said: str) -> None:
    failure = {"modality": failed, "code": "x", "reason": "it is damaged."}
    assert "it is damaged. The result" in words.degraded(failure)
    assert said in words.degraded(failure)


def test_starter_weights_are_announced_by_branch() -> None:
    assert words.starter_notice({"text": "hub", "audio": "local"}) is None
    assert words.starter_notice({"text": "hub", "audio": None}) is None
    only_audio = words.starter_notice({"text": "hub", "audio": "starter"})
    assert only_audio
    assert "for the voice." in only_audio
    both = words.starter_notice({"text": "starter", "audio": "starter"})
    assert both
    assert "for the words and the voice." in both


def test_an_answer_is_marked_where_starter_weights_gave_it() -> None:
    both = words.starter_mark({"text": "starter", "audio": "starter"})
    assert both == "Starter weights judged the words and the voice"
    assert words.starter_mark({"text": "hub", "audio": "starter"}) == (
        "Starter weights judged the voice"
    )
    assert words.starter_mark({"text": "hub", "audio": "local"}) is None


def test_a_branch_that_is_away_is_announced() -> None:
    assert words.outage_notice({"text": "hub", "audio": "starter"}) is None
    notice = words.outage_notice({"text": "hub", "audio": None})
    assert notice
    assert "The voice can't be judged" in notice
