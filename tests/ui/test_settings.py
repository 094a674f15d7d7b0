"""The page's key: from a variable or a file, and never shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ui.settings import Settings, explained


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEUROSENSE_API_KEY", "NEUROSENSE_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_key_comes_from_a_variable_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings().key is None
    (tmp_path / "key").write_text("ns_of-the-file\n")
    monkeypatch.setenv("NEUROSENSE_API_KEY_FILE", str(tmp_path / "key"))
    assert Settings().key == "ns_of-the-file"
    monkeypatch.setenv("NEUROSENSE_API_KEY", "ns_of-the-variable")
    assert Settings().key == "ns_of-the-variable"
    assert "variable" not in repr(Settings())


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff", "cannot be read"),
     ("ключ".encode(), "no API key"), (b"two\nlines", "no API key")],
)  # fmt: skip
def test_a_file_without_a_key_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("NEUROSENSE_API_KEY_FILE", str(file))
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert explained(caught.value).startswith("NEUROSENSE_API_KEY_FILE: ")
    assert said in explained(caught.value)


def test_a_variable_that_is_no_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROSENSE_API_KEY", "пароль")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "NEUROSENSE_API_KEY: " in explained(caught.value)
    assert "пароль" not in explained(caught.value) + str(caught.value)
