"""No actor is answered by a fit, or cooled by a temperature, that has seen the actor's labels."""

import dataclasses

import numpy as np
import torch

from evaluation.folds import Rows, out_of_fold, transfer


def made_up() -> Rows:
    """Three folds of 40 clips, two takes each, whose classes can be told in part."""
    random = torch.Generator().manual_seed(0)
    truth = torch.arange(120) % 4
    rows = torch.randn(120, 2, 6, generator=random)
    rows[torch.arange(120), :, truth] += 1.5
    silent = torch.randn(8, 6, generator=random) - 3
    return Rows(rows, silent, truth, np.arange(120) // 40, penalty=0.01)


def test_answers_do_not_depend_on_the_folds_own_labels() -> None:
    rows = made_up()
    other = dataclasses.replace(rows, truth=torch.where(torch.arange(120) < 40, 0, rows.truth))
    (plain, cooled, temperatures), changed = out_of_fold(rows), out_of_fold(other)
    np.testing.assert_array_equal(plain[:40], changed[0][:40])
    assert temperatures[0] == changed[2][0]
    np.testing.assert_array_equal(cooled[:40], changed[1][:40])
    assert not np.allclose(plain[40:], changed[0][40:], atol=0.01)
    found = np.concatenate([rows.truth_in(fold) for fold in range(3)])
    assert (plain.argmax(axis=1) == found).mean() > 0.6


def test_strangers_of_whom_it_is_too_sure_want_another_temperature() -> None:
    rows = made_up()
    alike = transfer(rows, strange=1, unasked=2)
    assert alike["folds"] == [alike["heard"], alike["strangers"]]
    assert min(alike["heard"], alike["strangers"]) < alike["both"]
    assert alike["both"] < max(alike["heard"], alike["strangers"])
    louder = rows.rows.clone()
    louder[40:80, 0] *= 4  # as asked, not as in the other take: surer, and no more often right
    apart = transfer(dataclasses.replace(rows, rows=louder), strange=1, unasked=2)
    assert apart["strangers"] > 2 * apart["heard"]


def test_the_unasked_fold_is_in_no_temperature() -> None:
    rows = made_up()
    other = dataclasses.replace(rows, truth=torch.where(torch.arange(120) < 80, rows.truth, 0))
    assert transfer(rows, strange=1, unasked=2) == transfer(other, strange=1, unasked=2)
