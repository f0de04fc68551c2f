"""Two hubs in processes of their own on one database: killed, stopped past the lease, and with its server restarted."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import vendor as vendor_of
from tests.shared.pair import LEASE, Pair
from tests.shared.servers import Server, until

pytestmark = pytest.mark.processes

vendor = vendor_of

IN_HAND = "SELECT count(*) FROM runs WHERE state = 'running'"
WORKERS = "SELECT id FROM workers WHERE ended_at IS NULL ORDER BY started_at"


@pytest.fixture
def pair(server: Server, tmp_path: Path, vendor: Any) -> Iterator[Pair]:
    made = Pair(tmp_path, vendor, server.database())
    yield made
    for each in (made.one, made.other):
        if each.process is not None and each.process.poll() is None:
            each.end(signal.SIGKILL)


def test_what_a_killed_process_had_in_hand_is_done_by_the_other(pair: Pair) -> None:
    # Longer than it takes to send all of them, also on a busy machine.
    pair.slow(2.0)
    pair.one.start()
    pair.other.start()
    pair.send(pair.one, *range(20))
    pair.send(pair.other, *range(20, 30))
    until(lambda: pair.asked(IN_HAND)[0][0] >= 10)
    pair.one.end(signal.SIGKILL)
    pair.slow(0)
    pair.send(pair.other, *range(30, 40))
    # At the latest its lease is over after one, and seen by the other a third of one later.
    assert pair.all_written() < 2 * LEASE + 6
    pair.judged()
    kinds = {entry["kind"] for entry in pair.other.api("GET", "/api/audit?limit=500").json()["entries"]}
    assert {"worker.lost", "run.recovered"} <= kinds
    assert len(pair.asked(WORKERS)) == 1
    # Whoever comes next goes on with the log of the one that is gone, once that one is surely gone.
    assert {chain for (chain,) in pair.asked("SELECT chain FROM audit_heads")} <= {"main", "main-2", "main-3"}
    assert pair.other.end() == 0
    assert pair.asked(WORKERS) == []


def test_a_process_that_was_stopped_past_its_lease_begins_anew_and_harms_nothing(pair: Pair) -> None:
    pair.slow(1.0)
    pair.one.start()
    pair.send(pair.one, *range(20))
    until(lambda: pair.asked(IN_HAND)[0][0] >= 10)
    pair.other.start()
    (old,) = pair.asked(WORKERS)[0]
    assert pair.one.process is not None
    pair.one.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    # Others are not held up for longer than a moment, whatever it had begun.
    assert pair.send(pair.other, 100) == set()
    assert time.monotonic() - stopped < 2.5
    until(lambda: (old,) not in pair.asked(WORKERS))
    pair.slow(0)
    assert pair.all_written() < 2 * LEASE + 6
    pair.one.process.send_signal(signal.SIGCONT)
    until(lambda: len(pair.asked(WORKERS)) == 2)
    assert "worker.lease_lost" in pair.one.log()
    pair.send(pair.one, *range(200, 210))
    pair.all_written()
    # The other one ends, so that only the one that was stopped can do what comes now.
    assert pair.other.end() == 0
    pair.send(pair.one, *range(210, 215))
    pair.all_written()
    pair.judged()
    assert pair.one.end() == 0
    assert pair.asked(WORKERS) == []


def test_the_server_may_be_restarted_under_load(pair: Pair, server: Server) -> None:
    """Nothing acknowledged is lost; senders are told to come again meanwhile, and both go on by themselves."""
    pair.slow(0.2)
    pair.one.start()
    pair.other.start()
    pair.send(pair.one, *range(15))
    server.kill()
    told = pair.send(pair.other, *range(15, 20))
    until(lambda: pair.one.status() == "database-away" and pair.other.status() == "database-away")
    assert told == {503}
    answer = pair.one.hook({"id": "evt_1", "type": "greeting.changed", "timestamp": "2026-01-31T09:30:00Z", "data": {}})
    assert answer.status == 503
    server.start()
    until(lambda: pair.one.status() == "ready" and pair.other.status() == "ready")
    pair.send(pair.one, *range(20, 25))
    pair.send(pair.other, *range(25, 30))
    pair.all_written()
    server.stop()
    time.sleep(1)
    server.start()
    until(lambda: pair.one.status() == "ready" and pair.other.status() == "ready")
    assert pair.send(pair.one, *range(30, 35)) == set()
    pair.all_written()
    pair.judged()
    assert not {each["kind"] for each in pair.one.api("GET", "/api/audit?limit=900").json()["entries"]} & {
        "run.parked",
        "case.opened",
    }
    assert pair.one.end() == 0
    server.stop()
    try:
        # Without its database a process ends in time, too: what it has not handed back, its lease does.
        assert pair.other.end() == 0
    finally:
        server.start()
