import io

import av
import numpy as np
import pytest

from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ, Limits, padded
from ensemble.errors import InputError
from tests.recordings import Samples, av_encoded, encoded, voice, wav

SECONDS = 1.5


def tone(rate_hz: int, channels: int = 1) -> Samples:
    """Return a 440 Hz tone at half scale, [n, channels]."""
    time_s = np.arange(int(SECONDS * rate_hz)) / rate_hz
    mono = (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    return np.repeat(mono[:, None], channels, axis=1)


def assert_is_the_tone(samples: Samples, seconds_tolerance: float) -> None:
    """Check rate, length, pitch and level: what resampling or mixing down could spoil."""
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(SECONDS, abs=seconds_tolerance)
    middle = samples[4000:20000] * np.hanning(16000)
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) == 440  # 16,000 samples make bins of 1 Hz
    assert np.sqrt(np.mean(samples[4000:20000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("file_format", "subtype", "rate_hz", "channels"),
    [
        ("WAV", "PCM_U8", 16000, 1),
        ("WAV", "PCM_16", 44100, 2),
        ("WAV", "PCM_24", 48000, 1),
        ("WAV", "PCM_32", 96000, 6),
        ("WAV", "FLOAT", 22050, 1),
        ("WAV", "DOUBLE", 16000, 2),
        ("WAV", "ULAW", 8000, 1),
        ("WAV", "ALAW", 8000, 1),
        ("WAV", "GSM610", 8000, 1),
        ("FLAC", "PCM_16", 11025, 2),
        ("FLAC", "PCM_24", 192000, 1),
        ("OGG", "VORBIS", 44100, 2),
        ("OGG", "OPUS", 48000, 1),
        ("MP3", "MPEG_LAYER_III", 44100, 2),
        ("AIFF", "PCM_16", 32000, 1),
    ],
)
def test_libsndfile_formats(file_format: str, subtype: str, rate_hz: int, channels: int) -> None:
    samples = decode(encoded(tone(rate_hz, channels), rate_hz, file_format, subtype))
    assert_is_the_tone(samples, seconds_tolerance=0.06)


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz"),
    [
        ("mp4", "aac", 44100),
        ("ipod", "aac", 8000),
        ("adts", "aac", 22050),
        ("webm", "libopus", 48000),
        ("matroska", "aac", 16000),
        ("mp4", "alac", 44100),
    ],
)
def test_ffmpeg_formats(container: str, codec: str, rate_hz: int) -> None:
    samples = decode(av_encoded(tone(rate_hz)[:, 0], rate_hz, container, codec))
    assert_is_the_tone(samples, seconds_tolerance=0.3)  # AAC at 8 kHz pads by frames of 128 ms


def test_eight_channels_by_ffmpeg() -> None:
    """Of which PyAV's planar arrays hold nine; reading the last one ended the process."""
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as output:
        stream = output.add_stream("pcm_s16le", rate=48_000, layout="7.1")
        packed = (tone(48_000, channels=8) * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="7.1")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    assert_is_the_tone(decode(file.getvalue()), seconds_tolerance=0.01)


def test_channels_are_averaged() -> None:
    stereo = np.stack([np.full(1600, 0.5), np.full(1600, -0.25)], axis=1).astype(np.float32)
    samples = decode(encoded(stereo, 16000, "WAV", "FLOAT"))
    np.testing.assert_allclose(samples, 0.125, atol=1e-6)


def test_resampling_leaves_nothing_above_the_new_limit() -> None:
    time_s = np.arange(48000) / 48000
    above = (0.5 * np.sin(2 * np.pi * 12_000 * time_s)).astype(np.float32)
    samples = decode(encoded(above, 48000, "WAV", "FLOAT"))
    assert np.abs(samples[1000:-1000]).max() < 1e-3  # a naive decimation would alias to 4 kHz


def bad(code: str, content: bytes, limits: Limits | None = None) -> None:
    with pytest.raises(InputError) as caught:
        decode(content, limits)
    assert caught.value.code == code


def test_limits_are_named() -> None:
    bad("audio_empty", b"")
    bad("audio_too_large", wav(), Limits(max_bytes=1000))
    bad("audio_too_long", wav(2.0), Limits(max_seconds=1.9))
    bad("audio_too_short", encoded(voice(0.02), 16000, "WAV"))
    bad("audio_too_short", encoded(np.zeros(0, np.float32), 16000, "WAV"))
    nine = np.zeros((1600, 9), np.float32)
    bad("audio_too_many_channels", encoded(nine, 16000, "WAV"))


def test_exactly_the_longest_clip_is_taken() -> None:
    assert len(decode(wav(2.0), Limits(max_seconds=2.0))) == 32000


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    samples = voice(1.0)
    samples[500] = value
    bad("audio_not_finite", encoded(samples, 16000, "WAV", "FLOAT"))


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text file that somebody named clip.wav.\n" * 50,
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x89PNG\r\n\x1a\n" + bytes(2000),
        bytes(5000),
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    ],
)
def test_what_is_no_recording_is_refused(content: bytes) -> None:
    bad("audio_undecodable", content)


def test_a_file_that_is_cut_off_is_refused() -> None:
    bad("audio_undecodable", wav()[:20_000])
    bad("audio_undecodable", encoded(voice(2.0), 16000, "FLAC")[:20_000])
    bad("audio_undecodable", av_encoded(voice(2.0), 16000, "mp4", "aac")[:5_000])


def test_a_wav_that_was_written_to_a_pipe_is_taken() -> None:
    streamed = bytearray(wav(1.0))
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    assert len(decode(bytes(streamed))) == 16000


def test_hours_in_a_small_file_are_refused_early() -> None:
    bomb = encoded(np.zeros(3 * 3600 * 8000, np.float32), 8000, "FLAC")
    assert len(bomb) < 500_000
    bad("audio_too_long", bomb)


def test_a_batch_is_padded_with_zeros() -> None:
    batch = padded([decode(wav(0.1)), decode(wav(0.2))])
    assert batch["length"].tolist() == [[1600], [3200]]
    assert batch["samples"].shape == (2, 3200)
    assert not batch["samples"][0, 1600:].any()
