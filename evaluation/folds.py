"""Scores the audio starter's recipe on actors 1 to 20 of RAVDESS, all of them strangers to it.

    python -m evaluation.folds DATA --layers FOLDER --out FILE

Four test actors are too few to tell whether confidences mean what they say. Here each of five folds
of four actors is answered by layers, a last step and a temperature that were made of the other
sixteen, as the shipped ones were made of actors 1 to 16: those answer the last fold. In FILE,
`temperatures` are those of the folds, `single` what each fold's own answers want, `pooled` what all
want. Of the test actors none has seen anything.

Takes about two core hours, and goes on where it was cut off: finished layers are kept in FOLDER.
Needs torch, and the teacher that export.starters.train_audio asks for.
"""

import argparse
import json
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from ensemble.labels import EMOTIONS, canonical
from evaluation.calibration import by_chance, ece, log_loss
from evaluation.items import Item
from evaluation.metrics import Floats, Ints
from evaluation.scores import scores
from evaluation.temperature import cooled, fit
from export import manifest as manifests
from export.calibrated import calibrate_starter
from export.starter import STARTERS
from export.starters import judge, speech, train_audio

_ACTORS_IN_FOLD = 4
_PLACES = [EMOTIONS.index(canonical(name)) for name in speech.CLASSES]
log = logging.getLogger("folds")


def fold_of(actor: int) -> int:
    """Return the fold of an actor."""
    return (actor - 1) // _ACTORS_IN_FOLD


_FOLDS = range(fold_of(min(speech.TEST_ACTORS)))
_DEV_FOLD = fold_of(min(speech.DEV_ACTORS))


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


def played(model: Any, clips: list[speech.Clip], args: argparse.Namespace) -> Rows:
    """Return the rows of clips played as training does."""
    rng = np.random.default_rng(args.seed)
    return Rows(
        rows=torch.stack([judge.clip_rows(model, clip, args.takes, rng) for clip in clips]),
        silent=judge.silent_rows(model, args.silences, args.seed),
        truth=torch.tensor([clip.label for clip in clips]),
        folds=np.array([fold_of(clip.actor) for clip in clips]),
        penalty=args.penalty,
    )


def temperature(rows: Mapping[int, Rows], fold: int) -> float:
    """Return what fits the other folds, each answered without itself and without `fold`."""
    others = [other for other in rows if other != fold]
    answers = np.concatenate([rows[other].answer(other, (fold,)) for other in others])
    return fit(np.concatenate([rows[other].truth_in(other) for other in others]), answers)


def out_of_fold(rows: Mapping[int, Rows]) -> tuple[Floats, Floats, list[float]]:
    """Return all clips' probabilities [n, 7] without and with a temperature, and the folds'.

    Clips are in the order of their folds.

    Args:
        rows: for each fold, those of all clips by the layers that have not heard it.
    """
    temperatures = [temperature(rows, fold) for fold in rows]
    plain = [rows[fold].answer(fold) for fold in rows]
    made = [cooled(one, t) for one, t in zip(plain, temperatures, strict=True)]
    return np.concatenate(plain), np.concatenate(made), temperatures


def folds(clips: list[speech.Clip], rows: Mapping[int, Rows]) -> dict[str, Any]:
    """Return the pooled scores of clips of the four classes, and calibration before and after."""
    before, after, temperatures = out_of_fold(rows)
    asked = [clip for fold in rows for clip in clips if fold_of(clip.actor) == fold]
    items = [_item(clip) for clip in asked]
    truth = np.array([EMOTIONS.index(item.label) for item in items])
    places = np.array([fold_of(clip.actor) for clip in asked])
    return {
        "temperatures": temperatures,
        "single": [fit(truth[places == fold], before[places == fold]) for fold in rows],
        "pooled": fit(truth, before),
        "ece_before": ece(truth, before),
        "ece_after": ece(truth, after),
        "ece_by_chance": by_chance(after),
        "log_loss_before": log_loss(truth, before),
        "log_loss_after": log_loss(truth, after),
        "scores": scores(items, after),
    }


def rows_without(fold: int, args: argparse.Namespace) -> Rows:
    """Return all folds' rows by layers that have not heard one of them; trains those not there."""
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s fold {fold}: %(message)s", force=True
    )
    torch.set_num_threads(1)  # a process for each core: threads would wait for each other
    set_seed(args.seed)
    clips = [
        clip for clip in speech.read_clips(args.data / "speech") if fold_of(clip.actor) in _FOLDS
    ]
    folder = args.starter if fold == _DEV_FOLD else args.layers / str(fold)
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        heard = [clip for clip in clips if fold_of(clip.actor) != fold]
        train_audio.save(train_audio.train_layers(heard, args), unfinished)
        unfinished.rename(folder)
    log.info("playing all clips to %s", folder)
    set_seed(args.seed)
    return played(train_audio.load(folder).eval(), labelled(clips), args)


def labelled(clips: list[speech.Clip]) -> list[speech.Clip]:
    """Return the clips of the four classes."""
    return [clip for clip in clips if clip.label >= 0]


def _item(clip: speech.Clip) -> Item:
    label = canonical(speech.CLASSES[clip.label])
    return Item(label, speaker=f"{clip.actor:02}", group="men" if clip.actor % 2 else "women")


def calibration(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the starter's manifest is to hold of the folds' report.

    The temperature is the one that all answers want; it is judged by the folds' own, each made
    without the actors that it is judged by.
    """
    rows = found["scores"]["rows"]
    judged = ("ece_before", "ece_after", "log_loss_before", "log_loss_after")
    return {
        "temperature": round(found["pooled"], 6),
        "data": "RAVDESS",
        "fitted_on": "folds",
        "fitted_rows": rows,
        "judged": "folds",
        "judged_rows": rows,
        **{name: round(found[name], 6) for name in judged},
        "ece_by_chance": round(found["ece_by_chance"]["percentile_95"], 6),
    }


def report(rows: Mapping[int, Rows], args: argparse.Namespace) -> dict[str, Any]:
    """Write the report, and the starter's temperature if it is asked for; return the report."""
    clips = labelled(speech.read_clips(args.data / "speech"))
    found = folds(clips, rows)
    if args.calibrate:
        calibrate_starter(args.starter, calibration(found))
    models = {"audio": {"revision": manifests.read(args.starter).revision}}
    args.out.write_text(json.dumps({"models": models, **found}, indent=1) + "\n", encoding="utf-8")
    return found


def main() -> None:
    """Write the figures that the command line asks for, and print the main ones."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.folds", description=__doc__)
    add = parser.add_argument
    add("data", type=Path, help="folder with speech/manifest.csv")
    add("--layers", type=Path, required=True, help="folder for what is trained for each fold")
    add("--starter", type=Path, default=STARTERS / "audio", help="checkpoint: the last fold's")
    add("--out", type=Path, required=True, help="JSON file to write")
    add("--calibrate", action="store_true", help="put `pooled` into the starter's graphs")
    add("--processes", type=int, default=os.cpu_count(), help="folds at once")
    train_audio.add_layers(parser)
    train_audio.add_last_step(parser)
    args = parser.parse_args()
    args.layers.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.processes, get_context("spawn")) as pool:
        made = dict(zip(_FOLDS, pool.map(rows_without, _FOLDS, repeat(args)), strict=True))
    found = report(made, args)
    uar, chance = found["scores"]["unweighted_recall"], found["ece_by_chance"]
    print(  # noqa: T201
        f"{found['scores']['rows']} clips: UAR {uar['value']:.3f} ({uar['interval'][0]:.3f} to "
        f"{uar['interval'][1]:.3f}), ECE {found['ece_before']:.3f} without and "
        f"{found['ece_after']:.3f} with a temperature (chance: {chance['mean']:.3f}, up to "
        f"{chance['percentile_95']:.3f}); all want {found['pooled']:.2f}"
    )


if __name__ == "__main__":
    main()
