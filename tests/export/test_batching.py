"""A row's answer does not depend on its neighbours: checked here without the export's own gate."""

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from tests.export.exported import Exported

# The order in which the answers of this checkpoint go into the seven: neu, hap, ang, sad.
PLACES = [4, 3, 0, 5]
LENGTHS = [32_000, 700, 16_001, 5_000, 1_600, 9_999]


def clips() -> list[npt.NDArray[np.float32]]:
    random = np.random.default_rng(7)
    return [(0.2 * random.standard_normal(n)).astype(np.float32) for n in LENGTHS]


def ask(
    session: onnxruntime.InferenceSession,
    flat: npt.NDArray[np.float32],
    lengths: list[int],
    strides: list[int],
) -> npt.NDArray[np.float32]:
    inputs = {
        "samples": flat,
        "length": np.array(lengths, dtype=np.int32)[:, None],
        "samples_stride": np.array(strides, dtype=np.int32)[:, None],
    }
    answer: npt.NDArray[np.float32] = session.run(["probabilities"], inputs)[0]
    return answer


def test_answers_are_the_checkpoints_own(exported_audio: Exported) -> None:
    folder, session = exported_audio.folder, exported_audio.session
    model = AutoModelForAudioClassification.from_pretrained(folder).eval()
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    batch = ask(session, np.concatenate(clips()), LENGTHS, LENGTHS)
    for clip, answer in zip(clips(), batch, strict=True):
        with torch.no_grad():
            inputs = extractor(clip, sampling_rate=16_000, return_tensors="pt")
            expected = torch.softmax(model(**inputs).logits[0], dim=-1).numpy()
        np.testing.assert_allclose(answer[PLACES], expected, atol=1e-5)


def test_neighbours_change_nothing(exported_audio: Exported) -> None:
    session = exported_audio.session
    alone = [ask(session, clip, [len(clip)], [len(clip)])[0] for clip in clips()]
    np.testing.assert_allclose(
        ask(session, np.concatenate(clips()), LENGTHS, LENGTHS), alone, atol=1e-6
    )
    loud = [np.concatenate([clip, np.full(777, 0.9, np.float32)]) for clip in clips()]
    wide = ask(session, np.concatenate(loud), LENGTHS, [n + 777 for n in LENGTHS])
    np.testing.assert_allclose(wide, alone, atol=1e-6)


def test_silence_has_an_answer(exported_audio: Exported) -> None:
    session = exported_audio.session
    for level in (0.0, 0.5, -1.0):
        answer = ask(session, np.full(8_000, level, np.float32), [8_000], [8_000])
        assert np.isfinite(answer).all()
        assert answer.sum() == pytest.approx(1, abs=1e-5)


def test_a_row_that_is_wrong_harms_no_other(exported_audio: Exported) -> None:
    session = exported_audio.session
    clip = clips()[3]
    expected = ask(session, clip, [len(clip)], [len(clip)])[0]
    # One sample, no length, and a length beyond the row's own end.
    flat = np.concatenate([np.ones(1, np.float32), clip, np.ones(900, np.float32), clip[:600]])
    answers = ask(session, flat, [1, len(clip), 0, 60_000], [1, len(clip), 900, 600])
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers[1], expected, atol=1e-6)
