"""Scores the audio starter's last step on all actors of RAVDESS, each by a fit without them.

    python -m evaluation.folds DATA --out FILE

Four test actors are too few to tell whether confidences mean what they say. Here each of six
folds of four actors is answered by a last step, with its temperature, that was fitted on the other
twenty. The layers below are the shipped ones: they heard actors 1 to 16, without labels.

May a temperature fitted on such answers be shipped? It has to fit strangers, so `transfer` in FILE
compares voices that the layers heard with those of dev; test actors are in none of it. Needs torch.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ensemble.labels import EMOTIONS, canonical
from evaluation.calibration import by_chance, ece, log_loss
from evaluation.items import Item
from evaluation.metrics import Floats, Ints
from evaluation.scores import scores
from evaluation.temperature import cooled, fit
from export import manifest as manifests
from export.starter import STARTERS
from export.starters import judge, speech, train_audio

_ACTORS_IN_FOLD = 4
_TEST_FOLD = (min(speech.TEST_ACTORS) - 1) // _ACTORS_IN_FOLD
_DEV_FOLD = (min(speech.DEV_ACTORS) - 1) // _ACTORS_IN_FOLD
_PLACES = [EMOTIONS.index(canonical(name)) for name in speech.CLASSES]


@dataclass(frozen=True)
class Rows:
    """What the last step sees of each clip, [clips, takes, width], with its class and its fold."""

    rows: Any
    silent: Any
    truth: Any
    folds: Ints
    penalty: float

    def answer(self, fold: int, left_out: tuple[int, ...] = ()) -> Floats:
        """Return probabilities [n, 7] of a fold's clips, fitted on all but it and `left_out`."""
        asked = self.folds == fold
        taught = ~asked & ~np.isin(self.folds, left_out)
        truth = self.truth[taught].repeat_interleave(self.rows.shape[1])
        rows = judge.with_silence(self.rows[taught].flatten(0, 1), truth, self.silent)
        weight, bias = judge.fit(*rows, self.penalty)
        vectors = np.zeros((int(asked.sum()), len(EMOTIONS)))
        vectors[:, _PLACES] = (self.rows[asked, 0] @ weight.T + bias).softmax(dim=1)
        return vectors

    def truth_in(self, fold: int) -> Ints:
        """Return the emotions [n] of a fold's clips, as places in EMOTIONS."""
        truth: Ints = np.array(_PLACES)[self.truth[self.folds == fold].numpy()]
        return truth

    def temperature(self, fold: int) -> float:
        """Return what fits the other folds, each answered without itself and without `fold`."""
        others = [other for other in np.unique(self.folds) if other != fold]
        answers = np.concatenate([self.answer(other, (fold,)) for other in others])
        return fit(np.concatenate([self.truth_in(other) for other in others]), answers)


def played(model: Any, clips: list[speech.Clip], args: argparse.Namespace) -> Rows:
    """Return the rows of clips played as training does."""
    rng = np.random.default_rng(args.seed)
    return Rows(
        rows=torch.stack([judge.clip_rows(model, clip, args.takes, rng) for clip in clips]),
        silent=judge.silent_rows(model, args.silences, args.seed),
        truth=torch.tensor([clip.label for clip in clips]),
        folds=np.array([(clip.actor - 1) // _ACTORS_IN_FOLD for clip in clips]),
        penalty=args.penalty,
    )


def out_of_fold(rows: Rows) -> tuple[Floats, Floats, list[float]]:
    """Return all clips' probabilities [n, 7] without and with a temperature, and the folds'.

    Clips are in the order of their folds.
    """
    folds = np.unique(rows.folds)
    temperatures = [rows.temperature(fold) for fold in folds]
    plain = [rows.answer(fold) for fold in folds]
    made = [cooled(one, t) for one, t in zip(plain, temperatures, strict=True)]
    return np.concatenate(plain), np.concatenate(made), temperatures


def transfer(rows: Rows, strange: int = _DEV_FOLD, unasked: int = _TEST_FOLD) -> dict[str, Any]:
    """Return the temperatures that fit voices which the layers heard, strangers, and both.

    Those of single `folds` come with them: a difference that these have among themselves is no
    reason to tell strangers apart.

    Args:
        rows: of all folds.
        strange: the fold whose actors the layers have not heard.
        unasked: the fold that is neither asked nor taught.
    """
    asked = [int(fold) for fold in np.unique(rows.folds) if fold != unasked]
    answers = {fold: (rows.truth_in(fold), rows.answer(fold, (unasked,))) for fold in asked}

    def fitting(some: list[int]) -> float:
        truths, given = zip(*(answers[fold] for fold in some), strict=True)
        return fit(np.concatenate(truths), np.concatenate(given))

    return {
        "folds": [fitting([fold]) for fold in asked],
        "heard": fitting([fold for fold in asked if fold != strange]),
        "strangers": fitting([strange]),
        "both": fitting(asked),
    }


def folds(clips: list[speech.Clip], args: argparse.Namespace) -> dict[str, Any]:
    """Return the pooled scores of clips of the four classes, and calibration before and after."""
    torch.manual_seed(args.seed)
    rows = played(train_audio.load(args.starter).eval(), clips, args)
    before, after, temperatures = out_of_fold(rows)
    order = np.argsort(rows.folds, kind="stable")
    items = [_item(clips[place]) for place in order]
    truth = np.array([EMOTIONS.index(item.label) for item in items])
    return {
        "models": {"audio": {"revision": manifests.read(args.starter).revision}},
        "temperatures": temperatures,
        "transfer": transfer(rows),
        "ece_before": ece(truth, before),
        "ece_after": ece(truth, after),
        "ece_by_chance": by_chance(after),
        "log_loss_before": log_loss(truth, before),
        "log_loss_after": log_loss(truth, after),
        "scores": scores(items, after),
    }


def _item(clip: speech.Clip) -> Item:
    label = canonical(speech.CLASSES[clip.label])
    return Item(label, speaker=f"{clip.actor:02}", group="men" if clip.actor % 2 else "women")


def main() -> None:
    """Write the figures that the command line asks for, and print the main ones."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.folds", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with speech/manifest.csv")
    parser.add_argument("--starter", type=Path, default=STARTERS / "audio", help="checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    train_audio.add_last_step(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the fits are small: threads would wait for each other
    clips = [clip for clip in speech.read_clips(args.data / "speech") if clip.label >= 0]
    made = folds(clips, args)
    args.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    uar, chance = made["scores"]["unweighted_recall"], made["ece_by_chance"]
    print(  # noqa: T201
        f"{len(clips)} clips: UAR {uar['value']:.3f} ({uar['interval'][0]:.3f} to "
        f"{uar['interval'][1]:.3f}), ECE {made['ece_before']:.3f} without and "
        f"{made['ece_after']:.3f} with a temperature (chance: {chance['mean']:.3f}, up to "
        f"{chance['percentile_95']:.3f})"
    )


if __name__ == "__main__":
    main()
