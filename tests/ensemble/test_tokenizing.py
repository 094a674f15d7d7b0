from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from ensemble.errors import InputError
from ensemble.tokenizing import TextTokenizer

LIMIT = 8


@pytest.fixture
def tokenizer(tmp_path: Path) -> TextTokenizer:
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "<s>": 2, "</s>": 3, "glad": 4, "sad": 5}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    made.enable_truncation(LIMIT)
    made.enable_padding(pad_id=0)
    made.save(str(tmp_path / "tokenizer.json"))
    return TextTokenizer(tmp_path / "tokenizer.json")


def test_rows_are_padded_to_the_longest_and_lengths_are_true(tokenizer: TextTokenizer) -> None:
    encoded = tokenizer.encode([b"glad", b"sad sad glad"])
    assert encoded["input_ids"].tolist() == [[2, 4, 3, 0, 0], [2, 5, 5, 4, 3]]
    assert encoded["length"].tolist() == [[3], [5]]
    assert encoded["truncated_tokens"].tolist() == [[0], [0]]


@pytest.mark.parametrize(("words", "cut"), [(6, 0), (7, 1), (100, 94)])
def test_truncation_is_counted(tokenizer: TextTokenizer, words: int, cut: int) -> None:
    encoded = tokenizer.encode([b"glad " * words])
    assert encoded["length"].tolist() == [[LIMIT]]
    assert encoded["truncated_tokens"].tolist() == [[cut]]
    assert encoded["input_ids"][0, -1] == 3


@pytest.mark.parametrize(
    "text",
    [
        "glad\0sad",
        "😀🏳️‍🌈",
        "\uff26ull\u202ewidth",
        "\ud7ff\U0010ffff",
        "نحن سعداء",
        "a" * 1_000_000,
    ],
)
def test_any_unicode_is_tokenized(tokenizer: TextTokenizer, text: str) -> None:
    assert 3 <= tokenizer.encode([text.encode()])["length"].item() <= LIMIT


@pytest.mark.parametrize("text", [b"", b"  \n\t", "\u2003".encode()])
def test_nothing_to_read_is_an_input_error(tokenizer: TextTokenizer, text: bytes) -> None:
    with pytest.raises(InputError) as caught:
        tokenizer.encode([text])
    assert caught.value.code == "text_empty"


@pytest.mark.parametrize("text", [b"\xff", b"glad \xc3\x28", b"\xed\xa0\x80"])
def test_invalid_utf8_is_an_input_error(tokenizer: TextTokenizer, text: bytes) -> None:
    with pytest.raises(InputError) as caught:
        tokenizer.encode([text])
    assert caught.value.code == "text_invalid"


def test_a_tokenizer_without_limits_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(  # noqa: S106
        str(tmp_path / "tokenizer.json")
    )
    with pytest.raises(ValueError, match="truncation"):
        TextTokenizer(tmp_path / "tokenizer.json")
