import numpy as np
import pytest

from ensemble.labels import EMOTIONS, UnknownLabelError, canonical, coverage, projection

SUPERB = {0: "neu", 1: "hap", 2: "ang", 3: "sad"}


def test_short_forms_find_their_emotion_wherever_they_stand() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32) @ projection(SUPERB)
    expected = {"neutral": 0.1, "joy": 0.2, "anger": 0.3, "sadness": 0.4}
    for emotion, value in zip(EMOTIONS, probabilities, strict=True):
        assert value == pytest.approx(expected.get(emotion, 0.0))


def test_coverage_marks_what_the_checkpoint_has() -> None:
    assert dict(zip(EMOTIONS, coverage(SUPERB), strict=True)) == {
        "anger": 1, "disgust": 0, "fear": 0, "joy": 1, "neutral": 1, "sadness": 1, "surprise": 0,
    }  # fmt: skip


def test_two_labels_of_one_emotion_add_up() -> None:
    matrix = projection({0: "happy", 1: "joy"})
    assert matrix.sum(axis=0)[EMOTIONS.index("joy")] == 2


def test_unknown_label_is_named() -> None:
    with pytest.raises(UnknownLabelError, match=r"'LABEL_3'.*id2label"):
        canonical("LABEL_3")


def test_labels_must_be_numbered_from_zero() -> None:
    with pytest.raises(UnknownLabelError, match="from 0"):
        projection({1: "joy", 2: "anger"})
