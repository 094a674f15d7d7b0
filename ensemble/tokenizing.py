"""Sentences to token ids, with Rust `tokenizers`; NumPy in, NumPy out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from ensemble.errors import InputError


class TextTokenizer:
    """A published `tokenizer.json`: its own fields hold the token limit and the pad id."""

    def __init__(self, tokenizer_json: Path) -> None:
        tokenizer = Tokenizer.from_file(str(tokenizer_json))
        if not tokenizer.truncation or not tokenizer.padding:
            raise ValueError(f"{tokenizer_json} must set `truncation` and `padding`")
        self.max_tokens: int = tokenizer.truncation["max_length"]
        self.pad_id: int = tokenizer.padding["pad_id"]
        # Rows are padded here, not there: `tokenizers` would pad to its own fixed lengths.
        tokenizer.no_padding()
        self._tokenizer = tokenizer

    def encode(
        self, texts: Sequence[bytes]
    ) -> dict[str, npt.NDArray[np.int32] | npt.NDArray[np.int64]]:
        """Tokenize UTF-8 sentences.

        Returns:
            `input_ids` int64 [B, longest], short rows filled up with the pad id;
            `length` int32 [B, 1], the tokens of each row;
            `truncated_tokens` int32 [B, 1], how many did not fit into the model.

        Raises:
            InputError: text_invalid (not UTF-8) or text_empty (nothing but white space).
        """
        encodings = self._tokenizer.encode_batch([_decode(text) for text in texts])
        lengths = [len(encoding.ids) for encoding in encodings]
        input_ids = np.full((len(lengths), max(lengths)), self.pad_id, dtype=np.int64)
        for row, encoding in enumerate(encodings):
            input_ids[row, : lengths[row]] = encoding.ids
        cut = [_tokens_cut(encoding) for encoding in encodings]
        return {
            "input_ids": input_ids,
            "length": np.array(lengths, dtype=np.int32)[:, None],
            "truncated_tokens": np.array(cut, dtype=np.int32)[:, None],
        }


def _decode(text: bytes) -> str:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("text_invalid", f"text is not valid UTF-8 (byte {error.start})") from None
    if not decoded.strip():
        raise InputError("text_empty", "text is empty; send at least one word")
    return decoded


def _tokens_cut(encoding: Encoding) -> int:
    # Each overflowing part repeats the special tokens ([CLS], </s> …); those were not cut.
    return sum(part.special_tokens_mask.count(0) for part in encoding.overflowing)
