"""Recordings whose headers lie, or that unpack to far more than they are."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ensemble.clips import Limits
from ensemble.decoding import DecodingProcess, ProcessLimits
from ensemble.errors import InputError
from tests.recordings import av_encoded, encoded, voice, wav

MIB = 2**20
MAX_PEAK_BYTES = 300 * MIB


@pytest.fixture(scope="module")
def process() -> Iterator[DecodingProcess]:
    with DecodingProcess(Limits(), ProcessLimits()) as running:
        yield running


def patched(data: bytes, offset: int, number: int, width: int, order: str = "<") -> bytes:
    changed = bytearray(data)
    changed[offset : offset + width] = struct.pack(order + {2: "H", 4: "I", 8: "Q"}[width], number)
    return bytes(changed)


def flac_with(shift: int, bits: int, number: int) -> bytes:
    """Return a FLAC with `number` in a field of STREAMINFO, `bits` wide, `shift` from its end."""
    data = bytearray(encoded(voice(1.0), 16_000, "FLAC"))
    packed = int.from_bytes(data[18:26], "big")  # rate 20, channels 3, width 5, samples 36
    packed = packed & ~((2**bits - 1) << shift) | number << shift
    data[18:26] = packed.to_bytes(8, "big")
    return bytes(data)


def flac_with_cover(size: int) -> bytes:
    """Return a FLAC with a picture block of `size` bytes in front of its sound."""
    data = encoded(voice(1.0), 16_000, "FLAC")
    return data[:42] + b"\x06" + size.to_bytes(3, "big") + bytes(size) + data[42:]


def mp3_with_tag(size: int) -> bytes:
    """Return an MP3 behind an ID3 tag of `size` zeros."""
    synchsafe = bytes((size >> shift) & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + synchsafe + bytes(size) + encoded(voice(1.0), 16_000, "MP3")


def m4a_atom(name: bytes, offset: int, number: int) -> bytes:
    """Return an M4A with a number in one of its tables changed."""
    data = av_encoded(voice(1.0), 16_000, "mp4", "aac")
    return patched(data, data.index(name) + 4 + offset, number, 4, ">")


def deep_mp4(depth: int) -> bytes:
    """Return boxes in boxes."""
    data = b""
    for _ in range(depth):
        data = struct.pack(">I", len(data) + 8) + b"moov" + data
    return b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + data


WAV = wav(1.0)
HUGE = 2**31 - 1
LIES = {
    "wav: 65535 channels": lambda: patched(WAV, 22, 65535, 2),
    "wav: no channels": lambda: patched(WAV, 22, 0, 2),
    "wav: 0 Hz": lambda: patched(WAV, 24, 0, 4),
    "wav: 1 Hz": lambda: patched(WAV, 24, 1, 4),
    "wav: 4 GHz": lambda: patched(WAV, 24, 2**32 - 1, 4),
    "wav: huge fmt chunk": lambda: patched(WAV, 16, 2**32 - 1, 4),
    "wav: huge data chunk": lambda: patched(patched(WAV, 40, HUGE, 4), 4, HUGE, 4),
    "wav: RF64 sizes": lambda: b"RF64" + patched(WAV, 40, 2**32 - 1, 4)[4:],
    "wav: thousands of chunks": lambda: WAV[:36] + b"junk\0\0\0\0" * 100_000 + WAV[36:],
    "flac: 2^36 samples": lambda: flac_with(0, 36, 2**36 - 1),
    "flac: no rate": lambda: flac_with(44, 20, 0),
    "flac: huge rate": lambda: flac_with(44, 20, 2**20 - 1),
    "flac: other channels": lambda: flac_with(41, 3, 7),
    "flac: huge cover": lambda: flac_with_cover(12 * MIB),
    "mp3: huge tag": lambda: mp3_with_tag(20 * MIB),
    "mp3: only a tag": lambda: mp3_with_tag(20 * MIB)[: 20 * MIB],
    "ogg: endless chain": lambda: encoded(voice(0.1), 16_000, "OGG", "VORBIS") * 2000,
    "opus: endless chain": lambda: encoded(voice(0.1), 16_000, "OGG", "OPUS") * 2000,
    "mp3: hours": lambda: encoded(np.zeros(60 * 16_000, np.float32), 16_000, "MP3") * 40,
    "m4a: 2^31 samples in stsz": lambda: m4a_atom(b"stsz", 8, HUGE),
    "m4a: 2^31 entries in stts": lambda: m4a_atom(b"stts", 4, HUGE),
    "m4a: samples that last for ever": lambda: m4a_atom(b"stts", 12, HUGE),
    "m4a: 2^31 chunks": lambda: m4a_atom(b"stco", 4, HUGE),
    "m4a: 2^31 runs": lambda: m4a_atom(b"stsc", 4, HUGE),
    "m4a: an edit list without end": lambda: m4a_atom(b"elst", 4, HUGE),
    "m4a: an edit far away": lambda: m4a_atom(b"elst", 12, HUGE),
    "mp4: boxes in boxes": lambda: deep_mp4(20_000),
    "webm: huge element": lambda: (
        b"\x1a\x45\xdf\xa3" + b"\x01\xff\xff\xff\xff\xff\xff\xfe" + bytes(5000)
    ),
    "webm: elements in elements": lambda: (
        b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 100_000
    ),
    "aiff: 2^32 frames": lambda: patched(
        encoded(voice(1.0), 16_000, "AIFF"), 22, 2**32 - 1, 4, ">"
    ),
    "playlist": lambda: b"#EXTM3U\n" + b"file:///etc/passwd\n" * 100_000,
    "concat": lambda: b"ffconcat version 1.0\n" + b"file 'a.wav'\n" * 100_000,
    "zip": lambda: b"PK\x03\x04" + bytes(MIB),
    "25 MiB of zeros": lambda: bytes(25 * MIB),
    "25 MiB of 0xff": lambda: b"\xff" * (25 * MIB),
    "25 MiB of MP3 sync words": lambda: b"\xff\xfb\x90\x64" * (25 * MIB // 4),
}


def peak_bytes(process: DecodingProcess) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_recording_costs_little(process: DecodingProcess, lie: str) -> None:
    pid, recording = process.pid, LIES[lie]()
    started_s = time.monotonic()
    outcome = "samples"
    try:
        samples = process.decode(recording)
        assert np.isfinite(samples).all()
        assert len(samples) <= 30 * 16_000 + 1
    except InputError as error:
        outcome = error.code
    assert outcome in ("samples", "audio_undecodable", "audio_too_long", "audio_too_many_channels")
    assert time.monotonic() - started_s < 30
    assert process.pid == pid, "it died"
    assert peak_bytes(process) < MAX_PEAK_BYTES
    assert len(process.decode(WAV)) == 16_000
