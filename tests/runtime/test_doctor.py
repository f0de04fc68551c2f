"""`concord doctor`: all is well, something needs somebody, or something is wrong; with a hub and without."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.runtime import surroundings
from hub.runtime.settings import HubSettings
from hub.store.sqlite import FILE_NAME
from tests.runtime.process import HubProcess, event

pytestmark = [pytest.mark.processes, pytest.mark.embedded("its file is examined")]

#: In microseconds since 1970.
LONG_AGO = 1_700_000_000_000_000


def examined(hub: HubProcess, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Give the exit status, and the findings by their names."""
    done = hub.run("doctor", "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}


def change(hub: HubProcess, *statements: str) -> None:
    with sqlite3.connect(hub.data / FILE_NAME) as connection:
        for statement in statements:
            connection.execute(statement, {"at": LONG_AGO})
    connection.close()


@pytest.fixture
def healthy(hub: HubProcess) -> HubProcess:
    """Give a hub that runs, has done something, and is backed up."""
    hub.store_secret()
    hub.start()
    for number in range(3):
        assert hub.hook(event(number)).status == 202
    hub.settled({"succeeded": 3})
    assert hub.run("backup", str(hub.data.parent / "backup.tar")).returncode == 0
    return hub


def test_a_hub_that_is_well_is_told_so_running_and_stopped(healthy: HubProcess) -> None:
    for options in ((), ("--deep",)):
        status, found = examined(healthy, *options)
        assert (status, [each for each in found.values() if each["mark"] in {"warn", "fail"}]) == (0, [])
    assert "3 runs" not in found["work"]["found"]
    assert found["clock"]["found"].endswith("Z, agrees with 127.0.0.1")
    assert found["settings"]["found"].startswith("write-ahead log, every commit synced")
    assert found["contents"]["found"].split()[0].isdigit()
    people = healthy.run("doctor")
    assert "All is well." in people.stdout
    assert healthy.end() == 0
    status, found = examined(healthy, "--deep")
    assert (status, [each for each in found.values() if each["mark"] in {"warn", "fail"}]) == (0, [])
    assert found["audit"]["found"].endswith("signed heads")


def test_vendors_whose_clocks_differ_are_told(tmp_path: Path) -> None:
    settings = HubSettings(data=tmp_path, workspace=tmp_path, environment="test")
    skews = {"near.example": timedelta(seconds=20), "far.example": timedelta(seconds=-240)}
    found = {each.name: each for each in surroundings.examine(settings, now=datetime.now(UTC), skews=skews)}
    assert (found["clock"].mark, found["clock"].found) == ("warn", "vendors' clocks differ: far.example -240 s")


def test_what_needs_somebody_is_told_with_what_to_do(healthy: HubProcess) -> None:
    """Paused, parked, unknown, stuck, overdue, without a backup: exit 1, and each says what to do."""
    assert healthy.end() == 0
    change(
        healthy,
        "INSERT INTO connections (environment, name, state, reason, changed_at)"
        " VALUES ('test', 'hello', 'paused', 'credential refused', :at)",
        "INSERT INTO cases (id, environment, flow, run_id, path, business_key, reason, fingerprint, detail, facts,"
        " money_minor, money_currency, state, opened_at)"
        " VALUES ('case_1', 'test', 'greet', 'r', 'p', 'b', 'x', 'f', 'd', '{}', 1250, 'EUR', 'open', :at)",
        "UPDATE effects SET state = 'unknown', created_at = :at WHERE rowid = 1",
        "UPDATE runs SET state = 'queued', claimable_at = :at WHERE rowid = 1",
        "INSERT INTO schedules (environment, flow, spec, next_at, held, created_at, updated_at)"
        " VALUES ('test', 'nightly', '{}', :at, 0, :at, :at)",
        "INSERT INTO alarms (environment, kind, subject, detail, since, raised_at)"
        " VALUES ('test', 'schedule-overdue', 'nightly', 'Nothing has started it.', :at, :at)",
        "INSERT INTO cursors (environment, connection, stream, failed_at, error, updated_at)"
        " VALUES ('test', 'hello', 'gone', :at, 'no answer', :at)",
        "DELETE FROM marks WHERE name = 'backup'",
        "INSERT INTO holds (id, environment, kind, name, key, reason, actor, at)"
        " VALUES ('hold_1', 'test', 'flow', 'greet', '', 'why', 'person:p', :at)",
        "INSERT INTO holds (id, environment, kind, name, key, reason, actor, at, ended_at)"
        " VALUES ('hold_2', 'test', 'flow', 'other', '', 'why', 'person:p', :at, :at)",
        "UPDATE runs SET state = 'parked', blocking = 1, key = 'one', created_at = :at WHERE rowid = 2",
        "UPDATE runs SET state = 'queued', blocking = 1, key = 'one', claimable_at = NULL, wait_kind = 'order',"
        " money_minor = 300, money_currency = 'EUR' WHERE rowid = 3",
    )
    healthy.data.chmod(0o755)
    (healthy.data / FILE_NAME).chmod(0o644)
    status, found = examined(healthy)
    assert status == 1
    needing = {name for name, each in found.items() if each["mark"] == "warn"}
    assert needing == {
        *("connections", "exceptions", "writes", "work", "schedules", "streams", "alarms", "backup", "file-modes"),
    }
    assert all(found[name]["advice"] for name in needing)
    assert found["exceptions"]["found"].startswith("1 open about 12.50 EUR; the oldest since ")
    (keys,) = (each for name, each in found.items() if name == "keys")
    assert (keys["mark"], keys["found"].partition(" since ")[0]) == ("note", "1 stands still")
    assert keys["found"].endswith(" days, with 1 runs behind about 3.00 EUR")
    assert "hello (credential refused)" in found["connections"]["found"]
    # One that has ended holds nothing.
    assert (found["holds"]["mark"], found["holds"]["found"]) == ("note", "1 ordered by people")
    assert found["alarms"]["found"] == "1: schedule-overdue nightly: Nothing has started it."


def test_a_running_hub_tells_its_alarms_as_they_stand(healthy: HubProcess) -> None:
    """They are reckoned when they are asked for, whether or not the watch has told of them."""
    assert examined(healthy)[1]["alarms"]["found"] == "none"
    change(
        healthy,
        "INSERT INTO cursors (environment, connection, stream, gap, updated_at) VALUES ('test', 'hello', 'events',"
        """ '[{"from": 1, "until": 2, "found_at": 3, "detail": "A page is missing."}]', :at)"""
        " ON CONFLICT DO UPDATE SET gap = excluded.gap",
    )
    status, found = examined(healthy)
    assert (status, found["alarms"]["mark"]) == (1, "warn")
    assert "stream-gap hello/events: A page is missing." in found["alarms"]["found"]
    assert "concord alarms" in found["alarms"]["advice"]


def test_a_content_without_its_hash_is_found_when_everything_is_read(healthy: HubProcess) -> None:
    """SQLite takes it for sound: only the hash knows."""
    change(
        healthy,
        "UPDATE events SET data = replace(data, 'Ada', 'Eve') WHERE rowid = 1",
        "UPDATE effects SET body = CAST(replace(CAST(body AS TEXT), 'Ada', 'Eve') AS BLOB) WHERE rowid = 2",
    )
    assert examined(healthy)[0] == 0
    status, found = examined(healthy, "--deep")
    assert status == 2
    assert found["integrity"]["mark"] == "ok"
    assert found["contents"]["found"].startswith("2 of ")
    assert "concord restore" in found["contents"]["advice"]
    assert healthy.end() == 0


def test_damage_and_a_missing_key_are_findings_and_no_tracebacks(healthy: HubProcess) -> None:
    assert healthy.end() == 0
    whole = (healthy.data / FILE_NAME).read_bytes()
    (healthy.data / FILE_NAME).write_bytes(whole[: len(whole) // 2])
    status, found = examined(healthy, "--deep")
    assert status == 2
    assert found["files"]["mark"] == "fail"
    assert not any("[SQL:" in each["found"] for each in found.values())
    (healthy.data / FILE_NAME).write_bytes(b"")
    status, found = examined(healthy)
    assert (status, found["database"]["found"]) == (2, "it has none of the hub's tables")
    (healthy.data / FILE_NAME).write_bytes(b"nothing of that kind")
    status, found = examined(healthy)
    assert (status, found["files"]["mark"]) == (2, "fail")
    (healthy.data / FILE_NAME).unlink()
    status, found = examined(healthy)
    assert (status, found["database"]["mark"]) == (2, "fail")
    (healthy.data / FILE_NAME).write_bytes(whole)
    key = Path(healthy.environ["CONCORD_KEY_FILE"])
    shutil.move(key, key.with_name("elsewhere"))
    status, found = examined(healthy)
    assert (status, found["vault-key"]["mark"]) == (2, "fail")
    assert not key.exists()
    (healthy.data / "hub.lock").unlink()
    (healthy.data / "hub.lock").mkdir()
    status, found = examined(healthy)
    assert (status, found["database"]["mark"]) == (2, "fail")
    assert found["database"]["found"].startswith("cannot be written by this user")
