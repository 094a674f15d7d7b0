import random

import pytest

from api.errors import MalformedBodyError
from api.fields import FormField, FormLimits
from api.forms import parse_form

MULTIPART = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"
LIMITS = FormLimits({"text": 1000, "audio": 5000}, others_max_bytes=1000)
BODY = (
    b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nh\xc3\xa9\r\n'
    b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n\0\r\n--\xff\r\n--b--\r\n"
)


def test_multipart_keeps_the_bytes() -> None:
    assert parse_form(MULTIPART, BODY, LIMITS) == {
        "text": FormField("hé".encode()),
        "audio": FormField(b"\0\r\n--\xff", is_file=True),
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"text=a+b%20c%2B", b"a b c+"),
        (b"text=%FF%00\xfe", b"\xff\0\xfe"),
        (b"text=", b""),
        (b"text", b""),
        (b"a=1&text=x&&b=", b"x"),
        (b"text=first&text=last", b"last"),
        (b"te%78t=x", b"x"),
        (b"text=100%", b"100%"),
    ],
)
def test_urlencoded(body: bytes, text: bytes) -> None:
    assert parse_form(URLENCODED, body, LIMITS)["text"].value == text


@pytest.mark.parametrize("end", [0, 3, 20, 60, 80, 150, len(BODY) - 4, len(BODY) - 8])
def test_a_form_that_was_cut_short(end: int) -> None:
    with pytest.raises(MalformedBodyError):
        parse_form(MULTIPART, BODY[:end], LIMITS)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", BODY),
        ("multipart/form-data; boundary=" + "b" * 1000, BODY),
        ("multipart/form-data; boundary=other", BODY),
        (MULTIPART, b"--b\r\n\r\nno headers\r\n--b--\r\n"),
        (MULTIPART, b"--b\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--b--\r\n"),
        (MULTIPART, b"--b\r\nX: " + b"x" * 10_000 + b"\r\n\r\n\r\n--b--\r\n"),
        (URLENCODED, b"&".join(b"a=1" for _ in range(1000))),
    ],
)
def test_malformed(content_type: str, body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse_form(content_type, body, LIMITS)


def test_whatever_comes_is_parsed_or_malformed() -> None:
    rng = random.Random(7)
    parsed = 0
    for _ in range(2000):
        body = bytearray(BODY)
        for _ in range(rng.randint(1, 4)):
            body[rng.randrange(len(body))] = rng.choice(b'\0\r\n-b:;="%\xff')
        try:
            parsed += isinstance(parse_form(MULTIPART, bytes(body), LIMITS), dict)
        except MalformedBodyError:
            continue
    assert 0 < parsed < 2000
