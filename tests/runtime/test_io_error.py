"""A sync that fails: nobody knows what is on the disk, so the process stops and never tries that commit again."""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.store.sqlite import FILE_NAME
from tests.runtime.process import HubProcess, command, event

pytestmark = [pytest.mark.processes, pytest.mark.embedded("errors of its file")]

#: From this sync of a thread on the disk says that it failed.
FAILS_AT = 25
STOPPED = 70


def may_inject() -> bool:
    """Tell whether this user may let another process's calls fail."""
    if shutil.which("strace") is None:
        return False
    words = ["strace", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "true"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


class FailingDisk(HubProcess):
    """A hub whose disk fails after a while."""

    def serve_on_it(self) -> None:
        """Serve; returns when requests are answered."""
        traced = ["-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync"]
        inject = f"inject=fdatasync:error=EIO:when={FAILS_AT}+"
        self.process = subprocess.Popen(
            ["strace", *traced, "-e", inject, *command("serve", "--port", "0", "--json")],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]


@pytest.fixture
def hub(tmp_path: Path, vendor: Any) -> Iterator[FailingDisk]:
    if not may_inject():
        pytest.skip("this user may not let another process's calls fail")
    made = FailingDisk(tmp_path, vendor)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
        made.closed()


def test_the_process_stops_and_claims_nothing(hub: FailingDisk) -> None:
    hub.store_secret()
    hub.serve_on_it()
    acknowledged: set[int] = set()
    refused: set[int] = set()
    for number in range(200):
        try:
            answer = hub.hook(event(number))
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            refused.add(number)
            break
        (acknowledged if answer.status == 202 else refused).add(number)
        if answer.status != 202:
            break
    assert hub.process is not None
    assert hub.process.wait(timeout=30) == STOPPED
    hub.closed()
    assert acknowledged
    assert refused
    hub.start()
    with sqlite3.connect(f"file:{hub.data / FILE_NAME}?mode=ro", uri=True) as connection:
        kept = {row[0] for row in connection.execute("SELECT external_id FROM events WHERE via = 'webhook'")}
    connection.close()
    assert {f"evt_{number}" for number in acknowledged} <= kept
    assert hub.end() == 0
