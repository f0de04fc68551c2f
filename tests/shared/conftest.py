"""One server for the tests of processes that share a database, wherever the other tests keep theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.proof.processes import Processes
from hub.proof.servers import postgres
from hub.store import postgres as store
from tests.shared.desk import Desk
from tests.shared.servers import Server, Way


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give the server; a test that has stopped it starts it again."""
    folder: Path = tmp_path_factory.mktemp("shared")
    with Processes(folder / "logs") as processes, postgres.room() as room:
        yield Server(processes, room, folder / "template")


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions have the settings that a hub gives them, wherever the other tests keep their data."""
    shipped = {"synchronous_commit": "on", "idle_in_transaction_session_timeout": "1s"}
    monkeypatch.setattr(store, "WRITER", {**store.WRITER, **shipped})


@pytest.fixture
def desk(server: Server, way: Way, tmp_path: Path) -> Desk:
    """Give a database that several share."""
    return Desk(server, way, tmp_path)


@pytest.fixture
def way(server: Server) -> Iterator[Way]:
    """Give a way to the server that breaks."""
    made = Way(server.port)
    yield made
    made.close()
