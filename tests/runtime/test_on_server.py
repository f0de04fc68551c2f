"""A hub whose data is on PostgreSQL: it serves, is examined, and says what is not for it, never with the password."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.runtime.process import HubProcess, event

pytestmark = pytest.mark.processes


@pytest.fixture
def hub(hub: HubProcess, databases: postgres.Databases) -> HubProcess:
    """Give a hub whose database has no tables yet."""
    hub.environ["CONCORD_DATABASE"] = databases.bare()
    return hub


def examined(hub: HubProcess, *options: str) -> tuple[int, dict[str, Any]]:
    """Give the exit status of the check-up, and what was found by its name."""
    done = hub.run("doctor", "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["findings"]}


def test_a_hub_serves_from_a_server_and_is_well(hub: HubProcess) -> None:
    """What it was given is there after its end, for commands beside it and for the next start; there is no file."""
    password = hub.environ["CONCORD_DATABASE"].split(":")[2].split("@")[0]
    hub.store_secret()
    hub.start()
    for number in range(3):
        assert hub.hook(event(number)).status == 202
    hub.settled({"succeeded": 3})
    running = json.loads(hub.run("runs", "list", "--json").stdout)
    status, found = examined(hub, "--deep")
    assert (status, [each for each in found.values() if each["mark"] == "fail"]) == (status, [])
    assert found["settings"]["found"].startswith("fsync, full pages")
    assert found["contents"]["mark"] == found["audit"]["mark"] == "ok"
    assert hub.end() == 0
    assert json.loads(hub.run("runs", "list", "--json").stdout) == running
    status, found = examined(hub, "--deep")
    assert [each for each in found.values() if each["mark"] == "fail"] == []
    assert found["database"]["found"].startswith("postgresql://concord@127.0.0.1:")
    hub.start()
    again = {run["id"] for run in json.loads(hub.run("runs", "list", "--json").stdout)["runs"]}
    assert {run["id"] for run in running["runs"]} <= again
    assert hub.end() == 0
    assert not list(hub.data.glob("concord.db*"))
    said = (hub.data.parent / "hub.log").read_text() + json.dumps(found)
    assert password not in said


def test_what_is_for_a_file_is_refused(hub: HubProcess, tmp_path: Path) -> None:
    """Each says what to use in its place; nothing is made."""
    hub.store_secret()
    hub.start()
    for arguments in (("backup", str(tmp_path / "b.tar")), ("restore", "x"), ("retention", "--compact")):
        done = hub.run(*arguments)
        assert done.returncode == 1
        assert "this data is on PostgreSQL" in done.stderr.replace("\n", " ")
    assert hub.end() == 0
    assert not (tmp_path / "b.tar").exists()


def test_a_server_that_is_not_there_is_told_in_one_line(hub: HubProcess) -> None:
    """By its place, without the password."""
    hub.environ["CONCORD_DATABASE"] = "postgresql://me:sesame@127.0.0.1:9/hub"
    done = hub.run("serve", "--port", "0")
    assert done.returncode == 1
    said = done.stderr.replace("\n", "")
    assert "database-away" in said or "cannot be used now" in said
    assert "Traceback" not in said
    assert "sesame" not in said + done.stdout
    status, found = examined(hub)
    assert (status, found["database"]["mark"]) == (2, "fail")


def test_what_is_set_of_nats_is_looked_at_without_an_api(hub: HubProcess) -> None:
    """Before the first start, and on the host of a worker, where no api answers: tables or none, database or none."""
    hub.environ["CONCORD_NATS"] = "nats://me:sesame@127.0.0.1:9"
    _, found = examined(hub)
    assert "none of the hub's tables" in found["database"]["found"]
    assert (found["nats"]["mark"], found["nats-way"]["mark"], found["nats-sync"]["mark"]) == ("warn", "ok", "note")
    hub.store_secret()
    _, found = examined(hub)
    assert (found["database"]["mark"], found["nats"]["mark"]) == ("ok", "warn")
    assert "sesame" not in json.dumps(found)
    hub.environ["CONCORD_NATS"] = "http://127.0.0.1:9"
    hub.environ["CONCORD_DATABASE"] = "postgresql://me@127.0.0.1:9/hub"
    status, found = examined(hub)
    assert (status, found["nats"]["mark"], found["database"]["mark"]) == (2, "fail", "fail")
    assert "CONCORD_NATS: server 1" in found["nats"]["found"]
