"""Sent events over real HTTP, and a process that is killed in the middle: what was acknowledged is there, once."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub.api.sending import BATCH, PATH
from tests.intake.sending import SOURCE, TOKEN, digest, usage
from tests.runtime.process import ENVIRONMENT, HubProcess

pytestmark = pytest.mark.processes

SENDERS = f"""
senders:
  usage:
    tokens: {{ meter: {digest(TOKEN)} }}
    sources: ["https://meter.example.com/*"]
    types: ["usage.*"]
"""
HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": BATCH}
#: So many events each request has, and so many requests each of the senders.
EVENTS, REQUESTS, CLIENTS = 40, 15, 4


@pytest.fixture
def taking(hub: HubProcess, vendor: Any) -> HubProcess:
    """Give a hub that has a sender."""
    (hub.workspace / "environments/test.yaml").write_text(ENVIRONMENT.format(url=vendor["url"]) + SENDERS)
    hub.store_secret()
    return hub


def send(hub: HubProcess, *events: dict[str, Any]) -> tuple[int, Any]:
    """Send a batch; gives status and answer, or 0 where nobody answered."""
    try:
        answer = hub.call("POST", PATH, json.dumps(events).encode(), HEADERS)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return 0, None
    return answer.status, answer.json()


def all_events(hub: HubProcess) -> Counter[str]:
    """Count what is there by its name."""
    found: Counter[str] = Counter()
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        before = f"&before={page['next']}" if page["next"] else ""
        page = hub.api("GET", f"/api/events?connection=usage&limit=1000{before}").json()
        found.update(event["external_id"] for event in page["events"])
    return found


class Client(threading.Thread):
    """A sender that sends each of its batches until it is acknowledged."""

    def __init__(self, hub: HubProcess, name: str, acknowledged: threading.Semaphore) -> None:
        super().__init__()
        self._hub, self._name, self._acknowledged = hub, name, acknowledged
        self.told: Counter[str] = Counter()
        self.unanswered = 0

    def run(self) -> None:
        for request in range(REQUESTS):
            events = [usage(f"{self._name}-{request}-{number}") for number in range(EVENTS)]
            while True:
                status, told = send(self._hub, *events)
                if status == 202:
                    break
                self.unanswered += 1
                assert status in (0, 503), told
                threading.Event().wait(0.02)
            self.told.update(each["result"] for each in told["events"])
            self._acknowledged.release()


def test_what_was_acknowledged_before_a_kill_is_there_once(taking: HubProcess) -> None:
    taking.start()
    acknowledged = threading.Semaphore(0)
    clients = [Client(taking, str(number), acknowledged) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(3):
        # In the middle of what the others have under way.
        for _ in range(CLIENTS * REQUESTS // 5):
            acknowledged.acquire()
        assert taking.end(signal.SIGKILL) == -signal.SIGKILL
        taking.start()
    for client in clients:
        client.join()
    told = sum((client.told for client in clients), Counter[str]())
    assert set(told) <= {"accepted", "duplicate"}
    assert sum(told.values()) == CLIENTS * REQUESTS * EVENTS
    assert sum(client.unanswered for client in clients) > 0
    found = all_events(taking)
    names = {f"{SOURCE} {c}-{r}-{n}" for c in range(CLIENTS) for r in range(REQUESTS) for n in range(EVENTS)}
    assert (set(found), set(found.values())) == (names, {1})
    assert taking.end() == 0
    assert taking.run("audit", "verify").returncode == 0


def test_a_door_that_is_not_the_senders_stays_closed(taking: HubProcess) -> None:
    """A sender's token opens nothing else, and the local token sends nothing."""
    taking.start()
    assert send(taking, usage("a"))[0] == 202
    shown = {"authorization": f"Bearer {TOKEN}"}
    assert taking.call("GET", "/api/events", None, shown).status == 401
    assert taking.call("POST", PATH, b"[]", {"content-type": BATCH}).status == 401
    local = {"authorization": f"Bearer {(taking.data / 'api-token').read_text()}", "content-type": BATCH}
    assert taking.call("POST", PATH, b"[]", local).status == 401
    described = taking.api("GET", "/api/openapi.json").json()["paths"][PATH]
    assert {"get", "post"} <= described.keys()
    assert taking.end() == 0


def test_the_program_of_the_page_sends_what_it_says(taking: HubProcess) -> None:
    page = (Path(__file__).parents[2] / "docs/sending.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    taking.start()
    assert send(taking, usage("use-7", data={"other": 1}))[0] == 202
    environ = {**os.environ, "HUB": taking.url, "TOKEN": TOKEN, "no_proxy": "127.0.0.1"}
    for _ in range(2):
        asked = [sys.executable, "-c", program]
        said = subprocess.run(asked, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert (said.returncode, said.stderr) == (0, "")
        assert said.stdout.startswith("7 The first one stays")
    assert len(all_events(taking)) == 1001
    assert taking.end() == 0
