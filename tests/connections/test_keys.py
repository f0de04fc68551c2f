"""Where the vault key comes from, and what is refused."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from hub.connections.keys import VaultKey, load_key, notice
from hub.errors import Refused

MATERIAL = bytes(range(32))


def load(tmp_path: Path, environment: dict[str, str] | None = None, key_file: Path | None = None) -> VaultKey:
    """Load the key of a hub whose data and home lie under `tmp_path`."""
    return load_key(
        environment={"XDG_CONFIG_HOME": str(tmp_path / "config"), **(environment or {})},
        hub_id="h_1",
        data_directory=tmp_path / "data",
        random=lambda size: MATERIAL[:size],
        key_file=key_file,
    )


def test_the_environment_comes_first(tmp_path: Path) -> None:
    other = bytes(32)
    key = load(tmp_path, {"CONCORD_KEY": base64.b64encode(other).decode()})
    assert (key.material, key.source, key.created) == (other, "CONCORD_KEY", False)
    assert not (tmp_path / "config").exists()


def test_the_first_use_makes_a_private_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config" / "concord" / "keys" / "h_1"
    first = load(tmp_path)
    assert first.created
    assert str(path) in notice(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = load(tmp_path)
    assert (second.material, second.created, notice(second)) == (first.material, False, "")
    assert second.id == first.id


def test_a_named_file_is_used(tmp_path: Path) -> None:
    named = tmp_path / "elsewhere" / "key"
    assert load(tmp_path, key_file=named).source == str(named)
    assert load(tmp_path, {"CONCORD_KEY_FILE": str(named)}).source == str(named)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load(tmp_path)
    path = tmp_path / "config" / "concord" / "keys" / "h_1"
    path.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600") as caught:
        load(tmp_path)
    assert caught.value.code == "key-file-open"


def test_a_key_beside_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        load(tmp_path, key_file=tmp_path / "data" / "key")
    assert caught.value.code == "key-beside-data"


def test_a_link_into_the_data_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data" / "key")
    with pytest.raises(Refused) as caught:
        load(tmp_path, key_file=tmp_path / "link")
    assert caught.value.code == "key-beside-data"


def test_a_path_that_cannot_be_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "folder" / ".." / "folder"):
        with pytest.raises(Refused) as caught:
            load(tmp_path, key_file=path)
        assert caught.value.code == "no-key-file"


@pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_malformed_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused) as caught:
        load(tmp_path, {"CONCORD_KEY": text})
    assert caught.value.code == "bad-vault-key"
    assert text not in str(caught.value)


def test_a_key_does_not_show() -> None:
    key = VaultKey(material=os.urandom(32), source="CONCORD_KEY")
    assert repr(key.material) not in repr(key)
