"""A hub on a file system that runs full, with its log on it too: intake says 503, and goes on when there is room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.process import HubProcess, command, event

pytestmark = pytest.mark.processes

SIZE = "24m"
MOUNT = f"mount -t tmpfs -o size={SIZE},mode=0700 tmpfs"


def may_mount(folder: Path) -> bool:
    """Tell whether this user may have a file system of its own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-m", "sh", "-c", f"{MOUNT} {folder}"], check=False, capture_output=True)
    return tried.returncode == 0


class SmallDisk(HubProcess):
    """A hub whose data and log lie on a small file system that only this process sees."""

    def serve_on_it(self) -> None:
        """Mount, and serve there; returns when requests are answered."""
        self.data.mkdir(exist_ok=True)
        inner = " ".join(["exec", *(f"'{word}'" for word in command("serve", "--port", "0", "--json"))])
        script = f'{MOUNT} "{self.data}" && {inner} 2>>"{self.data}/hub.log"'
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script], env=self.environ, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.data = Path(f"/proc/{self.process.pid}/root{self.data}")


@pytest.fixture
def hub(tmp_path: Path, vendor: Any) -> Iterator[SmallDisk]:
    (tmp_path / "try").mkdir()
    if not may_mount(tmp_path / "try"):
        pytest.skip("this user may not mount a small file system")
    made = SmallDisk(tmp_path, vendor)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
        made.closed()


@pytest.mark.embedded("the disk of its file is full")
def test_intake_refuses_while_the_disk_is_full_and_goes_on_by_itself(hub: SmallDisk, vendor: Any) -> None:
    hub.serve_on_it()
    stored = hub.api("PUT", "/api/secrets/hello", {"values": hub.secrets()})
    assert stored.status == 200, stored.body
    assert hub.hook(event(0)).status == 202
    filler = hub.data / "filler"
    with filler.open("wb", buffering=0) as file:
        room = os.statvfs(hub.data)
        file.write(b"x" * (room.f_bavail * room.f_frsize - 200_000))
    answers = {}
    for number in range(1, 3000):
        answer = hub.hook(event(number, text="x" * 400))
        answers[number] = answer
        if sum(found.status == 503 for found in answers.values()) > 5:
            break
    assert {answer.status for answer in answers.values()} == {202, 503}
    refused = next(answer for answer in answers.values() if answer.status == 503)
    assert json.loads(refused.body)["code"] == "storage-full"
    ready = hub.call("GET", "/api/ready")
    assert (ready.status, json.loads(ready.body)["status"]) == (503, "storage-full")
    time.sleep(1)
    assert hub.process is not None
    assert hub.process.poll() is None
    filler.unlink()
    end = time.monotonic() + 10
    while hub.call("GET", "/api/ready").status != 200 or hub.hook(event(1000)).status != 202:
        assert time.monotonic() < end
        time.sleep(0.1)
    taken = {f"evt_{number}" for number, answer in answers.items() if answer.status == 202} | {"evt_0", "evt_1000"}
    while True:
        events = json.loads(hub.api("GET", "/api/events?limit=1000").body)["events"]
        mine = {found["external_id"] for found in events if found["via"] == "webhook"}
        summary = json.loads(hub.api("GET", "/api/summary").body)
        if set(summary["runs"]["greet"]) == {"succeeded"}:
            break
        assert time.monotonic() < end + 20, summary
        time.sleep(0.2)
    assert mine == taken
    assert json.loads(hub.api("POST", "/api/audit/verify").body)["holds"] is True
    hub.process.terminate()
    assert hub.process.wait(timeout=15) == 0
    hub.closed()
