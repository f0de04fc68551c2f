"""The command line beside a running hub and without one: the same orders, clear refusals, meaningful exits."""

from __future__ import annotations

import json

import pytest

from tests.runtime.process import HubProcess, event


def test_commands_reach_a_running_hub_or_open_the_data_themselves(hub: HubProcess) -> None:
    """The answer is the same."""
    hub.store_secret()
    hub.start()
    hub.hook(event(10))
    hub.settled({"succeeded": 1})
    running = json.loads(hub.run("runs", "list", "--json").stdout)
    assert hub.end() == 0
    alone = json.loads(hub.run("runs", "list", "--json").stdout)
    assert running == alone
    shown = hub.run("runs", "show", alone["runs"][0]["id"])
    assert shown.returncode == 0
    assert "greeting" in shown.stdout


def test_a_schema_is_drafted_from_what_the_hub_has_received(hub: HubProcess) -> None:
    """The records of the events count, not their envelopes."""
    hub.store_secret()
    hub.start()
    hub.hook(event(12))
    hub.hook(event(13))
    assert hub.end() == 0
    done = hub.run("schema", "infer", "helloworld.greeting", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["base"], found["records"]) == ("helloworld.greeting@1", 2)
    assert found["comparison"]["broken"] is False


@pytest.mark.embedded("one process owns a file")
def test_a_second_hub_on_the_same_data_is_refused_in_one_line(hub: HubProcess) -> None:
    """It says what to do instead."""
    hub.start()
    second = hub.run("serve", "--port", "0")
    assert second.returncode == 1
    assert "choose another with --data" in second.stderr.replace("\n", " ")
    assert "Traceback" not in second.stderr
    assert hub.end() == 0


@pytest.mark.embedded("a folder without its file")
def test_refusals_are_one_line_without_a_traceback(hub: HubProcess) -> None:
    """Data that is not there, unknown run, unknown environment, unknown secret, a secret that is no JSON."""
    assert "There is no hub's data in this folder" in hub.run("runs", "list").stderr
    hub.store_secret()
    for arguments, word in (
        (("runs", "show", "run_nope"), "no such run"),
        (("serve", "--environment", "nowhere", "--port", "0"), "no environment"),
        (("vault", "set", "nobody"), "No connection of this environment uses"),
        (("check", "/nowhere"), "nowhere"),
    ):
        done = hub.run(*arguments, input='{"a": "b"}')
        assert done.returncode == 1, arguments
        assert word in done.stderr.replace("\n", " ") + done.stdout
        assert "Traceback" not in done.stderr
    bad = hub.run("vault", "set", "hello", input="not json")
    assert bad.returncode == 1
    assert "not readable JSON" in bad.stderr


def test_audit_verify_names_the_altered_entry(hub: HubProcess) -> None:
    """Exit 0 while the log holds, 1 and the entry's number once it does not."""
    hub.store_secret()
    hub.start()
    hub.hook(event(11))
    hub.settled({"succeeded": 1})
    assert hub.end() == 0
    assert hub.run("audit", "verify").returncode == 0
    hub.asked("DELETE FROM audit WHERE sequence = 3")
    broken = hub.run("audit", "verify")
    assert broken.returncode == 1
    assert "entry 3 missing" in broken.stderr
