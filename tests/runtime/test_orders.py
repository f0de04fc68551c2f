"""Orders from the command line: hold, resume, replay with an edit, cancel, settle, and what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.process import HubProcess, event

pytestmark = pytest.mark.processes


def listed(hub: HubProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hub.run("runs", "list", "--json").stdout)["runs"]
    return found


def said(hub: HubProcess, *arguments: str, input: str | None = None, status: int = 0) -> str:
    """Give what a command says on one line, and check its exit status."""
    done = hub.run(*arguments, input=input)
    assert done.returncode == status, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_flow_is_held_and_resumed_and_a_run_undone(hub: HubProcess) -> None:
    hub.store_secret()
    hub.start()
    assert "is held" in said(hub, "hold", "flow", "greet", "--reason", "Month end")
    assert "It is held already" in said(hub, "hold", "flow", "greet", "--reason", "Other", status=1)
    hub.hook(event(1))
    hub.hook(event(2))
    hub.settled({"waiting": 2})
    assert "Month end" in said(hub, "holds") and "local command line" in said(hub, "holds")
    first, second = sorted(listed(hub), key=lambda run: run["id"])
    assert "Its flow is held by local command line: Month end" in said(hub, "runs", "show", first["id"])
    assert "is cancelled" in said(hub, "runs", "cancel", second["id"], "--reason", "Not needed")
    assert "Flow greet goes on." in said(hub, "resume", "flow", "greet")
    hub.settled({"succeeded": 1, "cancelled": 1})
    assert "Nothing is held." in said(hub, "holds")
    assert "Nobody holds it" in said(hub, "resume", "flow", "greet", status=1)
    assert "no such flow" in said(hub, "hold", "flow", "gret", "--reason", "x", status=1)
    assert "A key is named with its flow" in said(hub, "hold", "key", "greet", "--reason", "x", status=2)
    assert "is paused" in said(hub, "hold", "connection", "hello", "--reason", "Maintenance")
    assert "goes on" in said(hub, "resume", "connection", "hello")
    # Nothing says how a greeting is taken back, and the order says so by what stays.
    assert "takes back what it did" in said(hub, "runs", "cancel", first["id"], "--undo", "--reason", "Wrong")
    hub.settled({"compensated": 1, "cancelled": 1})
    assert hub.end() == 0


def test_a_record_is_edited_and_a_write_made_once_more(hub: HubProcess, tmp_path: Path) -> None:
    hub.store_secret()
    hub.start()
    hub.hook(event(3))
    hub.settled({"succeeded": 1})
    (run,) = listed(hub)
    record = json.loads(hub.run("runs", "record", run["id"]).stdout)
    file = tmp_path / "record.json"
    file.write_text(json.dumps({**record, "text": 5}))
    replay = ("runs", "replay", run["id"], "--edit", str(file), "--reason", "Typo")
    assert "text: 5 is not of type" in said(hub, *replay, "--yes", status=1)
    file.write_text(json.dumps({**record, "text": "Good evening"}))
    asked = said(hub, *replay, input="n\n", status=1)
    assert "text" in asked and "Good evening" in asked and len(listed(hub)) == 1
    assert "takes its place" in said(hub, *replay, "--yes")
    # What was written already is another text.
    hub.settled({"parked": 1})
    newest = listed(hub)[0]["id"]
    assert "written-differently" in said(hub, "cases", "list")
    assert f"It was replayed; {newest} stands in its place." in said(hub, "runs", "show", run["id"])
    assert "succeeded, replayed" in said(hub, "runs", "list")
    (written,) = json.loads(hub.run("runs", "replay", newest, "--new-effect", "--json").stdout)["written"]
    assert "Look there first" in said(hub, "runs", "replay", newest, "--new-effect", status=2)
    again = ("runs", "replay", newest, "--new-effect", "--from-failure", "--reason", "Lost there", "--confirm")
    assert "Confirm each write" in said(hub, *again, "other", status=1)
    assert "takes its place" in said(hub, *again, written["key"])
    hub.settled({"succeeded": 1})
    assert "No write fits." in said(hub, "effects", "list")
    assert written["key"] in said(hub, "effects", "list", "--state", "done")
    assert "POST" in said(hub, "effects", "show", written["key"]) or "PUT" in said(
        hub, "effects", "show", written["key"]
    )
    settle = ("effects", "settle", written["key"])
    assert "known already" in said(hub, *settle, "--not-applied", "--evidence", "x", status=1)
    for wrong in (("--done",), ("--done", "--not-applied"), ("--not-applied", "--id", "1")):
        assert "error" in said(hub, *settle, *wrong, "--evidence", "x", status=2)
    assert hub.end() == 0


TELLS = """
flow: greet
title: Tell of each change
owner: team:tests
on: { event: helloworld.greeting.changed }
key: event.id
business_key: data.id
steps:
  - id: told
    emit: { type: concord.greeting.changed, subject: data.id, of: data }
"""


def test_what_was_only_told_is_told_once_more_with_a_reason_alone(hub: HubProcess) -> None:
    (hub.workspace / "flows/greet.yaml").write_text(TELLS)
    hub.store_secret()
    hub.start()
    hub.hook(event(1))
    hub.hook({**event(1, text="Good evening"), "id": "evt_2"})
    hub.settled({"succeeded": 1, "parked": 1})
    (parked,) = (run["id"] for run in listed(hub) if run["state"] == "parked")
    anew = ("runs", "replay", parked, "--new-effect")
    assert "has written nothing" in said(hub, *anew, status=2)
    assert "takes its place" in said(hub, *anew, "--reason", "The customer must hear of it")
    hub.settled({"succeeded": 2})
    (done,) = (run["id"] for run in listed(hub) if run["state"] == "succeeded" and not run["replay_of"])
    assert "has written nothing" in said(hub, "runs", "replay", done, "--new-effect", "--reason", "x", status=1)
    assert hub.end() == 0


def test_alike_exceptions_are_replayed_from_the_command_line(hub: HubProcess) -> None:
    hub.store_secret()
    hub.start()
    assert "0 of 0 runs are replayed" in said(hub, "cases", "replay-all", "--reason", "nothing")
    assert "Say which exceptions" in said(hub, "cases", "replay-all", status=2)
    assert hub.end() == 0
