"""A version is there whole or not at all, whatever happens to the publisher."""

from pathlib import Path

import pytest

from export.manifest import Manifest, read
from export.publish import staged
from export.starter import publish_starter
from tests.export.exported import found


def manifest_of(name: str) -> Manifest:
    return Manifest(
        branch="audio",
        name=name,
        revision="1",
        weights="local",
        labels={},
        coverage=[],
        precision="fp32",
        opset=17,
        parity={},
        files={},
    )


def publish(repository: Path, name: str) -> Manifest:
    with staged(repository, "audio") as stage:
        (stage.classifier / "model.onnx").write_text(name)
        return stage.commit(manifest_of(name))


def test_versions_count_up_and_the_newest_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, "audio", name="a", revision=None, weights="local") is None
    assert [publish(tmp_path, name).version for name in "aba"] == [1, 2, 3]
    newest = found(tmp_path, "audio", name="a", revision="1", weights="local")
    assert newest is not None
    assert newest.version == 3
    assert read(tmp_path / "audio_classifier/2").name == "b"


def test_incomplete_version_is_not_found(tmp_path: Path) -> None:
    publish(tmp_path, "a")
    publish(tmp_path, "a")
    (tmp_path / "audio_classifier/2/model.onnx").unlink()
    newest = found(tmp_path, "audio", name="a", revision=None, weights="local")
    assert newest is not None
    assert newest.version == 1


def fail_half_way(repository: Path) -> None:
    with staged(repository, "audio") as stage:
        (stage.classifier / "model.onnx").write_text("half")
        raise RuntimeError("the rest cannot be made")


def test_failed_publishing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the rest"):
        fail_half_way(tmp_path)
    assert list((tmp_path / "audio_classifier").iterdir()) == []


def test_starter_is_published_once(tmp_path: Path) -> None:
    first = publish_starter("audio", tmp_path)
    assert publish_starter("audio", tmp_path) == first
    assert first.weights == "starter"
    assert first.version == 1
