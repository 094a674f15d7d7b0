"""What is sent: ordinary English sentences and spoken-length clips, as perf_analyzer's JSON."""

import base64
import io
import json
import random
import struct
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from ensemble.audio import SAMPLE_RATE_HZ, decode
from ensemble.errors import InputError

SENTENCES = Path(__file__).with_name("sentences.txt")
_CLIPS = 16
_SECONDS = (1.0, 12.0)
_FRAME_S = 0.01
_VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))


@dataclass(frozen=True)
class Clip:
    """An encoded recording and how long it is."""

    encoded: bytes
    seconds: float
    synthesized: bool = False


def read_sentences() -> list[str]:
    """Return the sentences, 3 to 60 words each."""
    return SENTENCES.read_text().splitlines()


def synthesize_clips(seed: int = 0) -> list[Clip]:
    """Return clips of 1 to 12 s of voiced sound, always the same ones for a seed."""
    lengths_s = np.linspace(*_SECONDS, _CLIPS).tolist()
    random.Random(seed).shuffle(lengths_s)
    return [_voiced_clip(seconds, seed + number) for number, seconds in enumerate(lengths_s)]


def read_clips(folder: Path) -> list[Clip]:
    """Return every recording below `folder` that the audio step takes.

    Raises:
        ValueError: there is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    clips = [clip for path in files if (clip := _decodable(path)) is not None]
    if not clips:
        raise ValueError(f"no recording of up to 30 s was found in {folder}")
    return clips


def _decodable(path: Path) -> Clip | None:
    encoded = path.read_bytes()
    try:
        return Clip(encoded, len(decode(encoded)) / SAMPLE_RATE_HZ)
    except InputError:
        return None


def _voiced_clip(seconds: float, seed: int) -> Clip:
    """Return harmonics of a wandering pitch, shaped by one vowel after another."""
    rng = np.random.default_rng(seed)
    frame_s = np.arange(int(np.ceil(seconds / _FRAME_S))) * _FRAME_S
    wander = np.sin(2 * np.pi * rng.uniform(0.3, 1) * frame_s)
    pitch_hz = rng.uniform(90, 220) * (1 + 0.15 * wander)  # [frames]
    formants_hz = np.array(_VOWELS_HZ)[(frame_s * 3).astype(int) % len(_VOWELS_HZ)]  # [frames, 3]
    samples = int(_FRAME_S * SAMPLE_RATE_HZ)
    phase = 2 * np.pi * np.cumsum(np.repeat(pitch_hz, samples)) / SAMPLE_RATE_HZ
    voice = rng.normal(0, 0.01, len(phase))
    for harmonic in range(1, 30):
        distance_hz = harmonic * pitch_hz[:, None] - formants_hz
        loudness = np.exp(-((distance_hz / 120) ** 2)).sum(axis=1)
        voice += np.sin(harmonic * phase) * np.repeat(loudness, samples)
    voice = voice[: round(seconds * SAMPLE_RATE_HZ)]
    return Clip(_wav(0.5 * voice / np.abs(voice).max()), seconds, synthesized=True)


def _wav(samples: npt.NDArray[np.float64]) -> bytes:
    """Return samples [n] from −1 to 1 as 16-bit mono WAV."""
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return output.getvalue()


def described(sentences: Sequence[str], clips: Sequence[Clip]) -> dict[str, str]:
    """Say what is sent, for the report."""
    words = sorted(len(sentence.split()) for sentence in sentences)
    seconds = sorted(clip.seconds for clip in clips)
    made = any(clip.synthesized for clip in clips)
    kind = (
        "synthesized voiced sound: cost depends on length, not on words" if made else "recordings"
    )
    return {
        "sentences": f"{len(words)} of {words[0]} to {words[-1]} words, median {median(words):g}",
        "clips": f"{len(seconds)} of {seconds[0]:.1f} to {seconds[-1]:.1f} s, "
        f"median {median(seconds):.1f} s ({kind})",
    }


def write_input_data(
    path: Path, model: str, sentences: Sequence[str], clips: Sequence[Clip]
) -> None:
    """Write the requests that perf_analyzer cycles through for one ensemble."""
    texts = [{"TEXT": _bytes_tensor(sentence.encode())} for sentence in sentences]
    audios = [{"AUDIO": _bytes_tensor(clip.encoded)} for clip in clips]
    if model == "emotion_text":
        requests = texts
    elif model == "emotion_audio":
        requests = audios
    else:
        count = max(len(texts), len(audios))
        pairs = zip(cycle(texts), cycle(audios), strict=False)
        requests = [text | audio for (text, audio), _ in zip(pairs, range(count), strict=False)]
    path.write_text(json.dumps({"data": requests}))


def _bytes_tensor(content: bytes) -> dict[str, object]:
    # Base64 content is taken as Triton's own encoding of BYTES: the length, then the bytes.
    encoded = base64.b64encode(struct.pack("<I", len(content)) + content).decode()
    return {"content": {"b64": encoded}, "shape": [1]}
