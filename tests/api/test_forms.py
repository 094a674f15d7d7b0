import io
import random
import tracemalloc

import pytest

from api.errors import MalformedBodyError, TooLargeError
from api.fields import FormField, FormLimits
from api.form_reader import FormReader
from api.forms import ContentType, parse_form

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


PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, PART % b"x" * 1000),
        (MULTIPART, b"--b\r\n" + b"X: y\r\n" * 9 + b"\r\n--b--\r\n"),
        (MULTIPART, b"--b\r\n" + b"x" * 100_000),
        (MULTIPART, PART[:-4] % b"text" + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        (URLENCODED, b"x" * 1000),
        (URLENCODED, b"&".join(b"%d=" % n for n in range(100))),
    ],
)
def test_too_much_around_the_fields(content_type: str, body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse_form(content_type, body, LIMITS)


def write_on(reader: FormReader) -> None:
    for _ in range(10_000):
        reader.write(b"y" * 1000)


@pytest.mark.parametrize(
    ("content_type", "start", "code"),
    [
        (MULTIPART, PART % b"text", "text_too_large"),
        (MULTIPART, PART % b"text_weight", "field_too_large"),
        (MULTIPART, PART % b"audio", "audio_too_large"),
        (URLENCODED, b"text=", "text_too_large"),
        (URLENCODED, b"te%78t=", "text_too_large"),
        (URLENCODED, b"else=", "field_too_large"),
    ],
)
def test_a_field_ends_where_its_limit_does(content_type: str, start: bytes, code: str) -> None:
    """It needs no end of the field, and keeps no more of it than the limit."""
    kind = ContentType.parse(content_type)
    reader = FormReader(kind.media, kind.boundary, LIMITS)
    reader.write(start)
    tracemalloc.start()
    with pytest.raises(TooLargeError) as caught:
        write_on(reader)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == code
    assert peak_bytes < 100_000


def test_a_quoted_field_is_measured_without_its_quoting() -> None:
    assert len(parse_form(URLENCODED, b"text=" + b"%41" * 1000, LIMITS)["text"].value) == 1000
    with pytest.raises(TooLargeError):
        parse_form(URLENCODED, b"text=" + b"%41" * 1001, LIMITS)
    with pytest.raises(TooLargeError):
        parse_form(URLENCODED, b"text=" + b"y" * 1001, LIMITS)


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_pieces_of_any_size_make_the_same_form(size: int) -> None:
    kind = ContentType.parse(MULTIPART)
    reader = FormReader(kind.media, kind.boundary, LIMITS)
    for start in range(0, len(BODY), size):
        reader.write(BODY[start : start + size])
    assert dict(reader.end()) == parse_form(MULTIPART, BODY, LIMITS)


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


def test_a_field_may_go_to_a_file() -> None:
    file = io.BytesIO(b"what was there before")
    limits = FormLimits({"audio": 5000}, 1000, files={"audio": file})
    first = BODY.replace(b"--b--\r\n", b"") + BODY.replace(b"\xff", b"\xfe!")
    form = parse_form(MULTIPART, first, limits)
    assert form["audio"] == FormField(b"", is_file=True)
    assert form["text"].value == "hé".encode()
    assert file.getvalue() == b"\0\r\n--\xfe!"  # the last one, whole
    with pytest.raises(TooLargeError):
        parse_form(MULTIPART, PART % b"audio" + b"y" * 5001 + b"\r\n--b--\r\n", limits)
