"""A process that begins while others change what it reads at its beginning."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.runtime.composition import Hub
from hub.runtime.settings import HubSettings
from tests.runtime.conftest import vendor as vendor_of
from tests.shared.pair import Pair
from tests.shared.servers import Server

pytestmark = pytest.mark.processes

vendor = vendor_of


@pytest.fixture
def pair(server: Server, tmp_path: Path, vendor: Any) -> Iterator[Pair]:
    made = Pair(tmp_path, vendor, server.database())
    yield made
    if made.one.process is not None and made.one.process.poll() is None:
        made.one.end(signal.SIGKILL)


async def test_a_secret_that_is_stored_while_a_process_begins_is_used(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the vault already, and does not follow the others yet."""
    settings = HubSettings(
        data=tmp_path / "beginning",
        workspace=pair.one.workspace,
        environment="test",
        key_file=Path(pair.one.environ["CONCORD_KEY_FILE"]),
        database=pair.database,
    )
    reads = Hub.reload_accounts
    seen: list[str] = []

    def read_and_change(self: Hub) -> None:
        reads(self)
        seen.append(self.accounts["hello"].settings.api_key.get_secret_value())  # type: ignore[attr-defined]
        if len(seen) == 1:
            monkeypatch.setattr(pair.one, "_api_key", "another")
            pair.one.store_secret()

    monkeypatch.setattr(Hub, "reload_accounts", read_and_change)
    hub = Hub(settings)
    try:
        await hub.start()
        for _ in range(40):
            if len(seen) > 1:
                break
            await asyncio.sleep(0.1)
        assert seen == [pair.vendor["api_key"], "another"]
    finally:
        await hub.stop()
