"""`concord retention` beside a running hub and without one: told first, done on demand, and the room given back."""

from __future__ import annotations

import json
import sqlite3

import pytest

from hub.store.sqlite import FILE_NAME
from tests.runtime.process import HubProcess, event

pytestmark = [pytest.mark.processes, pytest.mark.embedded("room in its file")]


def test_payloads_go_when_the_environment_says_so_and_their_time_is_over(hub: HubProcess) -> None:
    hub.store_secret()
    hub.start()
    for number in range(20):
        assert hub.hook(event(number, text="kept no longer than it must " * 10)).status == 202
    hub.settled({"succeeded": 20})
    never = hub.run("retention")
    assert never.returncode == 0
    assert "nothing is ever pruned" in never.stdout
    assert hub.end() == 0
    file = hub.workspace / "environments/test.yaml"
    file.write_text(file.read_text() + "retention: { payloads: P30D }\n")
    with sqlite3.connect(hub.data / FILE_NAME) as connection:
        for column, table in (("finished_at", "runs"), ("received_at", "events")):
            connection.execute(f"UPDATE {table} SET {column} = {column} - 31 * 86400000000")  # noqa: S608 - its own names
    connection.close()
    hub.start()
    told = json.loads(hub.run("retention", "--dry-run", "--json").stdout)
    assert (told["payloads"], told["due"]["runs"], told["pruned"]) == (30 * 86400, 20, None)
    assert "20" in hub.run("retention", "--dry-run").stdout
    running = hub.run("retention", "--compact")
    assert running.returncode == 1
    assert "Stop the hub first" in running.stderr
    done = json.loads(hub.run("retention", "--json").stdout)
    assert done["pruned"] == {"runs": 20, "events": 20, "answers": 0, "examples": 0, "firings": 0, "records": 0}
    runs = hub.api("GET", "/api/runs?limit=100").json()["runs"]
    pruned = [run["id"] for run in runs if run["pruned_at"] is not None]
    assert len(pruned) == 20
    replayed = hub.run("runs", "replay", pruned[0])
    assert replayed.returncode == 1
    assert "pruned on" in replayed.stderr.replace("\n", " ")
    assert hub.end() == 0
    assert b"kept no longer" in (hub.data / FILE_NAME).read_bytes()
    compacted = hub.run("retention", "--compact", "--json")
    assert compacted.returncode == 0, compacted.stderr
    left = (hub.data / FILE_NAME).read_bytes()
    # The vendor's answers are kept longer, and they repeat the text; nothing else has it.
    with sqlite3.connect(hub.data / FILE_NAME) as connection:
        (answers,) = connection.execute("SELECT count(*) FROM effects WHERE output LIKE '%kept no longer%'").fetchone()
    connection.close()
    assert (b"kept no longer" in left) is bool(answers)
    assert hub.run("audit", "verify").returncode == 0
