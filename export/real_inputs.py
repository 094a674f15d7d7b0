"""Sentences and speech that come with the project: what int8 is calibrated and judged on."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ

_FOLDER = Path(__file__).with_name("samples")
RECORDINGS = sorted((_FOLDER / "recordings").glob("*.flac"))
_CALIBRATION_CUTS = 40
_JUDGED_CUTS = 100
_LEVELS = (1.0, 0.3, 0.05)
_SECONDS = (0.5, 4.0)


def sentences() -> tuple[list[str], list[str]]:
    """Return texts to calibrate with, and others to judge by: sentences, halves, pairs."""
    lines = (_FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()
    return _texts(lines[::2]), _texts(lines[1::2])


def _texts(lines: list[str]) -> list[str]:
    halves = [" ".join(line.split()[: len(line.split()) // 2 + 1]) for line in lines]
    return lines + halves + [" ".join(pair) for pair in pairwise(lines)]


def clips() -> tuple[list[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]:
    """Return clips [n] at 16 kHz to calibrate with, and others to judge by.

    Cuts of different recordings, some of them whispered.
    """
    recordings = [decode(path.read_bytes()) for path in RECORDINGS]
    first, rest = np.concatenate(recordings[::2]), np.concatenate(recordings[1::2])
    return _cuts(first, _CALIBRATION_CUTS), _cuts(rest, _JUDGED_CUTS)


def _cuts(reading: npt.NDArray[np.float32], count: int) -> list[npt.NDArray[np.float32]]:
    """Return pieces of all lengths from anywhere; always the same ones."""
    random = np.random.default_rng(0)
    pieces = []
    for number in range(count):
        length = int(random.uniform(*_SECONDS) * SAMPLE_RATE_HZ)
        start = int(random.integers(0, len(reading) - length))
        level = np.float32(_LEVELS[number % len(_LEVELS)])
        pieces.append(level * reading[start : start + length])
    return pieces
