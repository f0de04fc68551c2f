"""Processes end with whoever started them, also when that one was killed and could end nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.sdk import exact_json

pytestmark = pytest.mark.processes

#: The demo's own way to start a sandbox and a hub; it tells of them, and waits to be killed.
_DEMO = """
import sys, time
from pathlib import Path
from hub.proof.processes import CONCORD, SANDBOX, Processes
folder = Path(sys.argv[1])
with Processes(folder / "logs") as processes:
    sandbox = processes.launch("sandbox", (*SANDBOX, "helloworld"))
    hub = processes.launch("hub", (*CONCORD, "serve", "--port", "0", "--json", "--data", str(folder / "hub")))
    processes.wait("sandbox", sandbox), processes.wait("hub", hub)
    print([sandbox.pid, hub.pid], flush=True)
    time.sleep(600)
"""
#: A proof that works in several processes.
_POOL = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from hub.proof.lifeline import hold_in_pool
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=hold_in_pool) as pool:
        pids = {pool.submit(os.getpid).result()}
        print(list(pids), flush=True)
        time.sleep(600)
"""


def _runs(pid: int) -> bool:
    """Tell whether a process is there and has not ended; who adopted it may not have taken note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


@pytest.mark.parametrize("program", [_DEMO, _POOL], ids=["demo", "pool"])
def test_who_started_them_is_killed_and_they_end(tmp_path: Path, program: str) -> None:
    (tmp_path / "program.py").write_text(program)
    words = [sys.executable, str(tmp_path / "program.py"), str(tmp_path)]
    environ = {**os.environ, "CONCORD_KEY_FILE": str(tmp_path / "key"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environ, start_new_session=True) as starter:
        assert starter.stdout is not None
        pids = exact_json.loads(starter.stdout.readline())
        assert all(map(_runs, pids))
        starter.send_signal(signal.SIGKILL)
        # What is left of its output would keep this test waiting for ever.
        starter.stdout.close()
    ends = time.monotonic() + 2
    while any(map(_runs, pids)) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not any(map(_runs, pids))
