"""Schedules and streams of a real process: ordered by the command line, and going on after kill -9 by themselves."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.runtime.process import HubProcess

pytestmark = pytest.mark.processes

TICKING = """
flow: ticking
title: What happens each second
owner: team:tests
on: { schedule: { every: PT1S, zone: Europe/Vienna, catch_up: all, dead_man: PT1H } }
key: "'ticking'"
business_key: data.due_at
steps:
  - id: noted
    crossref: { entity: second, ids: { a: =data.due_at, b: =data.due_at } }
"""
YEARLY = """
flow: yearly
title: What happens at the turn of the year
owner: team:tests
on: { schedule: { cron: "0 0 1 1 *", zone: Europe/Vienna, overlap: skip } }
key: "'yearly'"
business_key: data.due_at
steps:
  - id: noted
    crossref: { entity: year, ids: { a: =data.due_at, b: =data.due_at } }
"""
CONNECTION = "connection: hello\nconnector: helloworld\npoll: { events: { every: PT1S, overlap: PT1M } }\n"


@pytest.fixture
def scheduled(hub: HubProcess) -> HubProcess:
    """Give a hub with two scheduled flows and a stream, not started."""
    for name, text in (
        ("flows/ticking.yaml", TICKING),
        ("flows/yearly.yaml", YEARLY),
        ("connections/hello.yaml", CONNECTION),
    ):
        (hub.workspace / name).write_text(text)
    hub.store_secret()
    return hub


def said(hub: HubProcess, *arguments: str) -> Any:
    """Run a command with `--json` and give what it says."""
    done = hub.run(*arguments, "--json")
    assert done.returncode == 0, (arguments, done.stderr, done.stdout)
    return json.loads(done.stdout)


def until(find: Callable[[], Any], holds: Callable[[Any], bool], *, seconds: float = 60.0) -> Any:
    """Ask until something holds; gives what was found then."""
    end = time.monotonic() + seconds
    while True:
        found = find()
        if holds(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def firings(hub: HubProcess, flow: str) -> list[dict[str, Any]]:
    return list(hub.api("GET", f"/api/schedules/{flow}").json()["firings"])


def test_killed_and_started_again_a_schedule_goes_on_and_leaves_nothing_out(scheduled: HubProcess) -> None:
    """Each second has one firing with one run that ended, whatever was killed when."""
    hub = scheduled
    for _ in range(3):
        hub.start()
        wanted = len(firings(hub, "ticking")) + 2
        until(lambda: firings(hub, "ticking"), lambda found, wanted=wanted: len(found) >= wanted)  # type: ignore[misc]
        hub.end(signal.SIGKILL)
        time.sleep(0.7)
    hub.start()
    until(lambda: firings(hub, "ticking"), lambda found: len(found) >= 9)
    hold = hub.run("schedules", "hold", "ticking", "--reason", "Enough.")
    assert hold.returncode == 0, hold.stderr
    found = until(lambda: firings(hub, "ticking"), lambda rows: all(row["run_state"] == "succeeded" for row in rows))
    seconds = sorted(int(_seconds(row["due_at"])) for row in found)
    assert seconds == list(range(seconds[0], seconds[-1] + 1)), "a second was left out or came twice"
    assert {row["state"] for row in found} == {"fired"}
    assert hub.end() == 0


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_a_person_looks_at_schedules_starts_holds_and_resumes_them(scheduled: HubProcess) -> None:
    """With the hub running; each order is audited with its actor."""
    hub = scheduled
    hub.start()
    listed = until(lambda: said(hub, "schedules", "list")["schedules"], lambda rows: rows[1]["next_at"] is not None)
    assert [row["flow"] for row in listed] == ["ticking", "yearly"]
    assert listed[1]["next_local"].endswith("-01-01 00:00 CET")
    made = said(hub, "schedules", "run", "yearly")
    (fired,) = until(
        lambda: said(hub, "schedules", "show", "yearly")["firings"], lambda rows: rows[0]["run_state"] == "succeeded"
    )
    assert (fired["state"], fired["event"]) == ("ordered", made["event"])
    assert hub.run("schedules", "hold", "yearly", "--reason", "The books move.").returncode == 0
    held = said(hub, "schedules", "show", "yearly")["schedule"]
    assert (held["held"], held["next_at"], held["held_reason"]) == (True, None, "The books move.")
    again = hub.run("schedules", "hold", "yearly", "--reason", "Again.")
    assert (again.returncode, "held already" in again.stderr) == (1, True)
    resumed = hub.run("schedules", "resume", "yearly", "--reason", "They have moved.")
    assert "starts next at" in resumed.stdout
    unknown = hub.run("schedules", "run", "weekly")
    assert (unknown.returncode, "no such schedule" in unknown.stderr) == (1, True)
    entries = hub.api("GET", "/api/audit?limit=200").json()["entries"]
    kinds = [entry["kind"] for entry in entries if entry["kind"].startswith("schedule.") and entry["actor"] == "local"]
    assert sorted(kinds) == ["schedule.held", "schedule.ordered", "schedule.resumed"]
    for words in (
        ("schedules", "list"),
        ("schedules", "show", "ticking"),
        ("streams", "list"),
        ("alarms",),
        ("status",),
    ):
        shown = hub.run(*words)
        assert shown.returncode == 0, (words, shown.stderr, shown.stdout)
        assert "Traceback" not in shown.stderr
    assert hub.end() == 0


def test_streams_are_read_at_their_interval_and_again_by_order(
    scheduled: HubProcess, vendor: Mapping[str, Any]
) -> None:
    """What no webhook brought is here after a second; a back-fill finds nothing new and comes to its end."""
    hub = scheduled
    # Nobody writes back what was greeted, which would be told as well.
    for name in ("ticking", "greet"):
        (hub.workspace / f"flows/{name}.yaml").unlink()
    hub.start()
    seed(vendor, 7)
    (read,) = until(lambda: said(hub, "streams", "list")["streams"], lambda rows: rows[0]["newest_at"] is not None)
    assert (read["connection"], read["every"], read["overlap"], read["gaps"]) == ("hello", "PT1S", "PT60S", [])
    until(lambda: hub.api("GET", "/api/summary").json()["events"], lambda found: sum(found.values()) == 7)
    made = said(hub, "streams", "backfill", "hello", "events", "--from", "2020-01-01", "--reason", "To be sure.")
    (done,) = until(lambda: said(hub, "streams", "backfills")["backfills"], lambda rows: rows[0]["state"] == "done")
    assert (done["id"], done["read"], done["new"], done["done"]) == (made["backfill"], 7, 0, 1000)
    for words, told in (
        (("streams", "backfill", "hello", "nothing", "--from", "2020-01-01", "--reason", "Why."), "no such stream"),
        (("streams", "cancel-backfill", made["backfill"], "--reason", "Why."), "ended already"),
        (("streams", "settle-gap", "hello", "events", "--reason", "Why."), "Nothing is missing"),
    ):
        refused = hub.run(*words)
        assert (refused.returncode, told in refused.stderr.replace("\n", " ")) == (1, True), refused.stderr
    wrong = hub.run("streams", "backfill", "hello", "events", "--from", "yesterday", "--reason", "Why.")
    assert wrong.returncode == 2
    assert hub.end() == 0


def seed(vendor: Mapping[str, Any], count: int) -> None:
    """Have the service write so many greetings; nobody is told of them."""
    greetings = [
        {"id": f"g{number}", "recipient": "Ada", "language": "en", "text": "Hello", "version": 1}
        for number in range(count)
    ]
    request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
        vendor["control_url"] + "/_control/seed",
        method="POST",
        data=json.dumps({"greetings": greetings}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        assert answer.status == 200


def test_without_a_hub_the_commands_open_the_data(scheduled: HubProcess) -> None:
    """What is ordered then is begun at the next start, and the alarms tell that nothing goes on."""
    hub = scheduled
    made = said(hub, "schedules", "run", "yearly")
    assert hub.run("schedules", "hold", "ticking", "--reason", "Not yet.").returncode == 0
    hub.start()
    (fired,) = until(lambda: firings(hub, "yearly"), lambda rows: rows[0]["run_state"] == "succeeded")
    assert fired["event"] == made["event"]
    assert firings(hub, "ticking") == []
    assert hub.call("GET", "/api/health").json()["status"] == "ok"
    assert hub.end() == 0
