import pytest
from pydantic import ValidationError

from api import settings
from api.settings import Settings

URL = "postgresql://user:secret@host/name"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(settings.env_name(field), raising=False)


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    loaded = settings.load()
    assert loaded.database_url == URL
    assert (loaded.api_host, loaded.api_port) == ("127.0.0.1", 8080)
    assert loaded.text_weight == 0.55
    assert loaded.store_input_text is False
    assert "secret" not in repr(loaded)
    with pytest.raises(ValidationError):
        loaded.text_weight = 0.1  # type: ignore[misc]


def test_only_database_url_sets_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROSENSE_DATABASE_URL", URL)
    with pytest.raises(SystemExit, match=r"^DATABASE_URL: Field required \(.*postgresql://"):
        settings.load()


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("NEUROSENSE_TEXT_WEIGHT", "")
    assert settings.load().text_weight == 0.55


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("NEUROSENSE_TEXT_WEIGHT", "2", "0 to 1"),
        ("NEUROSENSE_TEXT_WEIGHT", "nan", "0 to 1"),
        ("NEUROSENSE_API_PORT", "0", "1 to 65535"),
        ("NEUROSENSE_API_PORT", "many", "1 to 65535"),
        ("NEUROSENSE_STORE_INPUT_TEXT", "perhaps", "true or false"),
        ("NEUROSENSE_REQUEST_TIMEOUT_S", "inf", "up to 600"),
        ("DATABASE_URL", "mysql://user:secret@host/name", "postgresql://"),
        ("DATABASE_URL", "user:secret@host", "postgresql://"),
    ],
)
def test_a_wrong_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        settings.load()
    message = str(stopped.value)
    assert message.startswith(f"{name}: ")
    assert allowed in message
    assert "secret" not in message
    assert message.count("\n") == 0
