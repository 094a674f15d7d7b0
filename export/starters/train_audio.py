"""Train the audio starter: a small Wav2Vec2 that hears as a speech recogniser does.

Its convolutions learn to hear; the layers above them to make of disturbed speech what the
recogniser's encoder makes of it clean (export.starters.moonshine); last, logistic regression tells
four emotions from that, and silence counts as neutral.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification, set_seed

from export.starters import checkpoint, judge, moonshine, network, scores, speech
from export.starters.distill import distill
from export.starters.hear import learn_to_hear
from export.starters.lessons import record

log = logging.getLogger("train_audio")
LAST_STEP = 3


def train(clips: list[speech.Clip], args: argparse.Namespace) -> Any:
    """The steps from ``args.from_step`` on, the earlier ones as they are in --out; the model."""
    model = load(args.out) if args.from_step == LAST_STEP else train_layers(clips, args)
    set_seed(args.seed)  # so that the last step draws the same alone
    judge.teach(model, [clip for clip in clips if clip.label >= 0], args)
    return model


def train_layers(clips: list[speech.Clip], args: argparse.Namespace) -> Any:
    """The first two steps, which hear no labels; the model."""
    rng = np.random.default_rng(args.seed)
    teacher = moonshine.load()
    model = network.build(teacher)
    learn_to_hear(model, clips, args)
    takes = record(model, teacher, clips, args.takes, rng)
    distill(model, [take for some in takes for take in some], args, rng)
    return model


def load(folder: Path) -> Any:
    """The saved fp16 weights as a float32 model."""
    return Wav2Vec2ForSequenceClassification.from_pretrained(folder, dtype=torch.float32)


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
    model = load(folder)
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


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Add what the first two steps are set by."""
    add = parser.add_argument
    add("--hear", type=int, default=1500, help="steps of teaching the convolutions to hear")
    add("--hear-lr", type=float, default=3e-3, help="their peak learning rate")
    add("--distill", type=int, default=1000, help="steps of teaching the layers above them")
    add("--lr", type=float, default=1e-3, help="their peak learning rate")
    add("--frames", type=int, default=100, help="length of a stretch for that, 20 ms each")
    add("--batch", type=int, default=16, help="stretches in a step")


def add_last_step(parser: argparse.ArgumentParser) -> None:
    """Add what the last step is set by."""
    add = parser.add_argument
    add("--takes", type=int, default=3, help="disturbed takes of every clip")
    add("--penalty", type=float, default=0.003, help="of the last step's weights, squared")
    add("--silences", type=int, default=64, help="recordings without a voice, which are neutral")
    add("--seed", type=int, default=0, help="seed of all that is drawn")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.starters.train_audio",
        description="Train the audio starter and print its held-out scores.",
        epilog="Labels come from RAVDESS only, hearing from RAVDESS and the teacher. About 30 "
        "minutes of one core, the last step alone 4. The weights it makes are for non-commercial "
        "use, as RAVDESS is.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with speech/manifest.csv")
    add("--out", type=Path, required=True, help="checkpoint folder to write, or to evaluate")
    add("--evaluate-only", action="store_true", help="score the checkpoint that is in --out")
    add("--from-step", type=int, choices=(1, LAST_STEP), default=1, help="3: the last step alone")
    add_layers(parser)
    add_last_step(parser)
    add("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def main() -> None:
    """Train unless told not to, then report."""
    form = "%(asctime)s %(message)s"  # forced: an import of onnxruntime.tools has set up another
    logging.basicConfig(level=logging.INFO, format=form, datefmt="%H:%M:%S", force=True)
    args = arguments()
    torch.set_num_threads(args.threads)
    set_seed(args.seed)
    parts = speech.split(speech.read_clips(args.data / "speech"))
    if not args.evaluate_only:
        save(train(parts["train"], args), args.out)
    report(args.out, parts)


if __name__ == "__main__":
    main()
