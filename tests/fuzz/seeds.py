"""Small real files of every format, texts and bodies that the fuzzer starts from."""

import json

from export.real_inputs import sentences
from tests.recordings import av_encoded, encoded, speech

_RATE_HZ = 16_000
_SUBTYPES = {
    "WAV": ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "GSM610",
            "IMA_ADPCM", "MS_ADPCM"],
    "WAVEX": ["PCM_16"], "RF64": ["PCM_16"], "W64": ["PCM_16"], "AIFF": ["PCM_16", "ULAW"],
    "AU": ["PCM_16"], "CAF": ["PCM_16", "ALAC_16"], "FLAC": ["PCM_16", "PCM_24"],
    "OGG": ["VORBIS", "OPUS"], "MP3": ["MPEG_LAYER_III"],
}  # fmt: skip
_CONTAINERS = [
    ("mp4", "aac"), ("ipod", "alac"), ("adts", "aac"), ("webm", "libopus"), ("matroska", "aac"),
    ("mov", "pcm_s16le"),
]  # fmt: skip

NASTY_TEXTS = (
    "", " ", "\0", "\ufeff", "\u202e" * 50, "\u0301" * 500, "👨‍👩‍👧‍👦" * 20, "\U0010ffff", "ﷺ" * 99,
    "İstanbul", "ẞ", "\u200b\u200d", "a" * 5000, "\r\n" * 300, "ก็็็็็็็็็็", "[CLS] </s> <mask>",
)  # fmt: skip
BOUNDARY = "b"


def recordings() -> dict[str, bytes]:
    """Return a third of a second of speech in every format, by name."""
    clip = speech()[8_000:13_333]
    made = {
        f"{container} {subtype}": encoded(clip, _RATE_HZ, container, subtype)
        for container, subtypes in _SUBTYPES.items()
        for subtype in subtypes
    }
    return made | {
        f"{container} {codec}": av_encoded(clip, 48_000 if "opus" in codec else _RATE_HZ,
                                           container, codec)
        for container, codec in _CONTAINERS
    }  # fmt: skip


def texts() -> list[bytes]:
    """Return sentences and Unicode that has broken programs before."""
    return [text.encode() for text in (*sentences()[0][:40], *NASTY_TEXTS)]


def bodies() -> dict[str, list[bytes]]:
    """Return request bodies by content type."""
    multipart = (
        b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nI love it\r\n'
        b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\nRIFF\0\r\n--\xff\r\n"
        b'--b\r\nContent-Disposition: form-data; name="text_weight"\r\n\r\n0.5\r\n--b--\r\n'
    )
    deep = b'{"text": ' + b"[" * 300 + b"]" * 300 + b"}"
    return {
        f"multipart/form-data; boundary={BOUNDARY}": [multipart],
        "application/x-www-form-urlencoded": [b"text=I+love%20it&text_weight=0.5&x=%FF"],
        "application/json": [json.dumps({"text": t}).encode() for t in NASTY_TEXTS] + [deep],
    }
