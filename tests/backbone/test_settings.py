"""What is set for NATS is checked before anything is connected to, and no message has a secret in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.backbone import settings
from hub.backbone.settings import NatsSettings, ended, nats_settings
from hub.errors import Refused

HIDDEN = "geheim%2Fword"


def given(**environ: str) -> NatsSettings:
    found = nats_settings({"CONCORD_NATS": "nats://h", **environ})
    assert found is not None
    return found


def test_without_servers_there_is_no_backbone() -> None:
    assert nats_settings({}) is None and nats_settings({"CONCORD_NATS": " "}) is None
    assert nats_settings({"CONCORD_NATS": "off"}) is None
    assert ended({"CONCORD_NATS": "OFF"}) and not ended({}) and not ended({"CONCORD_NATS": "nats://h"})


def test_servers_are_read_with_who_one_is_there() -> None:
    first, second, third = given(CONCORD_NATS=f"nats://ada:{HIDDEN}@a:4333, tls://b ,nats://t0ken@[::1]:1").servers
    assert (first.place, first.user, first.password, first.tls) == ("nats://a:4333", "ada", "geheim/word", False)
    assert (second.place, second.user, second.token, second.tls) == ("tls://b:4222", None, None, True)
    assert (third.place, third.host, third.token) == ("nats://[::1]:1", "::1", "t0ken")


def test_no_secret_is_shown() -> None:
    found = given(CONCORD_NATS=f"nats://ada:{HIDDEN}@a,nats://t0ken@b")
    for shown in (repr(found), str(found), found.places):
        assert "geheim" not in shown and "t0ken" not in shown


@pytest.mark.parametrize(
    "servers",
    [
        f"http://ada:{HIDDEN}@a",
        f"ada:{HIDDEN}@a:4222",
        f"nats://ada:{HIDDEN}@",
        f"nats://ada:{HIDDEN}@a:port",
        f"nats://ada:{HIDDEN}@a:99999",
        f"nats://ada:{HIDDEN}@a/stream",
        f"nats://ada:{HIDDEN}@a?x=1",
        f"nats://b,,nats://ada:{HIDDEN}@a",
        f"nats://ada:{HIDDEN}@[::1",
    ],
)
def test_a_server_that_is_not_well_written_is_told_without_its_password(servers: str) -> None:
    with pytest.raises(Refused, match=r"CONCORD_NATS: server \d is not written as nats://") as told:
        nats_settings({"CONCORD_NATS": servers})
    assert "geheim" not in str(told.value) and told.value.code == "nats-settings"


def test_what_is_asked_of_the_feed_has_sensible_values_unless_told() -> None:
    alone, three = given(), given(CONCORD_NATS="nats://a,nats://b,nats://c")
    assert (alone.wanted_replicas, three.wanted_replicas) == (1, 3)
    assert (alone.kept, alone.max_bytes, alone.monitors) == (timedelta(days=7), None, ())
    told = given(
        CONCORD_NATS_REPLICAS="5",
        CONCORD_FEED_DAYS="0.5",
        CONCORD_FEED_MAX_BYTES="5000000",
        CONCORD_NATS_MONITOR="http://a:8222/, http://b:8222",
    )
    assert (told.wanted_replicas, told.kept, told.max_bytes) == (5, timedelta(hours=12), 5_000_000)
    assert told.monitors == ("http://a:8222", "http://b:8222")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCORD_NATS_REPLICAS", "2"),
        ("CONCORD_FEED_DAYS", "0"),
        ("CONCORD_FEED_DAYS", "nan"),
        ("CONCORD_FEED_DAYS", "a week"),
        ("CONCORD_FEED_MAX_BYTES", "1"),
        ("CONCORD_FEED_MAX_BYTES", "²000000"),
        ("CONCORD_NATS_MONITOR", "a:8222"),
        ("CONCORD_NATS_MONITOR", "http://ada:pw@a:8222"),
        ("CONCORD_NATS_CA", "/nowhere/ca.pem"),
        ("CONCORD_NATS_CREDENTIALS", "/nowhere/hub.creds"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name):
        given(**{name: value})


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    (tmp_path / "hub.pem").write_text("x")
    with pytest.raises(Refused, match="go together"):
        given(CONCORD_NATS_CERT=str(tmp_path / "hub.pem"))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "find_spec", lambda _name: None)
    with pytest.raises(Refused, match=r"pip install 'concord-hub\[scale\]'"):
        given()


@pytest.mark.parametrize("content", ["", "geheim", "-----BEGIN X-----\ngeheim\n------END X------\n" * 2, "\xff"])
def test_a_file_that_holds_no_credentials_is_named_without_what_it_holds(content: str, tmp_path: Path) -> None:
    path = tmp_path / "hub.creds"
    path.write_text(content)
    with pytest.raises(Refused, match="is no credentials file") as told:
        given(CONCORD_NATS_CREDENTIALS=str(path))
    assert "geheim" not in str(told.value) and str(path) in str(told.value)
