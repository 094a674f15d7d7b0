"""What the cards, the README and the page on responsible use say is what the reports hold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evaluation.folds import calibration
from export import manifest as manifests
from export.manifest import Branch
from export.starter import GRAPH, STARTERS, WEIGHTS
from export.starters import speech

PROJECT = Path(__file__).parents[2]
REPORTS = PROJECT / "evaluation/reports"
EMOTIONS = {"neu": "neutral", "hap": "joy", "ang": "anger", "sad": "sadness"}


def words(file: str | Path) -> str:
    """A document in one line, since where lines break says nothing."""
    return " ".join((PROJECT / file).read_text(encoding="utf-8").split())


def report(name: str) -> Any:
    return json.loads((REPORTS / f"{name}.json").read_text())


def of_audio(part: str) -> Any:
    return report("audio-starter")["parts"][part]["audio"]["own_emotions"]


def span(measure: Mapping[str, Any]) -> str:
    low, high = measure["interval"]
    return f"{low:.3f}–{high:.3f}"  # noqa: RUF001


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


AUDIO, TEXT = words("export/starters/audio/README.md"), words("export/starters/text/README.md")
README = words("README.md").split("## How right is it?")[1].split("## How fast is it?")[0]


@pytest.mark.parametrize(("part", "name"), [("dev", "dev"), ("test", "**test**")])
def test_the_audio_cards_scores(part: str, name: str) -> None:
    found = of_audio(part)
    uar = found["unweighted_recall"]
    shown = f"{uar['value']:.3f}"
    cells = [name, f"**{shown}**" if part == "test" else shown, span(uar)]
    cells += [f"{found['classes'][emotion]['recall']:.3f}" for emotion in EMOTIONS.values()]
    assert f"| {' | '.join(cells)} |" in AUDIO


def test_the_audio_cards_confusion_and_actors() -> None:
    found = of_audio("test")
    names, counts = found["confusion"]["emotions"], found["confusion"]["counts"]
    at = [names.index(EMOTIONS[label]) for label in speech.CLASSES]
    for label, row in zip(speech.CLASSES, at, strict=True):
        assert f"| {label} | {' | '.join(str(counts[row][column]) for column in at)} |" in AUDIO
    actors = [f"{one['unweighted_recall']:.3f}" for one in found["speakers"].values()]
    women, men = (found["groups"][sex]["unweighted_recall"] for sex in ("women", "men"))
    assert f"one by one: {', '.join(actors)}; the two women {women:.3f}, the two men {men:.3f}" in (
        AUDIO
    )


def test_the_cards_tables_of_changes() -> None:
    found = report("audio-starter")["changed"]["audio"]
    first = found["unchanged"]["unweighted_recall"]
    for name, one in found.items():
        uar = one["unweighted_recall"]
        less = "" if name == "unchanged" else signed(uar - first)
        assert f"| {name} | {uar:.3f} | {less} |".replace("|  |", "| |") in AUDIO
    for name, one in report("text-starter")["changed"]["text"].items():
        row = f"| {name} | {one['rows']} | {one['accuracy']:.3f} | {one['macro_f1']:.3f} |"
        assert row in TEXT


def test_temperatures_and_calibration_errors() -> None:
    fitted = manifests.read(STARTERS / "audio").calibration
    assert fitted is not None
    found, folds = of_audio("test")["calibration"], report("audio-folds")
    assert fitted == calibration(folds)
    assert f"So the {fitted['temperature']:.2f} is in the graph" in AUDIO
    assert f"starter's is {fitted['temperature']:.2f}, which the {fitted['fitted_rows']}" in README
    chance = found["ece_by_chance"]
    assert f"the expected calibration error is {found['ece']:.3f}" in AUDIO
    assert f"{chance['mean']:.3f} on average, and up to {chance['percentile_95']:.3f}" in AUDIO
    assert f"clips have {found['ece']:.3f}, of which chance alone makes up to" in README
    assert f"makes up to {chance['percentile_95']:.3f}" in README


def test_calibration_on_strangers() -> None:
    found = report("audio-folds")
    chance = found["ece_by_chance"]
    uar = found["scores"]["unweighted_recall"]
    error = f"{found['ece_after']:.3f}"
    assert found["ece_after"] <= 0.05
    card = " ".join(AUDIO.split())
    assert f"Over the {found['scores']['rows']} clips of actors 1 to 20" in card
    assert f"ECE is {error} ({found['ece_before']:.3f} without" in card
    assert f"{chance['mean']:.3f} on average, up to {chance['percentile_95']:.3f}" in card
    assert f"unweighted average recall is {uar['value']:.3f} ({span(uar)})" in card
    assert error in README
    single = [f"{temperature:.2f}" for temperature in found["single"]]
    wanted = f"a temperature of {found['pooled']:.2f}, single folds {', '.join(single[:-1])}"
    assert f"{wanted} and {single[-1]}:" in card


def test_the_text_cards_scores() -> None:
    made = report("text-fp32")["parts"]
    for part, bold in (("dev", ""), ("test", "**")):
        found = made[part]["text"]["own_emotions"]
        f1 = f"{found['macro_f1']['value']:.3f} ({span(found['macro_f1'])})"
        cells = f"{bold}{f1}{bold} | {found['accuracy']['value']:.3f} | {found['rows']:,}"
        assert f"| {bold}{part}{bold} | {cells} |" in TEXT
    classes = made["test"]["text"]["own_emotions"]["classes"].values()
    f1s = " | ".join(f"{one['f1']:.3f}" for one in classes)
    assert f"| F1 | {f1s} |" in TEXT
    fitted = manifests.read(STARTERS / "text").calibration
    assert fitted is not None
    served = report("text-starter")["parts"]["test"]["text"]["own_emotions"]["calibration"]
    assert f"temperature is {fitted['temperature']:.2f}" in TEXT
    assert f"{served['ece']:.3f}, of which chance" in TEXT
    assert f"up to {served['ece_by_chance']['percentile_95']:.3f}" in TEXT


def test_the_readmes_rows() -> None:
    text = report("text-fp32")["parts"]["test"]["text"]["own_emotions"]
    f1, right = text["macro_f1"]["value"], text["accuracy"]["value"]
    assert f"{f1:.3f} macro-F1, {right:.1%} accuracy".replace("%", " %") in README
    assert f"{of_audio('test')['unweighted_recall']['value']:.3f} unweighted average" in README


def test_the_table_by_sex() -> None:
    page = words("api/responsible_use.md")
    for part in ("test", "dev"):
        cells = []
        for sex in ("women", "men"):
            one = of_audio(part)["groups"][sex]
            low, high = one["intervals"]["unweighted_recall"]
            cells.append(f"{one['unweighted_recall']:.3f} ({low:.3f} to {high:.3f})")
        assert f"| {part}: two women, two men, 72 clips each | {' | '.join(cells)} |" in page


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("pairs-seven", "all seven emotions"),
        ("pairs-four", "only the audio model's four"),
    ],
)
def test_fusion_on_pairs(name: str, row: str) -> None:
    found = report(name)["parts"]["test"]
    audio = found["audio"].get("all_rows", found["audio"]["own_emotions"])
    scored = (found["text"]["own_emotions"], audio, *found["fused"].values())
    values = [f"{one['macro_f1']['value']:.3f}" for one in scored]
    less = found["coverage_less_weighted"]["macro_f1"]
    low, high = (signed(limit) for limit in less["interval"])
    cells = " | ".join([*values, f"{signed(less['difference'])} ({low} to {high})"])
    assert f"| {row}, {found['rows']} pairs | {cells} |" in words(REPORTS / "README.md")
    assert values[2] in README
    assert values[3] in README


def test_the_gates_of_lower_precisions() -> None:
    whole = words("README.md")
    gates = {branch: manifests.read(STARTERS / branch).gates or {} for branch in ("text", "audio")}
    agree = {
        (branch, precision): f"{gate['label_agreement']:.2%}".replace("%", " %")
        for branch, found in gates.items()
        for precision, gate in found.items()
    }
    assert f"passed on labelled data: {agree['text', 'int8']} of 5,427 sentences" in whole
    assert f"did not, with {agree['audio', 'int8']} of 240 clips" in whole
    for branch, figure in (("text", "mean difference {}"), ("audio", "unseen actors, {}")):
        assert figure.format(f"{gates[branch]['int8']['mean_abs_diff']:.4f}") in whole
    assert f"{agree['text', 'fp16']} of 5,427 sentences and {agree['audio', 'fp16']}" in whole


@pytest.mark.parametrize("branch", ["text", "audio"])
def test_reports_are_of_what_is_shipped(branch: Branch) -> None:
    revision = manifests.read(STARTERS / branch).revision
    for file in REPORTS.glob("*.json"):
        found = json.loads(file.read_text())
        if branch in (models := found["models"]):
            assert models[branch]["revision"] == revision, file.name


@pytest.mark.parametrize(("branch", "most_mb"), [("text", 25), ("audio", 20)])
def test_starters_are_small(branch: str, most_mb: int) -> None:
    files = [STARTERS / branch / name for name in (WEIGHTS, GRAPH)]
    assert sum(file.stat().st_size for file in files) <= most_mb * 1e6
