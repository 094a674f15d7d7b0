"""What is sent: ordinary English sentences and spoken-length clips, as perf_analyzer's JSON."""

import base64
import io
import json
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import soundfile

from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ
from ensemble.errors import InputError
from export.real_inputs import RECORDINGS

SENTENCES = Path(__file__).with_name("sentences.txt")
_CLIPS = 16
_SECONDS = (1.0, 12.0)


@dataclass(frozen=True)
class Clip:
    """An encoded recording and how long it is."""

    encoded: bytes
    seconds: float


def read_sentences() -> list[str]:
    """Return the sentences, 3 to 60 words each."""
    return SENTENCES.read_text().splitlines()


def cut_clips(
    seed: int = 0, count: int = _CLIPS, seconds: tuple[float, float] = _SECONDS
) -> list[Clip]:
    """Return clips of 1 to 12 s of a person reading, always the same ones for a seed.

    The shipped sentences are put one after another, over and over, and cut anywhere.
    """
    reading = _reading()
    lengths_s = np.linspace(*seconds, count).tolist()
    chance = random.Random(seed)
    chance.shuffle(lengths_s)
    return [_cut(reading, chance.randrange(len(reading)), length_s) for length_s in lengths_s]


def equal_clips(seconds: float, count: int) -> list[Clip]:
    """Return clips that all have the same length, from different places of the reading."""
    reading = _reading()
    starts = [number * len(reading) // count for number in range(count)]
    return [_cut(reading, start, seconds) for start in starts]


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


def _reading() -> npt.NDArray[np.float32]:
    return np.concatenate([decode(path.read_bytes()) for path in RECORDINGS])


def _decodable(path: Path) -> Clip | None:
    encoded = path.read_bytes()
    try:
        return Clip(encoded, len(decode(encoded)) / SAMPLE_RATE_HZ)
    except InputError:
        return None


def _cut(reading: npt.NDArray[np.float32], start: int, seconds: float) -> Clip:
    """Return a 16-bit WAV of so many seconds from `start` on, going round at the end."""
    samples = np.resize(np.roll(reading, -start), round(seconds * SAMPLE_RATE_HZ))
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return Clip(file.getvalue(), seconds)


def described(sentences: Sequence[str], clips: Sequence[Clip]) -> dict[str, str]:
    """Say what is sent, for the report."""
    words = sorted(len(sentence.split()) for sentence in sentences)
    seconds = sorted(clip.seconds for clip in clips)
    return {
        "sentences": f"{len(words)} of {words[0]} to {words[-1]} words, median {median(words):g}",
        "clips": f"{len(seconds)} of {seconds[0]:.1f} to {seconds[-1]:.1f} s, "
        f"median {median(seconds):.1f} s",
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
