"""Each change does to its input what its name says, and a starter is scored on all of them."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ
from evaluation import changed_speech, changed_text
from evaluation.changed_speech import Samples
from export.real_inputs import RECORDINGS
from export.starter import publish_starter
from tests.conftest import NEUROSENSE


@pytest.fixture(scope="module")
def clip() -> Samples:
    return decode(RECORDINGS[0].read_bytes())


def changed(clip: Samples, name: str) -> Samples:
    made = changed_speech.CHANGES[name](clip, np.random.default_rng(0))
    assert made.dtype == np.float32
    return made


def power_above(samples: Samples, hertz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    return float(spectrum[np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ) > hertz].sum())


@pytest.mark.parametrize(
    ("name", "decibels"),
    [("white noise, 20 dB SNR", 20), ("white noise, 10 dB SNR", 10), ("white noise, 0 dB SNR", 0)],
)
def test_noise_is_as_far_below_as_it_says(clip: Samples, name: str, decibels: float) -> None:
    noise = changed(clip, name) - clip
    assert 10 * np.log10(np.mean(clip**2) / np.mean(noise**2)) == pytest.approx(decibels, abs=0.1)


def test_clipping_levels_the_loudest_samples(clip: Samples) -> None:
    made = changed(clip, "the loudest 5 % clipped")
    assert np.mean(np.abs(made) == np.abs(made).max()) == pytest.approx(0.05, abs=0.002)
    assert np.abs(made).max() < np.abs(clip).max()


def test_a_telephone_keeps_nothing_above_4_khz(clip: Samples) -> None:
    made = changed(clip, "through 8 kHz")
    assert len(made) == pytest.approx(len(clip), abs=2)
    assert power_above(made, 4_100) < 1e-3 * power_above(clip, 4_100)


def test_mp3_keeps_the_voice_and_loses_something(clip: Samples) -> None:
    made = changed(clip, "MP3, 32 kbit/s")
    assert 0 <= len(made) - len(clip) < 0.2 * SAMPLE_RATE_HZ
    one, other = (np.abs(np.fft.rfft(samples, 2**18)) for samples in (made, clip))
    assert 0.9 < np.corrcoef(one, other)[0, 1] < 0.99999


def test_silence_comes_first_and_volume_is_volume(clip: Samples) -> None:
    np.testing.assert_array_equal(
        changed(clip, "after 2 s of silence"),
        np.concatenate([np.zeros(2 * SAMPLE_RATE_HZ, np.float32), clip]),
    )
    np.testing.assert_allclose(changed(clip, "100 times quieter") * 100, clip, rtol=1e-5)


def test_a_changed_recording_is_the_same_each_time(clip: Samples, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.wav", "b.wav")]
    for file in files:
        changed_speech.change(RECORDINGS[0], "white noise, 0 dB SNR", file)
    assert files[0].read_bytes() == files[1].read_bytes()
    samples, rate = soundfile.read(files[0], dtype="float32")
    assert rate == SAMPLE_RATE_HZ
    assert not np.array_equal(samples, clip)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("ALL CAPITALS", "WHY DON'T YOU CALL ME TOMORROW?"),
        ("no capitals", "why don't you call me tomorrow?"),
        ("no punctuation", "Why dont you call me tomorrow"),
    ],
)
def test_sentences_change_as_it_says(name: str, made: str) -> None:
    assert changed_text.change("Why don't you call me tomorrow?", name) == made


def test_typos_swap_letters_inside_words() -> None:
    text = "Nobody understands wonderful mathematics"
    made = changed_text.change(text, "typos")
    assert made != text
    assert changed_text.change(text, "typos") == made
    for word, other in zip(text.split(), made.split(), strict=True):
        assert (word[0], sorted(word), word[-1]) == (other[0], sorted(other), other[-1])
    assert changed_text.change("No, I am ok!", "typos") == "No, I am ok!"


def test_an_emoji_stands_behind() -> None:
    made = changed_text.change("Fine.", "a random emoji at the end")
    assert made.startswith("Fine. ")
    assert not made[6:].isascii()


def test_no_punctuation_leaves_a_sentence_that_is_nothing_else() -> None:
    assert changed_text.change("!!!", "no punctuation") == "!!!"


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("I don't mind", True),
        ("Not now.", True),
        ("I know nothing", True),
        ("A knot, noted", False),
    ],
)
def test_negations_are_found(text: str, negated: bool) -> None:
    assert bool(changed_text.NEGATION.search(text)) == negated


def test_a_starter_is_scored_on_every_change(tmp_path: Path) -> None:
    publish_starter("audio", tmp_path / "models")
    rows = [f"{file},{e}\n" for file, e in zip(RECORDINGS, ("joy", "anger"), strict=False)]
    (tmp_path / "rows.csv").write_text("audio,label\n" + "".join(rows))
    options: list[str | Path] = [
        "--onnx",
        "--repository",
        tmp_path / "models",
        "--out",
        tmp_path / "out",
    ]
    command = [NEUROSENSE, "evaluate", tmp_path / "rows.csv", "--changed", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    changed = json.loads((tmp_path / "out" / "report.json").read_text())["changed"]
    assert set(changed) == {"audio"}
    assert list(changed["audio"]) == ["unchanged", *changed_speech.CHANGES]
    assert {one["rows"] for one in changed["audio"].values()} == {2}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Changed recordings" in page
    assert re.search(r"<td>unchanged</td><td>2</td>.*<td>\+0.000</td>", page)
