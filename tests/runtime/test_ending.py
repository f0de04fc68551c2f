"""SIGTERM: nothing new is taken and senders are told, what is in hand ends or is handed back, nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from hub.engine.worker import DRAIN_SECONDS
from hub.runtime.serve import ENDED_WITHIN, EXIT_FATAL, GONE_WITHIN
from tests.runtime.process import Answer, HubProcess, event

pytestmark = pytest.mark.processes

#: What a service manager waits at least before it kills.
LONGEST = 10.0


def control(vendor: Any, path: str, body: Any = None) -> Any:
    """Ask the sandbox's control API."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(vendor["control_url"] + path, data, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def copies(vendor: Any) -> list[str]:
    """Give the ids of the greetings that the hub has written, one for each time it was made."""
    return [greeting["id"] for greeting in control(vendor, "/_control/books")["greetings"] if "g-" in greeting["id"]]


def states(hub: HubProcess) -> set[str]:
    return {state for (state,) in hub.asked("SELECT DISTINCT state FROM runs")}


def patient(hub: HubProcess, seconds: int) -> None:
    """Let the connection wait longer for the vendor's answers than an ending process does."""
    file = hub.workspace / "environments/test.yaml"
    file.write_text(file.read_text().replace("timeout: 2", f"timeout: {seconds}"))


@contextmanager
def load(hub: HubProcess) -> Iterator[list[tuple[int, Answer | None]]]:
    """Deliver events as fast as one sender can until the block ends; None where nobody answers any more."""
    stop, answers = threading.Event(), list[tuple[int, Answer | None]]()

    def deliver() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                answers.append((number, hub.hook(event(number))))
            except (urllib.error.URLError, OSError):
                answers.append((number, None))
                time.sleep(0.05)

    sender = threading.Thread(target=deliver)
    sender.start()
    try:
        yield answers
    finally:
        stop.set()
        sender.join()


def accepted(answers: Sequence[tuple[int, Answer | None]]) -> set[str]:
    return {f"evt_{number}" for number, answer in answers if answer is not None and answer.status == 202}


def test_under_load_nothing_acknowledged_is_lost_and_senders_are_told(hub: HubProcess, vendor: Any) -> None:
    hub.store_secret()
    control(vendor, "/_control/faults", [{"kind": "slow", "seconds": 0.5, "match": {"method": "PUT|POST"}}])
    hub.start()
    process = hub.process
    assert process is not None
    with load(hub) as answers:
        while len(accepted(answers)) < 25:
            time.sleep(0.01)
        assert hub.call("GET", "/api/ready").status == 200
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        told: set[str] = set()
        while process.poll() is None and time.monotonic() < began + LONGEST:
            try:
                told.add(json.loads(hub.call("GET", "/api/ready").body)["status"])
            except (urllib.error.URLError, OSError):
                break
        assert process.wait(timeout=LONGEST) == 0
        took = time.monotonic() - began
    assert took < LONGEST
    assert "stopping" in told
    refusals = [answer for _, answer in answers if answer is not None and answer.status != 202]
    assert refusals
    assert {answer.status for answer in refusals} == {503}
    assert json.loads(refusals[0].body)["code"] == "stopping"
    assert states(hub) <= {"queued", "succeeded", "waiting"}
    kept = {name for (name,) in hub.asked("SELECT external_id FROM events WHERE via = 'webhook'")}
    assert accepted(answers) <= kept
    control(vendor, "/_control/faults", [])
    hub.closed()
    hub.start()
    wanted = {f"copy-copy-g-{name.removeprefix('evt_')}" for name in accepted(answers)}
    end = time.monotonic() + 60
    while not wanted <= set(copies(vendor)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert hub.end() == 0
    assert len(copies(vendor)) == len(set(copies(vendor)))


HANGING = """
import asyncio, time
from hub.runtime.serve import LastMoment

async def work(last):
    last.start()
    kept = asyncio.ensure_future(asyncio.to_thread(time.sleep, 600))
    await asyncio.sleep(0)
    if ORDERLY:
        last.reached(0)
    else:
        time.sleep(600)

asyncio.run(work(LastMoment(0.2)))
"""


@pytest.mark.parametrize(("orderly", "status"), [(True, 0), (False, EXIT_FATAL)])
def test_a_process_that_something_keeps_ends_all_the_same(orderly: bool, status: int) -> None:  # noqa: FBT001
    """A thread that never comes back, or a loop that stands still; what was recorded in order stays an orderly end."""
    # However busy the machine is, ten minutes of sleep have not passed when the test's own time is over.
    ended = subprocess.run(
        [sys.executable, "-c", HANGING.replace("ORDERLY", str(orderly))], check=False, capture_output=True
    )
    assert ended.returncode == status
    assert (b"hub.left" in ended.stdout + ended.stderr) is not orderly


def test_the_parts_of_an_end_fit_into_what_it_may_take() -> None:
    assert DRAIN_SECONDS + 2 < ENDED_WITHIN < GONE_WITHIN < LONGEST


@pytest.mark.parametrize("signs", [1, 2])
def test_what_takes_too_long_is_handed_back(hub: HubProcess, vendor: Any, signs: int) -> None:
    """Queued, not left running; told a second time, at once. The next process goes on with it."""
    patient(hub, 60)
    hub.store_secret()
    control(vendor, "/_control/faults", [{"kind": "slow", "seconds": 50, "match": {"method": "PUT|POST"}}])
    hub.start()
    assert hub.process is not None
    for number in range(3):
        assert hub.hook(event(number)).status == 202
    end = time.monotonic() + 60
    while len(control(vendor, "/_control/requests")) < 3:
        assert time.monotonic() < end
        time.sleep(0.05)
    began = time.monotonic()
    for _ in range(signs):
        hub.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    assert hub.process.wait(timeout=LONGEST) == 0
    took = time.monotonic() - began
    assert took < (LONGEST if signs == 1 else 5.0)
    assert states(hub) == {"queued"}
    control(vendor, "/_control/faults", [])
    hub.closed()
    hub.start()
    end = time.monotonic() + 60
    while {f"copy-copy-g-{number}" for number in range(3)} - set(copies(vendor)):
        assert time.monotonic() < end
        time.sleep(0.1)
    entries = hub.api("GET", "/api/audit?limit=300").json()["entries"]
    assert sum(entry["kind"] == "run.handed_back" for entry in entries) == 3
    assert not any(entry["kind"] == "run.recovered" for entry in entries)
    assert hub.end() == 0
