"""A vendor's sandbox and a hub for each test, ended whatever happens."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked import SANDBOX, Forked
from tests.runtime.process import HubProcess


@pytest.fixture
def vendor() -> Iterator[Any]:
    """Serve the greeting service's sandbox; gives its first line."""
    serving = Forked(SANDBOX, "helloworld")
    try:
        yield json.loads(serving.stdout.readline())
    finally:
        serving.terminate()
        serving.wait(timeout=10)
        serving.stdout.close()


@pytest.fixture
def hub(tmp_path: Path, vendor: Any) -> Iterator[HubProcess]:
    """Give a hub that is not started yet."""
    made = HubProcess(tmp_path, vendor)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)
