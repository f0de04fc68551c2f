"""Processes with some of the roles each, on one database: who takes in, who works, who has the scheduler's duty."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.proof import records
from hub.proof.records import Names
from tests.forked import CONCORD, Forked
from tests.runtime.conftest import vendor as vendor_of
from tests.runtime.process import event
from tests.shared.pair import LEASE, Member, Pair
from tests.shared.servers import Server, until

pytestmark = pytest.mark.processes

vendor = vendor_of


class Part(Member):
    """A process with some of the roles."""

    command: tuple[str, ...] = ("serve",)

    def start(self) -> None:
        """Start it; returns when it answers."""
        log = self.data.parent / f"{self.name}.log"
        arguments = (*self.command, "--port", "0", "--json", "--lease", str(LEASE))
        environ = {name: value for name, value in self.environ.items() if name != "CONCORD_WORKSPACE"}
        with log.open("a") as errors:
            own = self.environ if self.command[0] == "serve" else environ
            self.process = Forked(CONCORD, *arguments, environ=own, errors=errors)
        line = self.process.stdout.readline()
        assert line, log.read_text()
        self.url = json.loads(line)["url"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def pair(server: Server, folder: Path, vendor: Any) -> Iterator[Pair]:
    made = Pair(folder, vendor, server.database())
    yield made
    for each in (made.one, made.other):
        if each.process is not None and each.process.poll() is None:
            each.end(signal.SIGKILL)


@pytest.fixture
def parts(pair: Pair, folder: Path) -> Iterator[dict[str, Part]]:
    """Give an api, two workers, and nobody started."""
    made = {name: Part(folder, pair.vendor, pair.database, name) for name in ("api", "worker-1", "worker-2")}
    made["api"].command = ("serve", "--roles", "api")
    for name in ("worker-1", "worker-2"):
        made[name].command = ("worker", "--roles", "worker,scheduler")
    yield made
    for each in made.values():
        if each.process is not None and each.process.poll() is None:
            each.end(signal.SIGKILL)


def lines(hub: Member) -> list[dict[str, Any]]:
    """Give the workers as the command line lists them."""
    listed = hub.run("workers", "--json")
    assert listed.returncode == 0, listed.stderr
    told = json.loads(listed.stdout)
    assert told["shared"] is True
    found: list[dict[str, Any]] = told["workers"]
    return found


def test_the_api_takes_in_and_the_workers_work_and_drain(pair: Pair, parts: dict[str, Part]) -> None:
    api, first, second = parts["api"], parts["worker-1"], parts["worker-2"]
    early = first.run("worker", "--port", "0")
    assert early.returncode == 1
    assert "Nothing serves the environment test in this database yet" in early.stderr
    api.start()
    pair.send(api, *range(10))
    time.sleep(1.0)
    assert pair.written() == []
    pair.slow(1.5)
    first.start()
    assert first.call("GET", "/healthz").json() | {"version": ""} == {
        "status": "ok",
        "version": "",
        "environment": "test",
        "roles": "worker,scheduler",
    }
    assert first.call("GET", "/readyz").json() == {"status": "ready"}
    assert first.call("GET", "/api/summary").status == 404
    assert api.call("GET", "/readyz").json() == {"status": "ready"}
    shown = ("roles", "state", "leads")
    until(
        lambda: (
            [tuple(line[name] for name in shown) for line in lines(api) if line["runs"] or line["roles"] == "api"]
            == [("api", "lives", False), ("worker,scheduler", "lives", True)]
        )
    )
    # What the vendor has not answered within the seconds that a process has to end is given back.
    pair.slow(20)
    pair.send(api, *range(10, 15))
    until(lambda: sum(line["runs"] for line in lines(api)) >= 5)
    assert first.end() == 0
    pair.slow(0)
    second.start()
    # It was given up, and nobody waits for its lease.
    until(lambda: [line["leads"] for line in lines(api)] == [False, True], seconds=LEASE)
    pair.all_written()
    # What is written is read back as an event of its own, and written once more; nothing of it twice.
    made = pair.written()
    assert len(made) == len(set(made))
    found = api.api("GET", "/api/doctor").json()["findings"]
    workers = next(one for one in found if one["name"] == "workers")
    assert workers["mark"] == "ok", workers
    assert second.end() == 0
    assert api.end() == 0


def test_of_two_schedulers_one_has_the_duty_and_what_one_changes_the_other_takes_over(pair: Pair) -> None:
    pair.one.start()
    pair.other.start()
    until(lambda: [line["leads"] for line in lines(pair.one)] == [True, False])
    # Pauses: the other one neither asks the vendor nor says that the connection is at work.
    paused = pair.one.run("hold", "connection", "hello", "--reason", "a test")
    assert paused.returncode == 0, paused.stderr

    def at_other() -> Any:
        (found,) = pair.other.api("GET", "/api/connections").json()["connections"]
        return found["paused"]

    until(lambda: at_other() == "a test")
    assert pair.one.run("resume", "connection", "hello").returncode == 0
    until(lambda: at_other() is None)
    # Secrets: a webhook that is signed with the new one is taken by both.
    secret = "YSBzZWNvbmQgc2VjcmV0IG9mIDMyIGJ5dGVzLi4uLg=="
    stored = pair.one.run("vault", "set", "hello", input=json.dumps({**pair.one.secrets(), "webhook_secret": secret}))
    assert stored.returncode == 0, stored.stderr
    until(lambda: pair.other.hook(event(1), secret=secret).status == 202)
    pair.taken.add(1)
    began = time.monotonic()
    pair.one.end(signal.SIGKILL)
    until(lambda: [line["leads"] for line in lines(pair.other) if line["state"] == "lives"] == [True])
    assert time.monotonic() - began < 2 * LEASE + 2
    pair.all_written()
    assert pair.other.end() == 0
    # A proof reads the same there as in a file.
    with records.reading(pair.other.data, pair.database) as connection:
        assert {f"evt_{number}" for number in pair.taken} <= records.event_names(connection)
        names = Names(event=lambda name: name, business=lambda key: key)
        found = records.read(connection, names)
    (effect,) = [one for one in found.effects if one.business_key == "greeting:g-1"]
    assert (effect.state, effect.connection, effect.operation) == ("done", "hello", "greeting.upsert")
    assert [(one.before, one.after) for one in found.changes if one.id == effect.key] == [
        (None, "intent"),
        ("intent", "done"),
    ]
    assert ("greeting.upsert", "greeting:g-1") not in records.open_effects(pair.other.data, pair.database)
    tables = dict(records.dumped(pair.database))
    assert b"greeting:g-1" in tables["effects"]
    assert secret.encode() not in b"".join(tables.values())
