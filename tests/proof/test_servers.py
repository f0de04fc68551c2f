"""The servers of packages: they serve, end with whoever started them, and come back with what they had."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import nats
import psycopg
import pytest

from hub.proof.processes import Processes
from hub.proof.servers import nats as nats_server
from hub.proof.servers import postgres

pytestmark = pytest.mark.processes


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Wait until a process is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_postgresql_keeps_what_was_committed_through_a_kill(tmp_path: Path) -> None:
    with Processes(tmp_path / "logs") as processes, postgres.room() as room:
        first = processes.start("postgres", postgres.command(room))
        with psycopg.connect(first.hello["url"]) as connection:
            connection.execute("CREATE TABLE kept (id int)")
            connection.execute("INSERT INTO kept VALUES (7)")
            version = connection.info.server_version
        os.kill(first.hello["pid"], signal.SIGKILL)
        assert gone(first.hello["pid"])
        first.process.wait(10)
        again = processes.start("postgres-again", postgres.command(room))
        with psycopg.connect(again.hello["url"]) as connection:
            assert connection.execute("SELECT id FROM kept").fetchall() == [(7,)]
    assert version >= 180000
    assert gone(again.hello["pid"])


def test_postgresql_ends_with_whoever_started_it(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "logs")
    with postgres.room() as room:
        child = processes.start("postgres", postgres.command(room))
        # As a kill of this process would: the pipe is closed, and nobody says a word.
        processes._lifeline.close()
        assert gone(child.hello["pid"])
        child.process.wait(10)
        child.stop()


@pytest.mark.long("concord prove --real --fault nats-leader-killed")
def test_three_nodes_of_nats_keep_a_stream_when_its_leader_is_killed(tmp_path: Path) -> None:
    nodes = nats_server.cluster(tmp_path / "nats")
    with Processes(tmp_path / "logs") as processes:
        started = [processes.launch(node.name, node.command()) for node in nodes]
        children = [processes.wait(node.name, process) for node, process in zip(nodes, started, strict=True)]
        by_name = {child.name: child for child in children}

        async def play() -> tuple[str, int, str]:
            async def silent(_error: Exception) -> None:
                """Say nothing of a node that is gone: it was killed on purpose."""

            urls = [node.url for node in nodes]
            client = await nats.connect(urls, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=silent)
            stream = client.jetstream(timeout=2)
            for attempt in range(100):
                try:
                    await stream.add_stream(name="kept", subjects=["kept.>"], num_replicas=3)
                    break
                except (nats.errors.Error, TimeoutError):
                    # A cluster that has not found its leader yet keeps no stream.
                    assert attempt < 99
                    await asyncio.sleep(0.1)
            for number in range(20):
                await stream.publish("kept.one", b"%d" % number)
            before = (await stream.stream_info("kept")).cluster
            assert before is not None
            assert before.leader is not None
            os.kill(by_name[before.leader].hello["pid"], signal.SIGKILL)
            for attempt in range(100):
                try:
                    after = await stream.stream_info("kept")
                    break
                except (nats.errors.Error, TimeoutError):
                    assert attempt < 99
                    await asyncio.sleep(0.1)
            await client.close()
            assert after.cluster is not None
            return before.leader, after.state.messages, after.cluster.leader or ""

        leader, kept, next_leader = asyncio.run(play())
    assert kept == 20
    assert next_leader not in ("", leader)
