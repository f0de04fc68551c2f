"""What runs beside a hub that has outgrown one process: that what is struck is really gone, and comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from hub.proof.company import Company, Wanted
from hub.proof.processes import Processes
from hub.proof.servers import postgres
from hub.proof.servers.supervising import accepts


@pytest.mark.processes
def test_servers_that_are_struck_are_gone_and_come_back(tmp_path: Path) -> None:
    """A node of NATS itself ends, not what looks after it alone; one that is wiped has nothing any more."""
    with postgres.room() as room, Processes(tmp_path / "logs") as processes:
        company = Company(processes, tmp_path, room, Wanted(workers=0, nats=1), seed=1)
        (node,) = company.nodes
        place = tmp_path / "nats" / node / "jetstream"
        port = int(company._nodes[node].port)
        (place / "kept").write_text("x")
        company.kill_node(node)
        assert not accepts(port)
        assert company.start_nodes() == 0
        assert accepts(port)
        assert (place / "kept").exists()
        company.kill_node(node)
        assert not company.reachable(node)
        assert company.start_nodes(wiped=True) == 1
        assert company.reachable(node)
        assert not (place / "kept").exists()
        with psycopg.connect(company.database, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        pid = company.postgres_pid
        company.kill_postgres()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)
        assert not company.postgres_runs
        assert not company.postgres_listens
        company.start_postgres()
        with psycopg.connect(company.database) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]
