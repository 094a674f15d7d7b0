"""Toy checkpoints: real architectures and file formats, small enough to export in a second."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertTokenizerFast,
    DistilBertTokenizerFast,
    RobertaTokenizerFast,
    XLMRobertaTokenizerFast,
)

from export.random_checkpoint import make

EMOTION_LABELS = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
SPEECH_LABELS = ["neu", "hap", "ang", "sad"]
MAX_TOKENS = 40

_SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
_TEXT: dict[str, tuple[str, dict[str, Any]]] = {
    "roberta": (
        "RobertaForSequenceClassification",
        {**_SMALL, "max_position_embeddings": MAX_TOKENS + 2, "type_vocab_size": 1},
    ),
    "xlm-roberta": (
        "XLMRobertaForSequenceClassification",
        {**_SMALL, "max_position_embeddings": MAX_TOKENS + 2, "type_vocab_size": 1},
    ),
    "bert": (
        "BertForSequenceClassification",
        {**_SMALL, "max_position_embeddings": MAX_TOKENS, "pad_token_id": 0},
    ),
    "distilbert": (
        "DistilBertForSequenceClassification",
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": MAX_TOKENS,
            "pad_token_id": 0,
        },
    ),
}
_AUDIO = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
_FRONT = {
    "conv_dim": [16, 16, 16, 16],
    "conv_kernel": [10, 5, 4, 3],
    "conv_stride": [5, 4, 4, 3],
    "num_feat_extract_layers": 4,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 16,
}


def text_checkpoint(
    folder: Path, kind: str = "bert", labels: list[str] | None = None, **more: Any
) -> Path:
    """Write a text classifier of `kind` (roberta, xlm-roberta, bert, distilbert) to a folder."""
    source = folder.with_name(folder.name + "-parts")
    source.mkdir(parents=True)
    makers = {"roberta": _byte_bpe, "xlm-roberta": _unigram}
    tokenizer = makers[kind]() if kind in makers else _word_piece(kind)
    tokenizer.save_pretrained(source)
    head, sizes = _TEXT[kind]
    sizes = {**sizes, "vocab_size": len(tokenizer), **more}
    _write_config(source, kind, head, labels or EMOTION_LABELS, sizes)
    files = [file for file in source.iterdir() if file.name != "config.json"]
    make("text", source, folder, files)
    return folder


def audio_checkpoint(
    folder: Path,
    kind: str = "wav2vec2",
    labels: list[str] | None = None,
    do_normalize: bool = False,
    return_attention_mask: bool = False,
    **more: Any,
) -> Path:
    """Write an audio classifier of `kind` (wav2vec2, hubert, wavlm) to a new folder."""
    source = folder.with_name(folder.name + "-parts")
    source.mkdir(parents=True)
    preprocessor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": 16000,
        "padding_side": "right",
        "padding_value": 0.0,
        "do_normalize": do_normalize,
        "return_attention_mask": return_attention_mask,
    }
    file = source / "preprocessor_config.json"
    file.write_text(json.dumps(preprocessor))
    sizes = {**_SMALL, **_FRONT, **more}
    head = f"{_AUDIO[kind]}ForSequenceClassification"
    _write_config(source, kind, head, labels or SPEECH_LABELS, sizes)
    make("audio", source, folder, [file])
    return folder


def change_config(folder: Path, **fields: Any) -> None:
    """Overwrite fields of a checkpoint's config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def _write_config(
    folder: Path, kind: str, head: str, labels: list[str], sizes: dict[str, Any]
) -> None:
    config = {
        "model_type": kind,
        "architectures": [head],
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        **sizes,
    }
    (folder / "config.json").write_text(json.dumps(config))


def _byte_bpe() -> RobertaTokenizerFast:
    """RoBERTa's scheme: bytes, and a few merges."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "in", "Ġth"]
    vocabulary = {token: number for number, token in enumerate(alphabet)}
    merges = [("t", "h"), ("i", "n"), ("Ġ", "th")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return RobertaTokenizerFast(tokenizer_object=tokenizer)


def _unigram() -> XLMRobertaTokenizerFast:
    """XLM-RoBERTa's scheme: SentencePiece's unigrams, of any script."""
    letters = "▁" + "".join(map(chr, [*range(0x61, 0x7B), 0xE4, 0xFC, *range(0x430, 0x450)]))
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = [(piece, 0.0) for piece in special] + [(letter, -4.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram([*vocabulary, ("<mask>", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return XLMRobertaTokenizerFast(tokenizer_object=tokenizer)


def _word_piece(kind: str) -> BertTokenizerFast:
    """BERT's scheme: words in pieces, here single characters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = [*special, *letters, *(f"##{letter}" for letter in letters), "love", "this"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token=special[1]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    make_tokenizer = DistilBertTokenizerFast if kind == "distilbert" else BertTokenizerFast
    return make_tokenizer(tokenizer_object=tokenizer)
