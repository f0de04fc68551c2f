"""The vault key is changed while the hub serves, and wherever the change breaks off, every secret still opens."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hub.connections.keys import FILE_VARIABLE, change_key, present_key
from tests.runtime.process import HubProcess, event

pytestmark = pytest.mark.processes


def key_file(hub: HubProcess) -> Path:
    return Path(hub.environ["CONCORD_KEY_FILE"])


def sealed_with(hub: HubProcess) -> set[str]:
    """Name the keys that the secrets in the database are sealed with."""
    rows = hub.asked("SELECT sealed FROM secrets")
    assert rows
    return {json.loads(sealed)["key_id"] for (sealed,) in rows}


def succeeded(hub: HubProcess, least: int) -> None:
    """Wait until so many runs have succeeded and nothing else is left; the service starts some, too."""
    end = time.monotonic() + 40
    while set(found := hub.api("GET", "/api/summary").json()["runs"]["greet"]) != {"succeeded"} or (
        found["succeeded"] < least
    ):
        assert time.monotonic() < end, found
        time.sleep(0.05)


def present(hub: HubProcess) -> Any:
    found = present_key({FILE_VARIABLE: str(key_file(hub))}, "x")
    assert found is not None
    return found


def test_the_key_changes_under_load_and_nothing_fails_to_open(hub: HubProcess) -> None:
    hub.store_secret()
    first = present(hub)
    hub.start()
    stop, statuses = threading.Event(), list[int]()

    def load() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            statuses.append(hub.hook(event(number)).status)

    loading = threading.Thread(target=load)
    loading.start()
    changed = [hub.api("POST", "/api/secrets/rotate-key").json() for _ in range(5)]
    stored = hub.run("vault", "set", "hello", input=json.dumps(hub.secrets()))
    changed.append(hub.api("POST", "/api/secrets/rotate-key").json())
    stop.set()
    loading.join()
    assert stored.returncode == 0
    assert [one["sealed"] for one in changed] == [1, 1, 1, 1, 1, 2]
    assert len({first.id, *(one["key"] for one in changed)}) == 7
    assert sealed_with(hub) == {present(hub).id} == {changed[-1]["key"]}
    assert set(statuses) == {202}
    succeeded(hub, len(statuses))
    assert hub.api("POST", "/api/audit/verify").json()["holds"]
    assert hub.end() == 0
    log = (hub.data.parent / "hub.log").read_text()
    assert "connection.unusable" not in log
    assert "connection.paused" not in log
    hub.start()
    assert hub.hook(event(9000)).status == 202
    assert hub.api("POST", "/api/audit/verify").json()["holds"]
    assert hub.end() == 0


def test_a_change_that_broke_off_is_brought_to_its_end_without_another_key(hub: HubProcess) -> None:
    """The process is killed when the new key is in the file and no secret is sealed with it yet."""
    hub.store_secret()
    hub.start()
    before = present(hub)
    assert hub.end(signal.SIGKILL) == -signal.SIGKILL
    change_key(key_file(hub), before, os.urandom(32))
    new = present(hub)
    assert sealed_with(hub) == {before.id}
    hub.start()
    assert hub.hook(event(1)).status == 202
    succeeded(hub, 1)
    told = {one["name"]: one for one in hub.api("GET", "/api/doctor").json()["findings"]}
    assert told["vault-key"]["mark"] == "warn"
    assert "rotate-key" in told["vault-key"]["advice"]
    done = hub.run("vault", "rotate-key", "--json")
    assert json.loads(done.stdout)["key"] == new.id == present(hub).id
    assert sealed_with(hub) == {new.id}
    assert {one["name"]: one for one in hub.api("GET", "/api/doctor").json()["findings"]}["vault-key"]["mark"] == "ok"
    assert hub.end() == 0


def test_an_earlier_key_is_forgotten_on_a_persons_word_and_what_it_signed_still_holds(hub: HubProcess) -> None:
    hub.store_secret()
    hub.start()
    assert hub.hook(event(1)).status == 202
    succeeded(hub, 1)
    assert hub.end() == 0
    old = key_file(hub).read_text().splitlines()[0]
    assert hub.run("vault", "rotate-key").returncode == 0
    assert old in key_file(hub).read_text()
    forgot = hub.run("vault", "rotate-key", "--forget")
    assert "holds the key" in re.sub(r"\s+", " ", forgot.stdout)
    text = key_file(hub).read_text()
    assert old not in text
    assert key_file(hub).stat().st_mode & 0o777 == 0o600
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["signed"]
    hub.start()
    assert hub.hook(event(2)).status == 202
    succeeded(hub, 2)
    assert hub.api("POST", "/api/audit/verify").json()["holds"]
    assert hub.end() == 0


def test_a_key_that_is_needed_is_not_forgotten(hub: HubProcess) -> None:
    hub.store_secret()
    change_key(key_file(hub), present(hub), os.urandom(32))
    refused = hub.run("vault", "rotate-key", "--forget")
    assert refused.returncode == 1
    assert "still sealed with an earlier key" in refused.stderr


def test_without_the_key_the_hub_does_not_start_and_says_what_to_do(hub: HubProcess) -> None:
    """A new key in the place of the one that is gone would only hide that it is gone."""
    hub.store_secret()
    key_file(hub).rename(key_file(hub).with_name("elsewhere"))
    for order in (["serve", "--port", "0"], ["vault", "list"]):
        refused = hub.run(*order)
        assert refused.returncode == 1
        assert "The vault key is not at" in refused.stderr
        assert "Put it back from your copy" in refused.stderr
    assert not key_file(hub).exists()


def test_with_another_key_no_secret_opens(hub: HubProcess) -> None:
    hub.store_secret()
    key_file(hub).write_text(base64.b64encode(os.urandom(32)).decode())
    tested = hub.run("connections", "test", "hello")
    assert tested.returncode == 1
    assert "sealed with another vault key" in tested.stdout
    assert hub.run("vault", "rotate-key").returncode == 1


def test_a_key_of_the_environment_is_changed_by_giving_both(hub: HubProcess) -> None:
    one, two = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    hub.environ |= {"CONCORD_KEY": one}
    hub.store_secret()
    nothing = hub.run("vault", "rotate-key")
    assert nothing.returncode == 1
    assert "CONCORD_KEY_PREVIOUS" in nothing.stderr
    hub.environ |= {"CONCORD_KEY": two, "CONCORD_KEY_PREVIOUS": one}
    assert hub.run("connections", "test", "hello").returncode == 0
    assert hub.run("vault", "rotate-key").returncode == 0
    del hub.environ["CONCORD_KEY_PREVIOUS"]
    assert hub.run("connections", "test", "hello").returncode == 0
