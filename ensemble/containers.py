"""Opens an encoded recording and reads it block by block.

libsndfile (`soundfile`) reads WAV, FLAC, OGG and MP3; FFmpeg (`av`) reads what it can't
(M4A/AAC, WebM …).
"""

import contextlib
import io
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import av
import av.error
import numpy as np
import numpy.typing as npt
import soundfile

from ensemble.errors import InputError

_BLOCK_SECONDS = 10.0  # shorter ones cost: libsndfile seeks after each
# Playlists (HLS, concat) are files that name other files or addresses: never opened.
_FFMPEG_OPTIONS = {
    "format_whitelist": "mov,mp4,m4a,3gp,matroska,webm,aac,amr,ogg,mp3,asf,aiff,caf,flac,wav"
}
_UNREADABLE = "the recording cannot be read; send WAV, FLAC, OGG, Opus, MP3, M4A or WebM"


@dataclass(frozen=True)
class Recording:
    """An open recording; `blocks` yields float32 [frames, channels] as it is decoded."""

    rate_hz: int
    channels: int
    blocks: Iterator[npt.NDArray[np.float32]]


def open_recording(encoded: bytes) -> contextlib.AbstractContextManager[Recording]:
    """Open a recording in memory; errors as `open_file`."""
    return open_file(io.BytesIO(encoded))


@contextlib.contextmanager
def open_file(encoded: BinaryIO) -> Iterator[Recording]:
    """Open a recording; InputError audio_undecodable, there or while its blocks are read."""
    missing = _missing_of_riff(encoded)
    try:
        file = soundfile.SoundFile(encoded)
    except soundfile.LibsndfileError:
        encoded.seek(0)
        with _open_with_ffmpeg(encoded) as recording:
            yield recording
        return
    try:
        with file:
            if missing:
                raise InputError("audio_undecodable", missing)
            yield Recording(file.samplerate, file.channels, _soundfile_blocks(file))
    except soundfile.LibsndfileError:
        raise InputError("audio_undecodable", "the recording is damaged or cut off") from None


def _missing_of_riff(encoded: BinaryIO) -> str:
    """Say what is missing of a WAV with less data than it announces, "" for nothing.

    libsndfile would read what is there.
    """
    size = encoded.seek(0, io.SEEK_END)
    encoded.seek(0)
    head = encoded.read(8)
    encoded.seek(0)
    announced = int.from_bytes(head[4:], "little") + 8
    # A recorder that writes to a pipe leaves a size of 0 or near the largest number.
    if head[:4] == b"RIFF" and size < announced < 2**31 - 2**12:
        return f"the WAV file is cut off: {size} of {announced} bytes arrived"
    return ""


def _soundfile_blocks(file: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    frames = max(1, int(file.samplerate * _BLOCK_SECONDS))
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        yield block


@contextlib.contextmanager
def _open_with_ffmpeg(encoded: BinaryIO) -> Iterator[Recording]:
    try:
        with av.open(encoded, options=_FFMPEG_OPTIONS, metadata_errors="ignore") as box:
            if not box.streams.audio:
                raise InputError("audio_undecodable", "the file holds no audio")
            frames = box.decode(box.streams.audio[0])
            if (first := next(frames, None)) is None:
                raise InputError("audio_undecodable", "the file's audio track is empty")
            blocks = _ffmpeg_blocks(itertools.chain([first], frames))
            yield Recording(first.sample_rate, first.layout.nb_channels, blocks)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("audio_undecodable", _UNREADABLE) from None


def _ffmpeg_blocks(frames: Iterable[av.AudioFrame]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield [frames, channels], whatever sample format the codec has."""
    # Packed: of eight planes PyAV 18 reads a ninth, which is not there.
    to_packed_float = av.AudioResampler(format="flt")
    for frame in itertools.chain(frames, [None]):
        for converted in to_packed_float.resample(frame):
            yield converted.to_ndarray().reshape(-1, converted.layout.nb_channels)
