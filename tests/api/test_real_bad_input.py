"""Bad input gets a clear 4xx from the whole system, and nothing else breaks."""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.real import NOT_AUDIO, ask, assert_prediction, assert_problem, long_zeros
from tests.recordings import av_encoded, encoded, voice, wav

NAN = np.full(16_000, np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("recording", "codes"),
    [
        pytest.param(lambda: b"", ["audio_empty"], id="empty"),
        pytest.param(lambda: encoded(NAN, 16_000, "WAV", "FLOAT"), ["audio_not_finite"], id="nan"),
        pytest.param(
            lambda: encoded(voice(0), 16_000, "WAV"), ["audio_too_short"], id="no-samples"
        ),
        pytest.param(lambda: NOT_AUDIO, ["audio_undecodable"], id="text-named-wav"),
        pytest.param(lambda: b"RIFF\xff\xff\xff\xffWAVE", ["audio_undecodable"], id="header-only"),
        pytest.param(
            lambda: av_encoded(voice(2), 16_000, "ipod", "aac")[:3000],
            ["audio_undecodable"],
            id="truncated-m4a",
        ),
        pytest.param(lambda: wav(2)[:30_000], ["audio_undecodable"], id="truncated-wav"),
        pytest.param(
            lambda: b"ID3\x04" + encoded(voice(1), 16_000, "FLAC")[200:],
            ["audio_undecodable"],
            id="mislabelled-garbage",
        ),
        pytest.param(long_zeros, ["audio_too_long"], id="bomb"),
        pytest.param(lambda: wav(31), ["audio_too_long"], id="too-long"),
        pytest.param(
            lambda: encoded(np.zeros((16_000, 9), np.float32), 16_000, "WAV"),
            ["audio_too_many_channels"],
            id="nine-channels",
        ),
    ],
)
def test_bad_recordings(api: httpx.Client, recording: Any, codes: list[str]) -> None:
    files = {"audio": ("clip.wav", recording(), "audio/wav")}
    assert_problem(api.post("/analyze/audio", files=files), 422, *codes)
    assert ask(api, "still works", wav()).json()["modality"] == "multimodal_fused"


def test_a_flac_labelled_wav_is_read_for_what_it_is(api: httpx.Client) -> None:
    flac = encoded(voice(1), 16_000, "FLAC")
    answer = api.post("/analyze/audio", files={"audio": ("clip.wav", flac, "audio/wav")})
    assert_prediction(answer.json())


@pytest.mark.parametrize("weight", ["2", "-1", "nan", "inf", "much"])
def test_bad_weights(api: httpx.Client, weight: str) -> None:
    assert_problem(ask(api, "hm", wav(), text_weight=weight), 422, "text_weight_invalid")


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "code"),
    [
        ("text", b"text=%ff", "application/x-www-form-urlencoded", 422, "text_invalid"),
        ("text", b"text=+", "application/x-www-form-urlencoded", 422, "text_empty"),
        ("text", b'{"text": "\xff"}', "application/json", 400, "malformed_body"),
        ("text", b"hello", "text/plain", 415, "unsupported_media_type"),
        ("audio", b"RIFF", "audio/wav", 415, "unsupported_media_type"),
        ("multimodal", b"{}", "application/json", 415, "unsupported_media_type"),
        ("audio", b"--b", "multipart/form-data; boundary=b", 400, "malformed_body"),
    ],
)
def test_bad_bodies(
    api: httpx.Client, path: str, body: bytes, kind: str, status: int, code: str
) -> None:
    response = api.post(f"/analyze/{path}", content=body, headers={"Content-Type": kind})
    assert_problem(response, status, code)


@pytest.mark.parametrize("path", ["text", "audio", "multimodal"])
def test_100_mb(api: httpx.Client, path: str) -> None:
    pieces = (b"\0" * 10**6 for _ in range(100))
    kind = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(10**8)}
    response = api.post(f"/analyze/{path}", content=pieces, headers=kind)
    assert_problem(response, 413, "body_too_large")
