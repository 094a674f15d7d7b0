import numpy as np
import numpy.typing as npt
import pytest

from ensemble.errors import InputError
from ensemble.fusion import Fusion
from ensemble.labels import EMOTIONS

Floats = npt.NDArray[np.float32]

TEXT = np.array([[0.05, 0.05, 0.1, 0.5, 0.1, 0.1, 0.1]], dtype=np.float32)
AUDIO = np.array([[0.7, 0, 0, 0.1, 0.1, 0.1, 0]], dtype=np.float32)
ALL = np.ones((1, 7), dtype=np.float32)
FOUR = np.array([[1, 0, 0, 1, 1, 1, 0]], dtype=np.float32)


def both(
    weight: float | None = None, text: Floats = TEXT, audio: Floats = AUDIO
) -> dict[str, Floats]:
    inputs = {
        "text_probabilities": text,
        "audio_probabilities": audio,
        "text_coverage": ALL,
        "audio_coverage": FOUR,
    }
    if weight is not None:
        inputs["TEXT_WEIGHT"] = np.array([[weight]], dtype=np.float32)
    return inputs


@pytest.mark.parametrize("weight", [None, 0.0, 0.3, 0.55, 1.0])
def test_weighted_is_the_weighted_mean(weight: float | None) -> None:
    w = 0.55 if weight is None else weight
    expected = w * TEXT.astype(np.float64) + (1 - w) * AUDIO.astype(np.float64)
    np.testing.assert_allclose(Fusion("weighted")(both(weight)), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("weight", [-0.01, 1.5, 2.0, float("nan"), float("inf")])
def test_a_weight_outside_0_to_1_is_refused(weight: float) -> None:
    with pytest.raises(InputError, match="TEXT_WEIGHT") as caught:
        Fusion("weighted")(both(weight))
    assert caught.value.code == "text_weight_invalid"


def test_each_row_of_a_batch_has_its_own_weight() -> None:
    inputs = {name: np.repeat(array, 2, axis=0) for name, array in both().items()}
    inputs["TEXT_WEIGHT"] = np.array([[1.0], [0.0]], dtype=np.float32)
    fused = Fusion("weighted")(inputs)
    np.testing.assert_array_equal(fused, np.vstack([TEXT, AUDIO]))


@pytest.mark.parametrize("strategy", ["weighted", "coverage"])
def test_one_branch_alone_is_the_answer(strategy: str) -> None:
    np.testing.assert_array_equal(Fusion(strategy)({"text_probabilities": TEXT}), TEXT)
    np.testing.assert_array_equal(Fusion(strategy)({"audio_probabilities": AUDIO}), AUDIO)


def test_coverage_does_not_count_a_missing_output_as_evidence_against() -> None:
    surprise = EMOTIONS.index("surprise")
    text = np.full((1, 7), 0.075, dtype=np.float32)
    text[0, surprise] = 0.55
    plain = Fusion("weighted")(both(text=text))
    aware = Fusion("coverage")(both(text=text))
    assert plain.argmax() != surprise
    assert aware.argmax() == surprise
    assert aware.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_coverage_at_the_ends_is_one_branch(weight: float) -> None:
    np.testing.assert_allclose(
        Fusion("coverage")(both(weight)), TEXT if weight else AUDIO, atol=1e-6
    )


def test_nothing_to_fuse_is_an_input_error() -> None:
    with pytest.raises(InputError, match="neither"):
        Fusion("weighted")({})


def test_unknown_strategy_is_named() -> None:
    with pytest.raises(ValueError, match="'mean'"):
        Fusion("mean")
