"""A vendor whose shapes change, over real HTTP: Stripe's sandbox sends, the hub compares, people release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.process import HubProcess

pytestmark = pytest.mark.processes

#: A connection for each release that an endpoint may be pinned to.
RELEASES = {
    "acacia": "2024-09-30.acacia",
    "basil": "2025-03-31.basil",
    "clover": "2025-09-30.clover",
    "endive": "2026-09-30.endive",
}
FLOW = """
flow: noted
title: Note an invoice
owner: team:tests
on: { event: stripe.invoice.finalized }
key: join(':', [event.connection, data.object.id])
business_key: join(':', [event.connection, data.object.id])
steps:
  - id: note
    map: note
    of: data.object
"""
MAPPING = """
mapping: note
version: 1
from: tests.any@1
to: tests.note@1
fields:
  id: id
  total: {total}
"""
NOTE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "total"],
    "properties": {"id": {"type": "string"}, "total": {"type": "integer"}},
}
POLICY = """
policy: {action}-numbers
kind: drift
version: 1
match: first
rules:
  - name: numbers must be numbers
    when: finding.kind == 'changed-type'
    then: {{ action: {action} }}
"""
WISH: Mapping[str, Any] = {
    "products": [{"key": "plan", "id": "prod_plan", "name": "Plan"}],
    "customers": [{"key": "customer", "name": "Alder Works", "address": {"country": "DE"}}],
    "coupons": [{"key": "percent", "percent_off": "15"}],
    "tax_rates": [{"key": "vat", "display_name": "VAT", "percentage": "19", "inclusive": False}],
}
LINE = {"amount": 2140, "tax_rates": ["@vat"], "description": "Handbook"}


@pytest.fixture
def stripe() -> Iterator[Callable[[Mapping[str, Any]], Any]]:
    """Serve Stripe's sandbox; gives the way to seed it."""
    serving = subprocess.Popen(
        [sys.executable, "-m", "hub.sandbox.main", "stripe"], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert serving.stdout is not None
    control = json.loads(serving.stdout.readline())["control_url"]

    def seed(wish: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
            f"{control}/_control/seed", method="POST", data=json.dumps(wish).encode()
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)

    try:
        yield seed
    finally:
        serving.terminate()
        serving.wait(timeout=10)
        serving.stdout.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """Give a hub with a connection for each release; basil quarantines numbers that are none, clover rejects them."""
    made = HubProcess(tmp_path, {"url": "http://127.0.0.1:9", "api_key": "x"})
    for path in sorted(made.workspace.rglob("*.yaml")):
        path.unlink()
    guards = {"basil": "quarantine", "clover": "reject"}
    files = {
        "flows/noted.yaml": FLOW,
        "mappings/note.yaml": MAPPING.format(total="total"),
        "schemas/tests.any@1.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
        "schemas/tests.note@1.json": json.dumps(NOTE),
        "environments/test.yaml": "environment: test\nconnections:\n"
        + "".join(f"  {name}: {{ secret: vault:{name} }}\n" for name in RELEASES),
    }
    for name in RELEASES:
        guard = f"drift: {guards[name]}-numbers\n" if name in guards else ""
        files[f"connections/{name}.yaml"] = f"connection: {name}\nconnector: stripe\n{guard}"
    for action in guards.values():
        files[f"policies/{action}.yaml"] = POLICY.format(action=action)
    for name, text in files.items():
        path = made.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end()


def start(hub: HubProcess, stripe: Callable[[Mapping[str, Any]], Any]) -> None:
    """Serve, with an endpoint of each release at Stripe."""
    # The port is known once the hub serves, and the secrets once the endpoints are there.
    hub.start()
    endpoints = [
        {"key": name, "url": f"{hub.url}/hooks/{name}", "enabled_events": ["*"], "api_version": version}
        for name, version in RELEASES.items()
    ]
    for made, name in zip(stripe({"endpoints": endpoints})["made"]["endpoints"], RELEASES, strict=True):
        secret = json.dumps({"api_key": "sk_test_1", "webhook_secret": made["secret"]})
        stored = hub.run("vault", "set", name, input=secret)
        assert stored.returncode == 0, stored.stderr


def wait_for(reached: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def finalize(stripe: Callable[[Mapping[str, Any]], Any], key: str, **more: Any) -> str:
    """Let an invoice be finalised; gives its id."""
    create = {"customer": "@customer", "currency": "eur", "metadata": {"order": key}}
    made = stripe({"invoices": [{"key": key, "create": create, "lines": [LINE], **more}]})
    return str(made["keys"][key])


def test_what_the_sandbox_sends_is_no_drift_in_any_release(
    hub: HubProcess, stripe: Callable[[Mapping[str, Any]], Any]
) -> None:
    """Drafts, discounts, taxes, payments and all: a false alarm would be noise."""
    start(hub, stripe)
    stripe(WISH)
    for number in range(3):
        payments = [{"by": "card", "amount": 1000}, {"by": "card"}] if number else []
        finalize(stripe, f"invoice-{number}", payments=payments, subscription=f"sub_{number}")

    def settled() -> bool:
        counted = hub.api("GET", "/api/summary").json()["runs"].get("noted", {})
        return bool(counted == {"succeeded": 3 * len(RELEASES)})

    wait_for(settled)
    assert hub.api("GET", "/api/drift").json() == {"drift": []}
    shown = hub.api("GET", "/api/events?limit=1000").json()["events"]
    assert {event["state"] for event in shown} <= {"accepted", "unrouted"} and len(shown) > 40
    quiet = hub.run("drift")
    assert quiet.returncode == 0 and "as its schema says" in quiet.stdout


def test_each_kind_of_drift_is_told_and_each_action_is_taken(
    hub: HubProcess, stripe: Callable[[Mapping[str, Any]], Any]
) -> None:
    """Accepted events run, quarantined and rejected ones wait; a mended workspace lets them go, once."""
    start(hub, stripe)
    stripe(WISH)
    changed = {"set": {"net_terms": "30 days", "billing_reason": "whim"}, "drop": ["starting_balance"]}
    stripe({"switches": {"drift": {"invoice": {**changed, "as_text": ["total"]}}}})
    invoice = finalize(stripe, "drifted")

    def of(connection: str) -> list[Any]:
        path = f"/api/events?connection={connection}&type=stripe.invoice.finalized"
        return list(hub.api("GET", path).json()["events"])

    wait_for(lambda: all(len(of(name)) == 1 for name in RELEASES))
    states = {name: (of(name)[0]["state"], of(name)[0]["reason"]) for name in RELEASES}
    assert states == {
        "acacia": ("accepted", None),
        "basil": ("quarantined", "changed-type"),
        "clover": ("rejected", "changed-type"),
        "endive": ("accepted", None),
    }
    told = hub.run("drift", "--schema", "stripe.invoice", "--connection", "endive", "--json")
    assert told.returncode == 0, told.stderr
    found = {(row["kind"], row["path"]): row for row in json.loads(told.stdout)["drift"]}
    assert set(found) >= {
        ("unknown-field", "net_terms"),
        ("missing-field", "starting_balance"),
        ("changed-type", "total"),
        ("new-value", "billing_reason"),
    }
    assert found["new-value", "billing_reason"]["example"] == "whim"
    assert "net_terms" in hub.run("drift").stdout
    schema = of("endive")[0]["schema"]
    payloads = hub.api("GET", f"/api/events/payloads?schema={schema}&limit=5").json()["payloads"]
    assert payloads[0]["net_terms"] == "30 days"

    # Released too early, the runs park on the text; the next revision reads it as a number.
    assert hub.end() == 0
    (hub.workspace / "mappings/note.yaml").write_text(
        MAPPING.format(total="{ value: to_number(total), required: true }")
    )
    hub.start()
    quarantined = of("basil")[0]["id"]
    for already in (False, True):
        done = hub.run("events", "release", quarantined, "--reason", "numbers are read from text now", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["events"][0]["already"] is already
    many = hub.run("events", "release", "--code", "changed-type", "--reason", "and the others", "--json")
    assert many.returncode == 0, many.stderr
    assert json.loads(many.stdout)["released"] >= 1
    wait_for(lambda: [of(name)[0]["state"] for name in RELEASES] == ["accepted"] * 4)

    def runs() -> dict[str, list[str]]:
        rows = hub.api("GET", f"/api/runs?text={invoice}").json()["runs"]
        return {state: [row["id"] for row in rows if row["state"] == state] for state in ("succeeded", "parked")}

    wait_for(lambda: sum(map(len, runs().values())) == 4)
    assert len(runs()["succeeded"]) == 2, "those released by the mended revision"
    shown = hub.run("events", "show", quarantined)
    assert "numbers are read from text now" in shown.stdout and "quarantine" in shown.stdout
    listed = hub.run("events", "list", "--flagged", "--kind", "changed-type")
    assert listed.returncode == 0 and "changed-type" in listed.stdout
    assert hub.api("POST", "/api/audit/verify").json()["holds"]
    assert hub.end() == 0
