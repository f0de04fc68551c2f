"""The webhook door over real HTTP: each bad webhook has its status and is counted, each good one is durable."""

from __future__ import annotations

import http.client
import json
import signal
import time
from urllib.parse import urlsplit

from tests.runtime.process import HubProcess, event


def _audited(hub: HubProcess, kind: str) -> list[dict[str, object]]:
    entries = hub.api("GET", "/api/audit?limit=200").json()["entries"]
    return [entry for entry in entries if entry["kind"] == kind]


def test_bad_webhooks_get_their_status_and_are_counted(hub: HubProcess) -> None:
    """Wrong signature, stale, too large, unknown connection; signed but unreadable is kept."""
    hub.store_secret()
    hub.start()
    statuses = {
        "bad-signature": hub.hook(event(1), secret="d3Jvbmc=").status,
        "stale": hub.hook(event(1), age=3600).status,
        "no-signature": hub.call("POST", "/hooks/hello", b"{}").status,
        "too-large": hub.hook(b" " * (1024 * 1024 + 1)).status,
        "unknown-connection": hub.hook(event(1), connection="nobody").status,
        "not-json": hub.hook(b"{not json").status,
        "not-an-event": hub.hook({"id": 1}).status,
    }
    assert statuses == {
        "bad-signature": 401,
        "stale": 401,
        "no-signature": 401,
        "too-large": 413,
        "unknown-connection": 404,
        "not-json": 202,
        "not-an-event": 202,
    }
    assert hub.hook(event(1), secret="d3Jvbmc=").type == "application/problem+json"
    rejected = hub.api("GET", "/api/events?state=rejected").json()["events"]
    assert {found["reason"] for found in rejected} == {"webhook-unreadable"}
    assert len(rejected) == 2
    end = time.monotonic() + 10
    wanted = {("hello", "bad-signature"): 2, ("hello", "stale"): 1, ("hello", "no-signature"): 1}
    wanted |= {("hello", "too-large"): 1, ("unknown", "unknown-connection"): 1}
    while True:
        counted: dict[tuple[str, str], int] = {}
        for entry in _audited(hub, "webhook.refused"):
            facts = entry["facts"]
            assert isinstance(facts, dict)
            name = (facts["connection"], facts["reason"])
            counted[name] = counted.get(name, 0) + facts["count"]
        if counted == wanted:
            break
        assert time.monotonic() < end, counted
        time.sleep(0.1)
    assert hub.end() == 0


def test_a_good_webhook_runs_once_however_often_it_comes(hub: HubProcess) -> None:
    """Its run, event and audit can be read; the same id with other content starts nothing."""
    hub.store_secret()
    hub.start()
    assert [hub.hook(event(2)).status for _ in range(3)] == [202, 202, 202]
    assert hub.hook(event(2, text="Forged!")).status == 202
    hub.settled({"succeeded": 1})
    (run,) = hub.api("GET", "/api/runs").json()["runs"]
    detail = hub.api("GET", f"/api/runs/{run['id']}").json()
    assert [step["state"] for step in detail["steps"]] == ["succeeded", "succeeded"]
    assert detail["steps"][1]["effect"]["state"] == "done"
    states = sorted(found["state"] for found in hub.api("GET", "/api/events").json()["events"])
    assert states == ["accepted", "rejected"]
    assert hub.api("POST", "/api/audit/verify").json()["holds"]
    replayed = hub.api("POST", f"/api/runs/{run['id']}/replay", {})
    assert replayed.status == 201
    hub.settled({"succeeded": 1})
    again = hub.api("GET", f"/api/runs/{replayed.json()['run']}").json()
    assert again["steps"][1]["attempts"] == []
    assert hub.end() == 0


def test_what_was_acknowledged_survives_a_kill(hub: HubProcess) -> None:
    """A 202 is given only for what is durable: killed at once afterwards, every event is run by the next process."""
    hub.store_secret()
    hub.start()
    assert {hub.hook(event(number)).status for number in range(100, 130)} == {202}
    assert hub.end(signal.SIGKILL) == -signal.SIGKILL
    hub.start()
    # The service tells of what the hub wrote, too; those events are others.
    end = time.monotonic() + 15
    while True:
        runs = hub.api("GET", "/api/runs?text=greeting:g-&limit=1000").json()["runs"]
        if [run["state"] for run in runs] == ["succeeded"] * 30:
            break
        assert time.monotonic() < end, runs
        time.sleep(0.05)
    assert hub.end() == 0


def test_nobody_gets_in_without_the_token(hub: HubProcess) -> None:
    """Errors of the API are problem documents with stable codes."""
    hub.start()
    for path in ("/api/runs", "/api/cases", "/api/summary", "/api/audit", "/api/connections", "/api/secrets"):
        refused = hub.call("GET", path, headers={"authorization": "Bearer wrong"})
        assert (refused.status, refused.type) == (401, "application/problem+json")
        assert refused.json()["code"] == "not-authenticated"
    assert hub.call("GET", "/api/health").status == 200
    missing = hub.api("GET", "/api/runs/run_nope")
    assert (missing.status, missing.json()["code"]) == (404, "not-found")
    wrong = hub.api("POST", "/api/runs/run_nope/replay", {"from_stepp": "x"})
    assert (wrong.status, wrong.json()["code"]) == (422, "invalid-request")
    flood = http.client.HTTPConnection(urlsplit(hub.url).netloc)
    flood.putrequest("PUT", "/api/crossrefs/customer")
    flood.putheader("Content-Type", "application/json")
    flood.putheader("Content-Length", str(8 * 1024 * 1024 + 1))
    flood.endheaders()
    assert flood.getresponse().status == 413
    flood.close()
    assert hub.end() == 0


def test_a_secret_never_comes_out_again(hub: HubProcess) -> None:
    """Not from the API, not in the database, not in the logs."""
    hub.store_secret()
    hub.start()
    hub.hook(event(3))
    hub.settled({"succeeded": 1})
    listed = json.dumps(hub.api("GET", "/api/secrets").json())
    assert "hello" in listed
    assert hub.end() == 0
    canary = hub.run("vault", "list", "--json").stdout
    kept = b"".join(path.read_bytes() for path in hub.data.iterdir()) + (hub.data.parent / "hub.log").read_bytes()
    for secret in (hub.secrets()["api_key"], hub.secrets()["webhook_secret"]):
        assert secret not in listed
        assert secret not in canary
        assert secret.encode() not in kept
