"""What exporting a text checkpoint takes: its graph, its limits and what to compare with."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from ensemble.labels import coverage, projection
from export.checkpoint import Checkpoint
from export.errors import ExportError
from export.loading import load_model, load_tokenizer
from export.prepared import Limits, Prepared, RealInputs
from export.real_inputs import sentences
from export.rows import Row
from export.text_graph import INPUT_NAMES, TextGraph

_SENTENCES = (
    "I love this!",
    "I am furious with you",
    "no",
    "Ça m'étonne, je ne m'y attendais pas du tout…",
    "これはとても悲しいです 😢😢",
    "tabs\tand\nnew lines,   spaces, <pad> [PAD] <s> [SEP] and a NUL \0 in between",
)
_LENGTHS = (3, 6, 11, 24, 47, 96, 180)  # tokens, about
_UNLIMITED_TOKENS = 512


def prepare(checkpoint: Checkpoint) -> Prepared:
    """Read the checkpoint and compute what it says about sentences of all lengths.

    Raises:
        ExportError: it cannot be loaded, or its tokenizer is not what its model was given.
    """
    reference = load_model(checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    max_tokens = _max_tokens(reference, tokenizer)
    published = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    published.enable_truncation(max_tokens)
    published.no_padding()
    rows = list(_rows(checkpoint, reference, tokenizer, published, max_tokens))
    return Prepared(
        checkpoint=checkpoint,
        make_graph=lambda: make_graph(checkpoint, int(tokenizer.pad_token_id)),
        input_names=INPUT_NAMES,
        rows=rows,
        limits=Limits(max_tokens=max_tokens, pad_id=int(tokenizer.pad_token_id)),
        real_inputs=_real_inputs(published),
        tokenizer=published,
    )


def _real_inputs(tokenizer: Tokenizer) -> RealInputs:
    calibration, judged = sentences()
    return RealInputs(encoded(tokenizer, calibration), encoded(tokenizer, judged))


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """Return the token ids [n] of each text, cut off where the tokenizer says so."""
    return [np.array(tokenizer.encode(text).ids) for text in texts]


def make_graph(checkpoint: Checkpoint, pad_id: int) -> TextGraph:
    """Return the graph module, around a copy of the model of its own."""
    model = load_model(checkpoint, attention="eager")
    labels = checkpoint.labels
    graph = TextGraph(model, projection(labels), coverage(labels), pad_id)
    graph.eval()
    return graph


def _max_tokens(model: Any, tokenizer: Any) -> int:
    """Return how many tokens the model takes: its positions, or less if the tokenizer says so.

    RoBERTa's kind counts positions from the padding id on, so that many are never used.
    """
    tables = [m for name, m in model.named_modules() if name.endswith(".position_embeddings")]
    if tables:
        padding = tables[0].padding_idx
        limit = tables[0].num_embeddings - (0 if padding is None else padding + 1)
    else:
        limit = getattr(model.config, "max_position_embeddings", None) or _UNLIMITED_TOKENS
    return int(min(limit, tokenizer.model_max_length))


def _rows(
    checkpoint: Checkpoint, reference: Any, tokenizer: Any, published: Tokenizer, max_tokens: int
) -> Iterator[Row]:
    matrix = projection(checkpoint.labels)
    for text in _texts(tokenizer, max_tokens):
        inputs = tokenizer(text, truncation=True, max_length=max_tokens, return_tensors="pt")
        ids = inputs["input_ids"][0].numpy()
        if published.encode(text).ids != ids.tolist():
            raise ExportError(
                f"the tokenizer.json of {checkpoint.folder} splits {text[:40]!r} differently than "
                "its own library: save the tokenizer again with save_pretrained"
            )
        yield Row(f"{len(ids)} tokens", ids, _probabilities(reference, inputs, matrix))
    one = torch.tensor([[tokenizer.cls_token_id or tokenizer.pad_token_id]])
    inputs = {"input_ids": one, "attention_mask": torch.ones_like(one)}
    yield Row("1 token", one[0].numpy(), _probabilities(reference, inputs, matrix))


def _texts(tokenizer: Any, max_tokens: int) -> Iterator[str]:
    """Yield sentences, texts of about `_LENGTHS` random tokens, and one that is cut off."""
    yield from _SENTENCES
    random = np.random.default_rng(0)
    for length in (*_LENGTHS, 2 * max_tokens):
        ids = random.integers(0, len(tokenizer), min(length, 2 * max_tokens))
        yield tokenizer.decode(ids, skip_special_tokens=True)
    yield "a " * max_tokens


@torch.no_grad()  # type: ignore[untyped-decorator]
def _probabilities(
    model: Any, inputs: Any, matrix: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    logits = model(**inputs).logits.double()
    probabilities: npt.NDArray[np.float64] = torch.softmax(logits, dim=-1).numpy()[0] @ matrix
    return probabilities
