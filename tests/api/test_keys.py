"""The file of API keys, its changes, and what a running process makes of them."""

import hmac
import json
import logging
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api import keyring
from api.keyring import Keyring
from api.keys import PREFIX, KeysError, create, read, revoke


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "api_keys.json"


def test_a_key_is_found_again_and_only_its_hash_is_kept(file: Path) -> None:
    entry, key = create(file, "web-shop", ["analyze", "read", "analyze"])
    assert key.startswith(PREFIX)
    assert len(key) == len(PREFIX) + 43  # 32 bytes in base64
    assert entry.scopes == ("analyze", "read")
    assert Keyring(file).find(key) == entry == read(file)[0]
    for kept in file.parent.iterdir():
        assert key not in kept.read_text()
        assert key[len(PREFIX) :] not in kept.read_text()
    assert entry.sha256 not in repr(entry)


def test_the_file_is_for_its_owner_only(file: Path) -> None:
    old = os.umask(0)  # what a strict umask would hide
    try:
        create(file, "one", ["read"])
        create(file, "two", ["read"])
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("near", ["", PREFIX, "{}x", "x{}", "{} ", "{}\0", "\udcff", "ключ", "é"])
def test_what_is_only_nearly_a_key_is_none(file: Path, near: str) -> None:
    _, key = create(file, "one", ["admin"])
    assert Keyring(file).find(near.format(key)) is None


@pytest.mark.parametrize(
    ("scopes", "opens"),
    [
        (["analyze"], {"analyze"}),
        (["read"], {"read"}),
        (["analyze", "read"], {"analyze", "read"}),
        (["admin"], {"analyze", "read", "admin"}),
    ],
)
def test_admin_includes_the_others_and_nothing_includes_admin(
    file: Path, scopes: list[str], opens: set[str]
) -> None:
    entry, _ = create(file, "one", scopes)
    assert {scope for scope in ("analyze", "read", "admin") if entry.may(scope)} == opens


@pytest.mark.parametrize("name", ["", "two words", "-x", "a/b", "a\n", "x" * 65, "ключ"])
def test_a_name_that_would_confuse_is_refused(file: Path, name: str) -> None:
    with pytest.raises(KeysError, match="name of 1 to 64"):
        create(file, name, ["read"])
    assert not file.exists()


@pytest.mark.parametrize("scopes", [[], ["root"], ["analyze", ""]])
def test_a_scope_that_is_none_is_refused(file: Path, scopes: list[str]) -> None:
    with pytest.raises(KeysError, match="analyze, read or admin"):
        create(file, "one", scopes)


def test_a_name_is_given_once_and_revoked_by_name_or_id(file: Path) -> None:
    one, _ = create(file, "one", ["read"])
    two, _ = create(file, "two", ["read"])
    for taken in ("one", two.id):
        with pytest.raises(KeysError, match="already"):
            create(file, taken, ["admin"])
    assert revoke(file, one.id) == one
    assert revoke(file, "two") == two
    assert read(file) == ()
    with pytest.raises(KeysError, match="no key 'two'"):
        revoke(file, "two")


def make(file: Path, number: int) -> str:
    return create(file, f"key-{number}", ["analyze"])[1]


def test_keys_that_are_made_at_once_are_all_kept(file: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        keys = list(pool.map(make, [file] * 24, range(24)))
    ring = Keyring(file)
    assert {entry.name for key in keys if (entry := ring.find(key))} == {
        f"key-{n}" for n in range(24)
    }
    assert {path.name for path in file.parent.iterdir()} == {file.name, f"{file.name}.lock"}


def test_a_change_counts_at_once(file: Path) -> None:
    ring = Keyring(file)
    assert not ring.has_file
    _, first = create(file, "first", ["analyze"])
    assert ring.has_file
    assert ring.find(first)
    _, second = create(file, "second", ["analyze"])
    assert ring.find(second)
    revoke(file, "first")
    assert ring.find(first) is None
    assert ring.find(second)
    revoke(file, "second")
    assert ring.has_file, "without its last key the door stays closed"
    assert len(ring) == 0


def test_a_change_counts_in_every_process(file: Path) -> None:
    rings = [Keyring(file) for _ in range(3)]
    with ProcessPoolExecutor(1) as pool:
        key = pool.submit(make, file, 1).result()
        assert all(ring.find(key) for ring in rings)
        pool.submit(revoke, file, "key-1").result()
        assert not any(ring.find(key) for ring in rings)


def broken(content: bytes) -> Any:
    return lambda file: file.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        broken(b""),
        broken(b'{"keys": [{"id"'),
        broken(b'{"keys": []'),
        broken(b"[]"),
        broken(b'{"keys": [{"name": "x", "scopes": ["admin"]}]}'),
        broken(b"\xff\xfe"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), file.parent.rename(file.parent.with_name("elsewhere"))),
    ],
)
def test_a_file_that_breaks_changes_nothing_and_is_said_once(
    file: Path, harm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    entry, key = create(file, "one", ["analyze"])
    ring = Keyring(file)
    harm(file)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert ring.find(key) == entry
            assert ring.find("ns_other") is None
            assert ring.has_file
    assert len(caplog.records) == 1
    assert str(file) in caplog.text
    assert "those of before stay valid" in caplog.text
    assert key not in caplog.text
    assert entry.sha256 not in caplog.text


def test_a_file_that_was_mended_counts_again(file: Path) -> None:
    _, key = create(file, "one", ["analyze"])
    whole = file.read_bytes()
    ring = Keyring(file)
    file.write_bytes(whole[:-20])
    assert ring.find(key)
    file.unlink()
    _, newer = create(file, "two", ["analyze"])
    assert ring.find(newer)
    assert ring.find(key) is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys": [1]}'])
def test_a_file_that_is_broken_from_the_start_is_an_error(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(KeysError, match=r"api_keys\.json is no file of API keys"):
        Keyring(file)


def test_an_error_does_not_repeat_what_stands_in_the_file(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"keys": [{"sha256": "ns_a-raw-key-by-mistake"}]}))
    with pytest.raises(KeysError) as caught:
        read(file)
    assert "mistake" not in str(caught.value)


def test_the_pages_key_is_one_more_and_closes_nothing() -> None:
    ring = Keyring(None, SecretStr("p" * 32))
    page = ring.find("p" * 32)
    assert page is not None
    assert page.scopes == ("analyze",)
    assert len(ring) == 1
    assert not ring.has_file


def test_every_entry_is_compared_and_in_constant_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [create(file, f"key-{n}", ["analyze"])[1] for n in range(5)]
    ring = Keyring(file)
    compared: list[str] = []
    real = hmac.compare_digest

    def watched(kept: str, given: str) -> bool:
        compared.append(kept)
        return real(kept, given)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for given in (keys[0], keys[4], "ns_unknown"):
        compared.clear()
        ring.find(given)
        assert len(compared) == 5


def test_a_file_that_did_not_change_is_not_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = create(file, "one", ["analyze"])
    ring = Keyring(file)
    monkeypatch.setattr(keyring, "read", lambda _: pytest.fail("it was read"))
    assert ring.find(key)
    assert ring.has_file
