"""No actor is answered by a fit, or cooled by a temperature, that has seen the actor's labels."""

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.folds import Rows, folds, out_of_fold, report
from export import manifest as manifests
from export.starter import STARTERS
from export.starters.speech import Clip

FOLDS = range(3)


def made_up() -> dict[int, Rows]:
    """Three folds of 40 clips, two takes each, whose classes can be told in part.

    Each fold's rows are those of other layers: the same clips, otherwise disturbed.
    """
    random = torch.Generator().manual_seed(0)
    truth = torch.arange(120) % 4
    rows = torch.randn(120, 2, 6, generator=random)
    rows[torch.arange(120), :, truth] += 1.5
    silent = torch.randn(8, 6, generator=random) - 3
    places = np.arange(120) // 40
    return {
        fold: Rows(
            rows + 0.1 * torch.randn(rows.shape, generator=random), silent, truth, places, 0.01
        )
        for fold in FOLDS
    }


def with_truth(rows: dict[int, Rows], truth: torch.Tensor) -> dict[int, Rows]:
    return {fold: dataclasses.replace(one, truth=truth) for fold, one in rows.items()}


def test_answers_do_not_depend_on_the_folds_own_labels() -> None:
    rows = made_up()
    other = with_truth(rows, torch.where(torch.arange(120) < 40, 0, rows[0].truth))
    (plain, cooled, temperatures), changed = out_of_fold(rows), out_of_fold(other)
    np.testing.assert_array_equal(plain[:40], changed[0][:40])
    assert temperatures[0] == changed[2][0]
    np.testing.assert_array_equal(cooled[:40], changed[1][:40])
    assert not np.allclose(plain[40:], changed[0][40:], atol=0.01)
    found = np.concatenate([rows[fold].truth_in(fold) for fold in FOLDS])
    assert (plain.argmax(axis=1) == found).mean() > 0.6


def test_a_fold_is_answered_by_its_own_layers() -> None:
    rows = made_up()
    deaf = dataclasses.replace(rows[1], rows=torch.zeros_like(rows[1].rows))
    plain, changed = out_of_fold(rows)[0], out_of_fold({**rows, 1: deaf})[0]
    np.testing.assert_array_equal(plain[:40], changed[:40])
    np.testing.assert_array_equal(plain[80:], changed[80:])
    assert np.ptp(changed[40:80], axis=0).max() == 0


def test_answers_that_are_too_sure_want_another_temperature() -> None:
    rows = made_up()
    clips = [Clip(torch.zeros(0), 1 + 4 * (n // 40), 0, n % 4) for n in range(120)]
    alike = folds(clips, rows)
    assert min(alike["single"]) < alike["pooled"] < max(alike["single"])
    louder = {fold: dataclasses.replace(one, rows=one.rows.clone()) for fold, one in rows.items()}
    for fold, one in louder.items():
        one.rows[one.folds == fold, 0] *= 4  # as asked, not as in the other take: no more right
    apart = folds(clips, louder)
    assert apart["pooled"] > 2 * alike["pooled"]
    assert apart["ece_after"] < apart["ece_before"]
    assert apart["scores"]["rows"] == len(clips)


@pytest.mark.parametrize("calibrate", [False, True])
def test_the_starter_is_given_what_all_answers_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrate: bool
) -> None:
    starter, out = tmp_path / "audio", tmp_path / "report.json"
    shutil.copytree(STARTERS / "audio", starter)
    clips = [Clip(torch.zeros(0), 1 + 4 * (n // 40), 0, n % 4) for n in range(120)]
    monkeypatch.setattr("evaluation.folds.speech.read_clips", lambda _: clips)
    args = argparse.Namespace(data=tmp_path, starter=starter, out=out, calibrate=calibrate)
    found = report(made_up(), args)
    manifest = manifests.read(starter)
    assert json.loads(out.read_text())["models"]["audio"]["revision"] == manifest.revision
    if not calibrate:
        assert manifest == manifests.read(STARTERS / "audio")
        return
    assert manifest.temperature == pytest.approx(found["pooled"], abs=1e-6)
    assert manifest.calibration is not None
    assert manifest.calibration["judged_rows"] == len(clips)
    assert manifest.calibration["ece_after"] == pytest.approx(found["ece_after"], abs=1e-6)
    assert manifest.revision != manifests.read(STARTERS / "audio").revision
