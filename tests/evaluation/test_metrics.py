"""Every measure is what scikit-learn says it is, also where classes or speakers are missing."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from evaluation import bootstrap, calibration, metrics
from export.starters import scores

CLASSES = 7


def drawn(seed: int, classes: int = CLASSES, rows: int = 400) -> tuple[metrics.Ints, metrics.Ints]:
    """Return truth and guess, right in about half of the rows."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, rows)
    guess = np.where(random.random(rows) < 0.5, truth, random.integers(0, CLASSES, rows))
    return truth, guess


def counts_of(truth: metrics.Ints, guess: metrics.Ints) -> metrics.Floats:
    counts: metrics.Floats = metrics.confusion_by_unit(truth, guess, np.zeros_like(truth))[0]
    return counts


CASES = [drawn(0), drawn(1, classes=4), drawn(2, classes=1), drawn(3, rows=3)]


@pytest.mark.parametrize(("truth", "guess"), CASES)
def test_measures_are_scikit_learns(truth: metrics.Ints, guess: metrics.Ints) -> None:
    counts = counts_of(truth, guess)
    occur = np.unique(truth)
    np.testing.assert_array_equal(
        counts, reference.confusion_matrix(truth, guess, labels=range(CLASSES))
    )
    f1 = {
        kind: reference.f1_score(truth, guess, labels=occur, average=kind, zero_division=0)
        for kind in ("macro", "weighted")
    }
    expected = {
        "accuracy": reference.accuracy_score(truth, guess),
        "unweighted_recall": reference.recall_score(truth, guess, labels=occur, average="macro"),
        "macro_f1": f1["macro"],
        "weighted_f1": f1["weighted"],
    }
    given = {name: measure(counts) for name, measure in metrics.MEASURES.items()}
    assert given == pytest.approx(expected)
    assert given["accuracy"] == pytest.approx(
        reference.recall_score(truth, guess, labels=occur, average="weighted")
    )


@pytest.mark.parametrize(("truth", "guess"), CASES)
def test_classes_are_scikit_learns(truth: metrics.Ints, guess: metrics.Ints) -> None:
    counts = counts_of(truth, guess)
    labels = list(range(CLASSES))
    precision, recall, f1, rows = reference.precision_recall_fscore_support(
        truth, guess, labels=labels, zero_division=0
    )
    occur = rows > 0
    np.testing.assert_allclose(metrics.precisions(counts), precision)
    np.testing.assert_allclose(metrics.recalls(counts)[occur], recall[occur])
    np.testing.assert_allclose(metrics.f1s(counts)[occur], f1[occur])
    assert np.isnan(metrics.recalls(counts)[~occur]).all()


@pytest.mark.parametrize(("truth", "guess"), CASES[:1])
def test_the_trainings_own_scores_are_these(truth: metrics.Ints, guess: metrics.Ints) -> None:
    """They are computed twice, because what exports may not import what evaluates."""
    counts = counts_of(truth, guess)
    np.testing.assert_array_equal(scores.confusion(truth, guess, CLASSES), counts)
    np.testing.assert_allclose(scores.recalls(truth, guess, CLASSES), metrics.recalls(counts))
    np.testing.assert_allclose(scores.f1_per_class(truth, guess, CLASSES), metrics.f1s(counts))
    for name in ("unweighted_recall", "macro_f1", "accuracy"):
        measure = getattr(scores, name)
        assert measure(truth, guess, CLASSES) == pytest.approx(metrics.MEASURES[name](counts))
    by_row = metrics.confusion_by_unit(truth, guess, np.arange(len(truth)))
    drawn = metrics.accuracy(bootstrap.draws(by_row))
    given = scores.interval(scores.accuracy, truth, guess, CLASSES)
    assert given == pytest.approx(bootstrap.interval(drawn), abs=0.006)


def probabilities(seed: int = 0, rows: int = 900) -> tuple[metrics.Ints, metrics.Floats]:
    random = np.random.default_rng(seed)
    vectors = random.dirichlet(np.full(CLASSES, 0.3), rows)
    truth = np.array([random.choice(CLASSES, p=vector) for vector in vectors])
    return truth, vectors


def test_calibration_is_scikit_learns() -> None:
    truth, vectors = probabilities()
    found = calibration.calibration(truth, vectors)
    assert found["log_loss"] == pytest.approx(reference.log_loss(truth, vectors))
    one_against_rest = [
        reference.brier_score_loss((truth == c).astype(int), vectors[:, c]) for c in range(CLASSES)
    ]
    assert found["brier"] == pytest.approx(sum(one_against_rest))
    right = vectors.argmax(axis=1) == truth
    accuracies, confidences = calibration_curve(
        right, vectors.max(axis=1), n_bins=calibration.BINS, strategy="uniform"
    )
    bins = found["bins"]
    assert isinstance(bins, list)
    np.testing.assert_allclose([one["accuracy"] for one in bins], accuracies)
    np.testing.assert_allclose([one["confidence"] for one in bins], confidences)
    rows = np.array([one["rows"] for one in bins])
    expected = (rows * np.abs(accuracies - confidences)).sum() / rows.sum()
    assert found["ece"] == pytest.approx(expected)


def test_a_sharpened_classifier_is_worse_calibrated() -> None:
    truth, vectors = probabilities()
    sharp = vectors**3 / (vectors**3).sum(axis=1, keepdims=True)
    assert calibration.ece(truth, vectors) < 0.04
    assert calibration.ece(truth, sharp) > 0.1


def test_chance_alone_makes_an_ece_which_more_rows_take_away() -> None:
    few, many = (calibration.by_chance(probabilities(rows=rows)[1]) for rows in (100, 3000))
    assert few["mean"] > 3 * many["mean"]
    within = 0
    for seed in range(40):
        truth, vectors = probabilities(seed, rows=150)
        limit = calibration.by_chance(vectors)["percentile_95"]
        within += calibration.ece(truth, vectors) <= limit
    assert 33 <= within <= 40


def test_abstaining_keeps_the_surest() -> None:
    truth, vectors = probabilities()
    curve = calibration.abstaining(truth, vectors)
    right = vectors.argmax(axis=1) == truth
    assert curve[0] == {
        "kept": 1.0,
        "confidence": pytest.approx(vectors.max(axis=1).min()),
        "accuracy": pytest.approx(right.mean()),
    }
    half = next(at for at in curve if at["kept"] == 0.5)
    surest = np.argsort(-vectors.max(axis=1))[: len(truth) // 2]
    assert half["accuracy"] == pytest.approx(right[surest].mean())
    assert half["accuracy"] > right.mean()


def test_abstaining_does_not_depend_on_the_order_of_equally_sure_rows() -> None:
    truth = np.repeat([0, 1], 50)  # the first half is right, and as sure as the other
    curve = calibration.abstaining(truth, np.tile([0.8, 0.2], (100, 1)))
    assert {at["accuracy"] for at in curve} == {0.5}


def test_an_interval_holds_the_value_and_shrinks_with_rows() -> None:
    widths = []
    for rows in (50, 5000):
        truth, guess = drawn(5, rows=rows)
        by_unit = metrics.confusion_by_unit(truth, guess, np.arange(rows))
        low, high = bootstrap.interval(metrics.accuracy(bootstrap.draws(by_unit)))
        value = metrics.accuracy(by_unit.sum(axis=0))
        assert low < value < high
        # The normal approximation of a share's interval.
        assert high - low == pytest.approx(2 * 1.96 * np.sqrt(value * (1 - value) / rows), rel=0.12)
        widths.append(high - low)
    assert widths[1] < widths[0] / 5


def test_speakers_are_drawn_whole() -> None:
    truth = np.zeros(100, np.int64)
    guess = np.repeat([0, 1], 50)  # one speaker always right, the other never
    speakers = np.repeat([0, 1], 50)
    by_unit = metrics.confusion_by_unit(truth, guess, speakers)
    assert set(metrics.accuracy(bootstrap.draws(by_unit))) == {0.0, 0.5, 1.0}


def test_mcnemar_is_the_exact_binomial_test() -> None:
    truth, first = drawn(7)
    _, second = drawn(8)
    second = np.where(np.arange(len(truth)) % 3 == 0, truth, second)
    found = bootstrap.mcnemar(truth, first, second)
    only = found["only_first_right"], found["only_second_right"]
    assert only == (
        ((first == truth) & (second != truth)).sum(),
        ((first != truth) & (second == truth)).sum(),
    )
    expected = binomtest(int(only[0]), int(sum(only)), 0.5).pvalue
    assert found["p"] == pytest.approx(expected)
    assert bootstrap.mcnemar(truth, first, first)["p"] == 1.0


def test_a_paired_bootstrap_sees_a_difference_and_none() -> None:
    truth, first = drawn(9, rows=1000)
    better = np.where(np.arange(1000) % 5 == 0, truth, first)
    counts = [metrics.confusion_by_unit(truth, g, np.arange(1000)) for g in (first, better)]
    found = bootstrap.paired(counts[0], counts[1], metrics.macro_f1)
    expected = reference.f1_score(truth, better, average="macro") - reference.f1_score(
        truth, first, average="macro"
    )
    assert found["difference"] == pytest.approx(expected)
    assert 0 < found["p"] < 0.01  # type: ignore[operator]
    assert bootstrap.paired(counts[0], counts[0], metrics.macro_f1)["p"] == 1.0
