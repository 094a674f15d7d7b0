"""What a clip is, and many of them in a batch.

Apart from `ensemble.audio`, whose libraries belong only into the process that decodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
MIN_SAMPLES = 400
"""25 ms at 16 kHz: the receptive field of the usual Wav2Vec2 convolutions."""


@dataclass(frozen=True)
class Limits:
    """What a recording may be; beyond it the answer is an InputError."""

    max_bytes: int = 25 * 2**20
    max_seconds: float = 30.0
    max_channels: int = 8

    @classmethod
    def from_strings(cls, values: Mapping[str, str]) -> "Limits":
        """Return the limits that a config.pbtxt's parameters spell."""
        return cls(
            max_bytes=int(values["max_bytes"]),
            max_seconds=float(values["max_seconds"]),
            max_channels=int(values["max_channels"]),
        )


def padded(decoded: Sequence[npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[Any]]:
    """Put the samples of several recordings, each [n], into one batch.

    Returns:
        `samples` float32 [B, longest], short rows filled up with zeros;
        `length` int32 [B, 1], the samples of each row.
    """
    lengths = np.array([len(row) for row in decoded], dtype=np.int32)
    samples = np.zeros((len(decoded), lengths.max()), dtype=np.float32)
    for filled, row in zip(samples, decoded, strict=True):
        filled[: len(row)] = row
    return {"samples": samples, "length": lengths[:, None]}
