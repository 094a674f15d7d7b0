"""Make a BERT checkpoint smaller before it is fine-tuned: fewer word pieces, narrower layers."""

from __future__ import annotations

import collections
import json
import string
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def reachable_character(piece: str) -> bool:
    """Say whether ``piece`` is a single character that BERT's pre-tokenizer can ever produce.

    Punctuation and Chinese characters are always split off alone, so their ``##`` twins are dead.
    """
    letter = piece.removeprefix("##")
    if len(letter) != 1:
        return False
    alone = (
        letter in string.punctuation
        or unicodedata.category(letter).startswith("P")
        or unicodedata.name(letter, "").startswith("CJK UNIFIED")
    )
    return not (alone and piece.startswith("##"))


def choose_pieces(tokenizer: Any, texts: Iterable[str], size: int, min_count: int) -> list[str]:
    """Pick ``size`` word pieces to keep, in their old order, the special ones first.

    Kept are every reachable single character (so that any text still splits), then pieces seen at
    least ``min_count`` times in ``texts``, then the rest by old id, which is the order of
    frequency in general English.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    counts: collections.Counter[int] = collections.Counter()
    for ids in tokenizer(list(texts))["input_ids"]:
        counts.update(ids)
    plain = [piece for piece in vocabulary if piece not in SPECIAL and piece[:7] != "[unused"]
    by_id = sorted(plain, key=vocabulary.__getitem__)
    characters = [piece for piece in by_id if reachable_character(piece)]
    often = [piece for piece in by_id if counts[vocabulary[piece]] >= min_count]
    often.sort(key=lambda piece: -counts[vocabulary[piece]])
    words = [piece for piece in by_id if len(piece.removeprefix("##")) > 1]
    wanted = dict.fromkeys([*characters, *often, *words])
    kept = set(list(wanted)[: size - len(SPECIAL)])
    return SPECIAL + sorted(kept, key=vocabulary.__getitem__)


def write_tokenizer(source: Path, pieces: list[str], folder: Path) -> Any:
    """Write the fast tokenizer of ``source`` with only ``pieces`` to ``folder`` and return it."""
    spec = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    ids = {piece: number for number, piece in enumerate(pieces)}
    spec["model"]["vocab"] = ids
    # The source truncates to 128 and pads for its own use; callers decide both here.
    spec["truncation"] = None
    spec["padding"] = None
    spec["added_tokens"] = [
        {**token, "id": ids[token["content"]]}
        for token in spec["added_tokens"]
        if token["content"] in ids
    ]
    for name, token in spec["post_processor"]["special_tokens"].items():
        token["ids"] = [ids[name]]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        content = json.loads((source / name).read_text(encoding="utf-8"))
        for private in ("name_or_path", "special_tokens_map_file"):
            content.pop(private, None)
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    text = json.dumps(spec, ensure_ascii=False, indent=1)
    (folder / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder)


def keep_rows(model: Any, rows: list[int]) -> None:
    """Keep only the word embeddings numbered ``rows``, in that order."""
    old = model.get_input_embeddings()
    new = torch.nn.Embedding(len(rows), old.embedding_dim, padding_idx=0)
    with torch.no_grad():
        new.weight.copy_(old.weight[rows])
    model.set_input_embeddings(new)
    model.config.vocab_size = len(rows)


def neuron_weights(model: Any, batches: list[dict[str, Any]]) -> list[Any]:
    """Per layer, how much each feed-forward neuron adds: mean |activation| · ‖outgoing weights‖."""
    layers = model.bert.encoder.layer
    sums = [torch.zeros(model.config.intermediate_size) for _ in layers]

    def watch(number: int) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            sums[number] += output.abs().sum(dim=(0, 1))

        return hook

    hooks = [
        layer.intermediate.register_forward_hook(watch(number))
        for number, layer in enumerate(layers)
    ]
    with torch.no_grad():
        for batch in batches:
            model(**batch)
    for hook in hooks:
        hook.remove()
    pairs = zip(sums, layers, strict=True)
    return [total * layer.output.dense.weight.detach().norm(dim=0) for total, layer in pairs]


def narrow_layers(model: Any, batches: list[dict[str, Any]], width: int) -> None:
    """Keep the ``width`` feed-forward neurons of each layer that add most on ``batches``."""
    for layer, weights in zip(
        model.bert.encoder.layer, neuron_weights(model, batches), strict=True
    ):
        best = weights.topk(width).indices.sort().values
        up, down = layer.intermediate.dense, layer.output.dense
        with torch.no_grad():
            up.weight = torch.nn.Parameter(up.weight[best].clone())
            up.bias = torch.nn.Parameter(up.bias[best].clone())
            down.weight = torch.nn.Parameter(down.weight[:, best].clone())
        up.out_features = down.in_features = width
    model.config.intermediate_size = width
