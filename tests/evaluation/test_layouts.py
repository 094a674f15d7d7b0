"""Corpora as they are published, in small: every reader finds rows, labels, speakers, splits."""

import json
from pathlib import Path

import pytest

from evaluation.errors import EvaluationError
from evaluation.items import Dataset, Item, parts
from evaluation.layouts import Layout, read
from evaluation.pairs import pairs


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return folder


def facts(data: Dataset) -> list[tuple[object, ...]]:
    return [
        (i.label, i.text, i.audio and i.audio.name, i.speaker, i.dialogue, i.split, i.group)
        for i in data.items
    ]


def test_ravdess(tmp_path: Path) -> None:
    names = (
        "Actor_01/03-01-01-01-01-01-01.wav",
        "Actor_18/03-01-02-01-02-01-18.wav",
        "Actor_23/03-01-08-02-01-02-23.flac",
        "Actor_23/03-02-05-02-01-02-23.wav",  # a song
    )
    data = read(write(tmp_path, dict.fromkeys(names, "")), "ravdess")
    kids, dogs = "Kids are talking by the door.", "Dogs are sitting by the door."
    assert facts(data) == [
        ("neutral", kids, "03-01-01-01-01-01-01.wav", "01", None, "train", "men"),
        ("neutral", dogs, "03-01-02-01-02-01-18.wav", "18", None, "dev", "women"),
        ("surprise", kids, "03-01-08-02-01-02-23.flac", "23", None, "test", "men"),
    ]


def test_crema_d(tmp_path: Path) -> None:
    files = {
        "AudioWAV/1001_DFA_ANG_XX.wav": "",
        "AudioWAV/1078_IEO_SAD_HI.wav": "",
        "VideoDemographics.csv": "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,x,y\n",
    }
    assert facts(read(write(tmp_path, files), "crema-d")) == [
        (
            "anger",
            "Don't forget a jacket.",
            "1001_DFA_ANG_XX.wav",
            "1001",
            None,
            "train",
            "men",
        ),
        ("sadness", "It's eleven o'clock.", "1078_IEO_SAD_HI.wav", "1078", None, "test", None),
    ]


def test_emo_db(tmp_path: Path) -> None:
    names = ("wav/03a01Fa.wav", "wav/16b10Wb.wav", "wav/13a02Lc.wav", "wav/14a02Ec.wav")
    data = read(write(tmp_path, dict.fromkeys(names, "")), "emo-db")
    assert facts(data) == [
        ("joy", None, "03a01Fa.wav", "03", None, "train", "men"),
        ("disgust", None, "14a02Ec.wav", "14", None, "dev", "women"),
        ("anger", None, "16b10Wb.wav", "16", None, "test", "women"),
    ]
    assert data.left_out == {"label L": 1}


def test_goemotions_with_its_own_28_labels(tmp_path: Path) -> None:
    labels = (
        "admiration amusement anger annoyance approval caring confusion curiosity desire "
        "disappointment disapproval disgust embarrassment excitement fear gratitude grief joy love "
        "nervousness optimism pride realization relief remorse sadness surprise neutral"
    )
    files = {
        "emotions.txt": labels.replace(" ", "\n"),
        "test.tsv": "So kind of you!\t0,15\tx1\nWell, well\t7,27\tx2\nWhy?\t7\tx3\n",
        "dev.tsv": "Go away\t3\tx4\n",
    }
    data = read(write(tmp_path, files), "goemotions")
    assert [(i.label, i.text, i.split) for i in data.items] == [
        ("anger", "Go away", "dev"),
        ("joy", "So kind of you!", "test"),  # two labels, one emotion
        ("surprise", "Why?", "test"),
    ]
    assert data.left_out == {"test: several emotions": 1}


def test_goemotions_folded_already(tmp_path: Path) -> None:
    labels = "anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n"
    data = read(write(tmp_path, {"labels.txt": labels, "test.tsv": "Oh no\t2\tx\n"}), "goemotions")
    assert [(i.label, i.text) for i in data.items] == [("fear", "Oh no")]


def test_meld(tmp_path: Path) -> None:
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season\n"
    files = {
        "data/dev_sent_emo.csv": head + '1,"Oh my God, he lost it.",Phoebe,sadness,neg,0,3,4\n',
        "data/test_sent_emo.csv": head + "1,Why?,Joey,surprise,pos,2,0,3\n2,Hey,Joey,joy,pos,2,1,3",
        "raw/dev_splits_complete/dia0_utt3.mp4": "",
        "raw/output_repeated_splits_test/dia2_utt0.mp4": "",
        "raw/train_splits/dia2_utt1.mp4": "",  # another split's
    }
    data = read(write(tmp_path, files), "meld")
    assert facts(data) == [
        ("sadness", "Oh my God, he lost it.", "dia0_utt3.mp4", "Phoebe", "dev-0", "dev", None),
        ("surprise", "Why?", "dia2_utt0.mp4", "Joey", "test-2", "test", None),
        ("joy", "Hey", None, "Joey", "test-2", "test", None),
    ]
    assert data.left_out == {"utterances without their clip (their text is used)": 1}


def test_iemocap(tmp_path: Path) -> None:
    name = "Ses01F_impro01"
    labels = (
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        f"[6.2901 - 8.2357]\t{name}_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
        "C-E2:\tNeutral;\t()\n"
        f"[10.0100 - 11.3925]\t{name}_M001\texc\t[2.5000, 2.5000, 2.5000]\n"
        f"[12.0100 - 13.3925]\t{name}_M002\txxx\t[2.5000, 2.5000, 2.5000]\n"
    )
    texts = f"{name}_F000 [006.2901-008.2357]: Excuse me.\nM: breathing\n"
    session = "IEMOCAP/Session1"
    files = {
        f"{session}/dialog/EmoEvaluation/{name}.txt": labels,
        f"{session}/dialog/transcriptions/{name}.txt": texts,
        f"{session}/sentences/wav/{name}/{name}_F000.wav": "",
        f"{session}/sentences/wav/{name}/{name}_M001.wav": "",
    }
    data = read(write(tmp_path, files), "iemocap")
    assert facts(data) == [
        ("neutral", "Excuse me.", f"{name}_F000.wav", "Session1-F", name, "session1", "women"),
        ("joy", None, f"{name}_M001.wav", "Session1-M", name, "session1", "men"),
    ]
    assert data.left_out == {"label xxx": 1}


def test_manifests_in_csv_and_json_lines(tmp_path: Path) -> None:
    (tmp_path / "one.wav").touch()
    rows = [
        {"text": "Hi", "audio": "one.wav", "label": "hap", "speaker": "A", "note": "ignored"},
        {"text": "Oh, no", "label": "sadness", "split": "dev", "group": "phone"},
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    write(
        tmp_path,
        {
            "rows.jsonl": lines,
            "rows.csv": "text,audio,label,speaker,split,group\n"
            'Hi,one.wav,hap,A,,\n"Oh, no",,sadness,,dev,phone\n',
        },
    )
    expected = [
        ("joy", "Hi", "one.wav", "A", None, None, None),
        ("sadness", "Oh, no", None, None, None, "dev", "phone"),
    ]
    assert facts(read(tmp_path / "rows.jsonl")) == expected
    assert facts(read(tmp_path / "rows.csv")) == expected


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,label\nHi,hap\nHo,bored\n", r"row 2: label 'bored' is none of the seven"),
        ("text,emotion\nHi,joy\n", r"row 1: there is no label; the columns are text, audio"),
        ("text,label\n,joy\n", r"row 1: there is neither text nor audio"),
        ("audio,label\nnone.wav,joy\n", r"row 1: .*none\.wav is no file"),
    ],
)
def test_a_bad_manifest_names_the_row(tmp_path: Path, content: str, complaint: str) -> None:
    write(tmp_path, {"rows.csv": content})
    with pytest.raises(EvaluationError, match=complaint):
        read(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("path", "layout", "complaint"),
    [
        (".", None, "say whose layout it has"),
        ("rows.csv", "meld", "reads the corpus's folder"),
        ("missing", None, "is not there"),
        (".", "meld", "holds nothing in the layout of meld"),
        (".", "goemotions", "no label order"),
    ],
)
def test_the_wrong_layout_is_named(
    tmp_path: Path, path: str, layout: Layout | None, complaint: str
) -> None:
    write(tmp_path, {"rows.csv": "text,label\nHi,joy\n"})
    with pytest.raises(EvaluationError, match=complaint):
        read(tmp_path / path, layout)


def test_parts_are_dev_and_test_or_all() -> None:
    items = [Item("joy", text=split, split=split) for split in ("train", "dev", "test")]
    data = Dataset("d", items, {})
    assert [(p.name, [i.text for i in p.items]) for p in parts(data, "dev", "test")] == [
        ("dev", ["dev"]),
        ("test", ["test"]),
    ]
    with pytest.raises(EvaluationError, match="no split 'held'; it has dev, test, train"):
        parts(data, "dev", "held")
    alone = Dataset("d", [Item("joy", text="x")], {})
    assert [p.name for p in parts(alone, "dev", "test")] == ["all"]


def test_pairs_have_one_emotion_and_one_split() -> None:
    texts = [
        Item(label, text=f"{split} {label} {number}", split=split)
        for split in ("train", "dev", "test")
        for label in ("joy", "fear")
        for number in range(4)
    ]
    clips = [
        Item(label, audio=Path(f"/{split}.wav"), speaker="7", split=split)
        for split in ("train", "dev", "test")
        for label in ("joy", "fear")
    ]
    rows = list(pairs(texts, clips, 5, ("joy",)))
    assert rows == list(pairs(texts, clips, 5, ("joy",)))  # seeded
    assert [row["split"] for row in rows] == ["dev"] * 5 + ["test"] * 5
    for row in rows:
        assert row["label"] == "joy"
        assert str(row["text"]).startswith(f"{row['split']} joy")
        assert row["audio"] == f"/{row['split']}.wav"
    assert len({row["text"] for row in rows}) > 2
