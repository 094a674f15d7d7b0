"""Train the audio starter: a small Wav2Vec2, first taught to hear, then to tell four emotions."""

from __future__ import annotations

import argparse
import copy
import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification, set_seed

from export.starters import checkpoint, network, scores, speech

log = logging.getLogger("train_audio")


def batches(clips: list[speech.Clip], args: Any, rng: np.random.Generator) -> Any:
    """Yield one epoch of (clips, augmented waveforms [batch, samples]) in random order."""
    order = rng.permutation(len(clips))
    for start in range(0, len(order), args.batch):
        chosen = [clips[i] for i in order[start : start + args.batch]]
        length = int(args.seconds * speech.RATE)
        crops = torch.stack([speech.crop(clip.samples, length, rng) for clip in chosen])
        yield chosen, speech.augment(speech.normalize(crops), rng)


def follow(average: Any, model: Any, decay: float) -> None:
    """Move the running average of the weights towards ``model``."""
    with torch.no_grad():
        pairs = zip(average.parameters(), model.parameters(), strict=True)
        for kept, new in pairs:
            kept.lerp_(new, 1 - decay)


def train(
    learner: network.Learner, parts: dict[str, list[speech.Clip]], args: argparse.Namespace
) -> Any:
    """Both phases; returns the running average of the model's weights."""
    rng = np.random.default_rng(args.seed)
    clips, average = parts["train"], copy.deepcopy(learner.model)
    steps = math.ceil(len(clips) / args.batch)
    for hearing, epochs, rate in ((True, args.hear, args.hear_lr), (False, args.feel, args.lr)):
        optimizer = torch.optim.AdamW(learner.parameters(), weight_decay=0.03, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=max(1, epochs * steps), pct_start=0.15
        )
        learner.model.train()
        for epoch in range(epochs):
            total, started = 0.0, time.monotonic()
            for chosen, batch in batches(clips, args, rng):
                if hearing:
                    loss = network.hearing_loss(learner, network.convolve(learner, batch), batch)
                else:
                    loss = network.feeling_loss(learner, chosen, batch, args)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                follow(average, learner.model, 0.0 if hearing else args.decay)
                total += loss.item() / steps
            spent = time.monotonic() - started
            phase = "hear" if hearing else "feel"
            log.info("%s %d/%d: loss %.4f, %.0f s", phase, epoch + 1, epochs, total, spent)
            if not hearing and (epoch + 1) % args.every == 0:
                truth, guess = measure(average, parts["dev"])
                uar = scores.unweighted_recall(truth, guess, len(speech.CLASSES))
                log.info("dev unweighted recall %.4f", uar)
                save(average, args.out)
    return average


def measure(model: Any, clips: list[speech.Clip]) -> tuple[Any, Any]:
    """Truth and guess [n], every clip whole and alone."""
    model.eval()
    guess = []
    with torch.no_grad():
        for clip in clips:
            logits = model(speech.normalize(clip.samples[None])).logits
            guess.append(int(logits.argmax()))
    return np.array([clip.label for clip in clips]), np.array(guess)


def save(model: Any, folder: Path) -> None:
    """Write config.json, fp16 model.safetensors and preprocessor_config.json."""
    checkpoint.save_half(model, folder)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    extractor.save_pretrained(folder)


def report(folder: Path, parts: dict[str, list[speech.Clip]]) -> None:
    """Print the scores of the saved fp16 weights, loaded as float32, on dev and test actors."""
    model = Wav2Vec2ForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    log.info("model.safetensors: %.2f MB", (folder / "model.safetensors").stat().st_size / 1e6)
    classes = len(speech.CLASSES)
    for name in ("dev", "test"):
        truth, guess = measure(model, parts[name])
        actors = np.array([clip.actor for clip in parts[name]])
        uar = scores.unweighted_recall(truth, guess, classes)
        spans = [
            scores.interval(scores.unweighted_recall, truth, guess, classes, groups)
            for groups in (None, actors)
        ]
        log.info("%s: unweighted average recall %.4f, %d clips", name, uar, len(truth))
        log.info("  95%% drawing clips %.3f-%.3f, drawing actors %.3f-%.3f", *spans[0], *spans[1])
        for label, recall in zip(
            speech.CLASSES, scores.recalls(truth, guess, classes), strict=True
        ):
            log.info("  %s recall %.3f", label, recall)
        log.info("  confusion (rows true):\n%s", scores.confusion(truth, guess, classes))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.starters.train_audio",
        description="Train the audio starter and print its held-out scores.",
        epilog="Reads RAVDESS only. About 30 minutes of one core. The weights it makes are for "
        "non-commercial use, as RAVDESS is.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with speech/manifest.csv")
    add("--out", type=Path, required=True, help="checkpoint folder to write, or to evaluate")
    add("--evaluate-only", action="store_true", help="score the checkpoint that is in --out")
    add("--hear", type=int, default=12, help="epochs of the first phase: log-mel, voicing, pitch")
    add("--feel", type=int, default=40, help="epochs of the second phase: emotions")
    add("--hear-lr", type=float, default=2e-3, help="peak learning rate of the first phase")
    add("--lr", type=float, default=8e-4, help="peak learning rate of the second phase")
    add("--hearing", type=float, default=0.3, help="weight of hearing in the second phase")
    add("--mixup", type=float, default=0.4, help="share of clips mixed with another")
    add("--decay", type=float, default=0.99, help="running average of the weights, per step")
    add("--seconds", type=float, default=2.4, help="length of a training crop")
    add("--batch", type=int, default=32, help="clips in a step")
    add("--every", type=int, default=5, help="epochs between looks at the dev actors")
    add("--seed", type=int, default=0, help="seed of weights, crops and mixing")
    add("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def main() -> None:
    """Train unless told not to, then report."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args = arguments()
    torch.set_num_threads(args.threads)
    set_seed(args.seed)
    parts = speech.split(speech.read_clips(args.data / "speech"))
    if not args.evaluate_only:
        save(train(network.build(), parts, args), args.out)
    report(args.out, parts)


if __name__ == "__main__":
    main()
