"""Recordings that a test uploads."""

import math
import struct
import wave
from pathlib import Path

SAMPLE_RATE_HZ = 16_000


def write_tone(path: Path, seconds: float = 1.5) -> Path:
    """Write a 220 Hz tone as 16-bit mono WAV and return its path."""
    samples = (
        int(9000 * math.sin(2 * math.pi * 220 * i / SAMPLE_RATE_HZ))
        for i in range(int(seconds * SAMPLE_RATE_HZ))
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path
