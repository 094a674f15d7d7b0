"""From answers to report: resuming, comparing, ceilings; a made-up model answers here."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from ensemble.labels import EMOTIONS
from evaluation.answers import FILE_NAME, Answer, stored
from evaluation.asking import collect
from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Item
from evaluation.run import JSON_NAME, PAGE_NAME, evaluate
from evaluation.sweep import WEIGHTS
from export.manifest import Branch

FOUR = ["anger", "joy", "neutral", "sadness"]


class Made:
    """Answers by the item's number: text and audio are right by chance, the audio of FOUR."""

    def __init__(self, version: int = 1, stop_after: int | None = None) -> None:
        self.version = version
        self.stop_after = stop_after
        self.asked: list[str] = []

    def models(self, branches: Sequence[Branch]) -> dict[str, dict[str, Any]]:
        made = {"name": "made", "version": self.version, "weights": "local"}
        return {
            branch: {**made, "coverage": list(EMOTIONS) if branch == "text" else FOUR}
            for branch in branches
        }

    def ask(self, items: Sequence[Item], keep: Callable[[Item, Answer], None]) -> None:
        for item in items:
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(str(item.text))
            keep(item, self.answer(item))

    def answer(self, item: Item) -> Answer:
        if item.text == "0":
            return Answer(error="text_empty")
        random = np.random.default_rng([self.version, int(item.text or 0)])
        text, audio = (random.dirichlet(np.ones(7)) for _ in range(2))
        text[EMOTIONS.index(item.label)] += 0.3
        audio[[e not in FOUR for e in EMOTIONS]] = 0
        audio[EMOTIONS.index(item.label)] += 0.3 * (item.label in FOUR)
        return Answer(text=list(text / text.sum()), audio=list(audio / audio.sum()))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the place of a recording: nothing here listens."""
    file = tmp_path_factory.mktemp("clips") / "someone.wav"
    file.write_bytes(b"one")
    return file


@pytest.fixture(scope="module")
def data(clip: Path) -> Dataset:
    items = [
        Item(
            EMOTIONS[number % 7],
            text=str(number),
            audio=clip,
            speaker=f"s{number % 9}",
            split="dev" if number % 2 else "test",
            group="odd" if number % 3 else "even",
        )
        for number in range(280)
    ]
    return Dataset("made", items, {})


@pytest.fixture(scope="module")
def folders(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Evaluations of two versions, the second compared with the first."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    evaluate(data, Made(version=1), first)
    evaluate(data, Made(version=2), second, against=first)
    return [first, second]


def report_in(folder: Path) -> Any:
    return json.loads((folder / JSON_NAME).read_text())


def test_a_run_that_was_stopped_goes_on(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        collect(data.items, Made(stop_after=100), tmp_path)
    file = tmp_path / FILE_NAME
    file.write_text(file.read_text()[:-9])  # the last line was not finished
    again = Made()
    answers = collect(data.items, again, tmp_path)
    assert again.asked == [str(item.text) for item in data.items[99:]]
    assert [answers.of(item) for item in data.items] == [Made().answer(i) for i in data.items]
    assert collect(data.items, Made(stop_after=0), tmp_path).missing(data.items) == []
    assert stored(tmp_path).missing(data.items) == []


def test_answers_hold_neither_texts_nor_paths(clip: Path, tmp_path: Path) -> None:
    items = [Item("joy", text="7", audio=clip, speaker="Ann")]
    collect(items, Made(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / FILE_NAME).read_text().splitlines()]
    assert set(lines[1]) == {"key", "text", "audio"}
    assert "someone" not in str(lines)
    assert "Ann" not in str(lines)


def test_a_recording_is_known_by_its_content(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it lies and however its path is typed; replaced, it is another one."""
    copied = tmp_path / "else.wav"
    copied.write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    first = Item("joy", text="7", audio=clip)
    assert Item("fear", text="7", audio=Path("else.wav")).key == first.key
    assert Item("joy", text="8", audio=clip).key != first.key
    assert Item("joy", text="7").key != first.key
    copied.write_bytes(b"two")
    assert Item("joy", text="7", audio=copied).key != first.key


def test_nothing_in_common_is_no_comparison(
    data: Dataset, folders: list[Path], tmp_path: Path
) -> None:
    other = Dataset("other", [Item("joy", text="281")], {})
    with pytest.raises(EvaluationError, match="has no answer to any item of all"):
        evaluate(other, Made(), tmp_path, against=folders[0])
    assert list(tmp_path.iterdir()) == []


def test_answers_of_other_models_are_not_mixed(data: Dataset, tmp_path: Path) -> None:
    collect(data.items, Made(version=1), tmp_path)
    with pytest.raises(EvaluationError, match=r"other models \(made 1, made 1, now made 2"):
        collect(data.items, Made(version=2), tmp_path)
    with pytest.raises(EvaluationError, match="no --out of an evaluation"):
        stored(tmp_path / "elsewhere")


def test_the_report_holds_what_it_must(data: Dataset, folders: list[Path]) -> None:
    test = report_in(folders[0])["parts"]["test"]
    assert test["rows"] == 140
    assert test["not_answered"] == {"text_empty": 1}
    assert test["text"]["own_emotions"]["rows"] == 139
    assert "all_rows" not in test["text"]
    audio = test["audio"]
    assert audio["own_emotions"]["rows"] == sum(item.label in FOUR for item in data.items[2::2])
    limit = audio["ceiling_on_all_rows"]
    assert limit["missing"] == ["disgust", "fear", "surprise"]
    assert limit["accuracy"] == pytest.approx(audio["own_emotions"]["rows"] / 139)
    assert limit["unweighted_recall"] == pytest.approx(4 / 7)
    assert audio["all_rows"]["accuracy"]["value"] <= limit["accuracy"]
    assert set(test["fused"]["weighted"]["groups"]) == {"odd", "even"}
    odd = test["fused"]["weighted"]["groups"]["odd"]
    assert (odd["speakers"], odd["drawn_by"]) == (6, "speaker")
    assert test["fused"]["weighted"]["groups"]["even"]["drawn_by"] == "row"  # three speakers
    assert len(test["fused"]["weighted"]["speakers"]) == 9
    assert test["fused"]["weighted"]["drawn_by"] == "speaker"
    speaker = test["fused"]["weighted"]["speakers"]["s1"]
    assert (speaker["speakers"], speaker["drawn_by"]) == (1, "row")
    for one, name in (
        (speaker, "accuracy"),
        (test["text"]["own_emotions"]["classes"]["joy"], "f1"),
    ):
        low, high = one.get(f"{name}_interval") or one["intervals"][name]
        assert low < one[name] < high


def test_the_sweep_ends_at_each_branch_alone(folders: list[Path]) -> None:
    made = report_in(folders[0])
    test = made["parts"]["test"]
    for curve in test["sweep"].values():
        assert [at["weight"] for at in curve] == list(WEIGHTS)
        for end, branch in ((0, "audio"), (-1, "text")):
            scored = test[branch].get("all_rows", test[branch]["own_emotions"])
            for name in ("accuracy", "macro_f1"):
                assert curve[end][name] == pytest.approx(scored[name]["value"]), (end, branch)
    values = [test["fused"][name]["macro_f1"]["value"] for name in ("weighted", "coverage")]
    difference = test["coverage_less_weighted"]["macro_f1"]["difference"]
    assert difference == pytest.approx(values[1] - values[0])
    assert test["sweep"]["weighted"][0]["ceiling"] < 0.7
    assert test["sweep"]["weighted"][-1]["ceiling"] == 1.0
    default = next(at for at in test["sweep"]["weighted"] if at["weight"] == 0.55)
    assert default["accuracy"] == test["fused"]["weighted"]["accuracy"]["value"]
    for strategy, chosen in made["fusion_chosen_on_dev"].items():
        on_dev = made["parts"]["dev"]["sweep"][strategy]
        best = max(at["macro_f1"] for at in on_dev)
        assert {at["weight"]: at for at in on_dev}[chosen["weight"]]["macro_f1"] == best
        at_test = {at["weight"]: at for at in test["sweep"][strategy]}[chosen["weight"]]
        assert chosen["test"]["macro_f1"]["value"] == at_test["macro_f1"]


def test_two_versions_are_compared(folders: list[Path]) -> None:
    first, made = (report_in(folder) for folder in folders)
    text = made["compared_with"]["results"]["text"]
    values = [
        report["parts"]["test"]["text"]["own_emotions"]["macro_f1"]["value"]
        for report in (first, made)
    ]
    assert text["macro_f1"]["difference"] == pytest.approx(values[1] - values[0])
    low, high = text["macro_f1"]["interval"]
    assert low < values[1] - values[0] < high
    assert set(made["compared_with"]["results"]) == {"text", "audio", "fused"}


def test_the_page_is_whole(folders: list[Path]) -> None:
    page = (folders[1] / PAGE_NAME).read_text()
    assert page.count("<table>") == page.count("</table>") > 20
    assert "no output for disgust, fear, surprise" in page
    assert "Compared with another version" in page
    assert "http" not in page  # nothing is fetched


def test_a_plot_shows_the_figures(folders: list[Path]) -> None:
    """Every point lies in the field, at the height of its value."""
    found = re.findall(r"<svg .+?</svg>", (folders[1] / PAGE_NAME).read_text(), re.DOTALL)
    assert len(found) > 8
    for svg in found:
        ElementTree.fromstring(svg)  # noqa: S314  our own
    curve = report_in(folders[1])["parts"]["test"]["text"]["own_emotions"]["abstaining"]
    named = f"All answered: {curve[0]['accuracy']:.3f}"
    plot = next(svg for svg in found if named in svg)
    [line] = [p for p in re.findall(r'points="([^"]+)"', plot) if p.count(",") == len(curve)]
    heights = [float(point.split(",")[1]) for point in line.split()]
    bottom, top = (
        float(re.findall(rf'y="([\d.]+)" text-anchor="end">{tick}<', plot)[0]) - 4
        for tick in ("0", "1")
    )
    shown = [(bottom - height) / (bottom - top) for height in heights]
    assert shown == pytest.approx([at["accuracy"] for at in curve], abs=1e-3)
