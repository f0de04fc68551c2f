"""A server of NATS for all tests of a worker process, servers of a test's own, and the data of a hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.backbone.hubs import Servers, Teller


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Give one server for all tests that leave it as it is; each uses an environment of its own."""
    servers = Servers(tmp_path_factory.mktemp("shared"))
    with servers.processes:
        servers.start()
        yield servers


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[[int], Servers]]:
    """Make servers for one test alone, not started."""
    made: list[Servers] = []

    def make(count: int = 1) -> Servers:
        made.append(Servers(tmp_path, count))
        return made[-1]

    yield make
    for servers in made:
        servers.processes.__exit__()


@pytest.fixture
async def teller(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Teller]:
    """Give a hub's data, with an environment of this test's own."""
    made = Teller(tmp_path / "data", f"e{abs(hash(request.node.nodeid))}")
    await made.open()
    yield made
    await made.close()
