"""Drift at the door of a real connector: told in full, decided by policy, and nothing is ever lost."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from connectors.stripe.connector import CONNECTOR
from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.engine.masking import masked
from hub.intake.door import Intake
from hub.model.ambient import Ambient, to_micros
from hub.model.event import EventState
from hub.operate.events import EventOrders, kept_bytes
from hub.queries import drift, events
from hub.queries.view import View
from hub.runtime.clock import SystemClock
from hub.sdk import exact_json
from hub.sdk.transport import Transport
from hub.store import events as stored
from hub.store.committer import Committer
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

SECRET = "whsec_of_the_tests"
FIXTURES = Path(__file__).parents[2] / "connectors/stripe/fixtures"
SHIPPED = {path.stem: exact_json.loads(path.read_bytes()) for path in sorted(FIXTURES.glob("*.json"))}
FLOW = """
flow: noted
title: Note an invoice
owner: team:tests
on: { event: stripe.invoice.finalized }
key: data.object.id
business_key: data.object.id
steps:
  - id: note
    map: note
    of: data.object
"""
MAPPING = """
mapping: note
version: 1
from: tests.any@1
to: tests.any@1
fields:
  id: id
"""
POLICY = """
policy: drifting
kind: drift
version: 3
match: first
rules:
  - name: numbers must be numbers
    when: finding.kind == 'changed-type'
    then: {{ action: reject }}
  - name: look at it first
    when: {when}
    then: {{ action: quarantine }}
"""


def workspace(*, when: str | None = None, policy: str | None = None) -> Bundle:
    """Compile a workspace with one flow; `when` quarantines, `policy` stands in place of the whole policy."""
    files = {
        "flows/noted.yaml": FLOW,
        "mappings/note.yaml": MAPPING,
        "schemas/tests.any@1.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
        "connections/stripe.yaml": "connection: stripe\nconnector: stripe\n",
    }
    if policy is None and when is not None:
        policy = POLICY.format(when=when)
    if policy is not None:
        files["policies/drifting.yaml"] = policy
        files["connections/stripe.yaml"] += "drift: drifting\n"
    compiled, lints = compile_bundle({path: text.encode() for path, text in files.items()}, catalogue_of([CONNECTOR]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


class Door:
    """Stripe's door over a store; the current bundle can be changed."""

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        """Open everything."""
        self.bundle = bundle
        self.ambient = Ambient(clock=SystemClock(), random=random.Random(1))
        self.database = Database(folder)
        self.committer = Committer(self.database, self.ambient)
        self.account = account = Account(
            name="stripe",
            connector=CONNECTOR,
            settings=CONNECTOR.settings.model_validate({"api_key": "sk_test_1", "webhook_secret": SECRET}),
            limiter=Limiter(CONNECTOR.limits, self.ambient),
            transport=Transport(),
            ambient=self.ambient,
        )
        accounts = {"stripe": account}
        self.intake = Intake(
            environment="test",
            ambient=self.ambient,
            committer=self.committer,
            accounts=accounts,
            bundle=lambda: self.bundle,
        )
        self.orders = EventOrders(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=accounts,
            bundle=lambda: self.bundle,
            take=self.intake.read_again,
        )
        self.view = View(environment="test", database=self.database, ambient=self.ambient)

    async def deliver(self, event: Mapping[str, Any] | bytes) -> None:
        """Send a signed webhook."""
        body = event if isinstance(event, bytes) else exact_json.dumps(event)
        at = str(to_micros(self.ambient.now()) // 1_000_000)
        signed = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        await self.intake.webhook("stripe", {"stripe-signature": f"t={at},v1={signed}"}, body)

    def only(self) -> events.EventDetail:
        """Give the one event there is."""
        (row,) = events.listing(self.view, payloads=True).events
        return events.detail(self.view, row.id, payloads=True)


@asynccontextmanager
async def opened(folder: Path, bundle: Bundle) -> AsyncIterator[Door]:
    """Open a door, and close it whatever happens."""
    door = Door(folder, bundle)
    door.committer.start()
    try:
        yield door
    finally:
        await door.committer.stop()
        door.database.close()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """Give a door without a policy."""
    async with opened(tmp_path, workspace()) as made:
        yield made


def finalized(change: Callable[[dict[str, Any]], Any] | None = None, version: str | None = None) -> dict[str, Any]:
    """Give the fixture's event with its invoice changed."""
    event: dict[str, Any] = copy.deepcopy(SHIPPED["invoice_finalized"])
    if change is not None:
        change(event["data"]["object"])
    if version is not None:
        event["api_version"] = version
    return event


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str, str]] = {
    "unknown-field": (lambda invoice: invoice.update(net_terms="30"), "net_terms", "string"),
    "missing-field": (lambda invoice: invoice.pop("total"), "total", "required"),
    "changed-type": (lambda invoice: invoice.update(total="119.00"), "total", "string instead of integer"),
    "new-value": (lambda invoice: invoice.update(status="frozen"), "status", "frozen"),
}


@pytest.mark.parametrize("name", [name for name, value in SHIPPED.items() if value["object"] == "event"])
async def test_what_ships_is_no_drift(door: Door, name: str) -> None:
    """A false alarm is noise that hides the true ones."""
    await door.deliver(SHIPPED[name])
    assert door.only().event.drift == () and drift.listing(door.view, payloads=True) == ()


@pytest.mark.parametrize("kind", CHANGES)
async def test_without_a_policy_drift_is_flagged_and_runs_begin_as_ever(door: Door, kind: str) -> None:
    """Each kind is told with its place, counted once however often it is delivered, and nothing is decided."""
    change, path, detail = CHANGES[kind]
    for _ in range(3):
        await door.deliver(finalized(change))
    found = door.only()
    assert found.event.state is EventState.ACCEPTED and [run.flow for run in found.runs] == ["noted"]
    assert [(flag.kind, flag.path, flag.detail, flag.action) for flag in found.event.drift] == [
        (kind, path, detail, "accept")
    ]
    assert found.decisions == ()
    (row,) = drift.listing(door.view, payloads=True)
    assert (row.kind, row.path, row.detail, row.count, row.event_id) == (kind, path, detail, 1, found.event.id)
    assert drift.listing(door.view, payloads=False)[0].example is None


async def test_a_version_never_registered_is_taken_in_and_flagged(door: Door) -> None:
    """It is read as the latest registered one that is not newer, and says so."""
    await door.deliver(finalized(version="2031-03-31.juniper"))
    found = door.only()
    assert found.event.state is EventState.ACCEPTED and len(found.runs) == 1
    flag = found.event.drift[0]
    assert flag.kind == "unregistered-version" and (flag.detail or "").startswith("read as 20")
    claimed = found.event.schema
    assert claimed is not None
    (series,) = [each for each in drift.series(door.view, door.bundle, payloads=True) if each.name == "stripe.invoice"]
    assert series.versions[0].name == claimed and series.versions[0].read_as is not None
    assert (
        events.payloads(door.view, "stripe.invoice", limit=9).payloads
        == events.payloads(door.view, claimed, limit=9).payloads
        == (found.data["object"],)
    )


async def test_the_severest_action_counts_and_decisions_are_kept(door: Door) -> None:
    """A finding is decided by itself; decisions from the same inputs are kept once, with rule and version."""
    door.bundle = workspace(when="finding.kind == 'unknown-field'")

    def change(invoice: dict[str, Any]) -> None:
        invoice |= {"one": 1, "two": 2, "total": "119.00", "status": "frozen"}

    await door.deliver(finalized(change))
    await door.deliver(finalized(change))

    found = door.only()
    assert (found.event.state, found.event.reason) == (EventState.REJECTED, "changed-type")
    assert found.runs == () and found.event.releasable
    assert {(flag.path, flag.action) for flag in found.event.drift} == {
        ("one", "quarantine"),
        ("two", "quarantine"),
        ("total", "reject"),
        ("status", "accept"),
    }
    decided = {decision.rules: decision for decision in found.decisions}
    assert decided.keys() == {("look at it first",), ("numbers must be numbers",), ()}
    assert len(found.decisions) == 3
    kept = decided["look at it first",]
    assert (kept.policy, kept.version, kept.output) == ("drifting", 3, {"action": "quarantine"})
    assert kept.inputs == {"finding.kind": "unknown-field"}
    assert {row.action for row in drift.listing(door.view, payloads=True)} == {"accept", "quarantine", "reject"}


async def test_a_quarantined_event_is_whole_and_begins_when_it_is_released(door: Door) -> None:
    """By the revision of then; a second order begins nothing."""
    door.bundle = workspace(when="registered == `false`")
    event = finalized(version="2031-03-31.juniper")
    await door.deliver(event)
    found = door.only()
    assert (found.event.state, found.event.reason) == (EventState.QUARANTINED, "unregistered-version")
    assert found.runs == () and found.data == event["data"]
    door.bundle = workspace()
    done = await door.orders.release(found.event.id, actor="local", reason="the version is known now")
    assert len(done.runs) == 1 and done.state is EventState.ACCEPTED
    assert (await door.orders.release(found.event.id, actor="local", reason="again")).already
    after = door.only()
    assert [run.bundle for run in after.runs] == [door.bundle.id]
    assert after.event.drift[0].kind == "unregistered-version" and not after.event.releasable


async def test_a_policy_that_cannot_decide_holds_the_event_back(door: Door) -> None:
    """An expression that fails is no leave to go on; nothing is lost and the door says 2xx."""
    door.bundle = workspace(when="to_number(finding.path) > `1`")
    assert door.bundle.policies["drifting"].version == 3
    door.bundle = workspace(policy=POLICY.format(when="date(finding.path, 'UTC') == '2026-01-01'"))
    await door.deliver(finalized(lambda invoice: invoice.update(net_terms="30")))
    found = door.only()
    assert (found.event.state, found.event.reason) == (EventState.QUARANTINED, "drift-not-decided")
    assert found.runs == () and found.event.drift[0].action == "quarantine"


async def test_what_is_shown_of_a_payload_is_for_who_may_see_payloads(door: Door) -> None:
    """Also the new value itself, which tells one finding of its kind from another."""
    await door.deliver(finalized(lambda invoice: invoice.update(status="frozen", net_terms="30")))
    (row,) = events.listing(door.view, payloads=False).events
    assert {flag.kind: flag.detail for flag in row.drift} == {"new-value": None, "unknown-field": "string"}
    detail = events.detail(door.view, row.id, payloads=False)
    assert all(flag.detail is None for flag in detail.event.drift if flag.kind == "new-value")
    withheld = drift.listing(door.view, payloads=False)
    assert {each.kind: each.detail for each in withheld} == {"new-value": None, "unknown-field": "string"}
    assert all(each.example is None for each in withheld)


async def test_known_secrets_are_scrubbed_from_what_is_counted_and_decided(door: Door) -> None:
    """Before anything is shortened: the beginning of a secret would be half of it."""
    door.account.redactor.register("hunter2-is-short")
    door.bundle = workspace(when="finding.path != 'x' && finding.detail != 'x'")

    def change(invoice: dict[str, Any]) -> None:
        invoice |= {
            "note": "hunter2-is-short",
            "late": "a b " * 18 + "hunter2-is-short",
            "of-hunter2-is-short": {"hunter2-is-short": 1},
            "status": "hunter2-is-short",
        }

    await door.deliver(finalized(change))
    found = door.only()
    kept = (found.event.drift, found.decisions, drift.listing(door.view, payloads=True))
    assert "hunter2" not in repr(kept)
    assert found.event.state is EventState.QUARANTINED and len(found.event.drift) == 4
    examples = {row.path: row.example for row in kept[2]}
    assert examples["note"] == examples["status"] == "[secret]"
    assert examples["late"] == "a b " * 18 + "[secret]"


async def test_names_and_values_cannot_steer_a_terminal(door: Door) -> None:
    """Nor what a database takes for the end of a text."""
    await door.deliver(
        finalized(lambda invoice: invoice.update({"\x1b[2Jnew\x00": "\x1b]0;owned\x07", "status": "\u202e"}))
    )
    (new, status) = sorted(drift.listing(door.view, payloads=True), key=lambda row: row.kind, reverse=True)
    assert (new.path, new.example) == ('"�[2Jnew�"', "�]0;owned�")
    assert status.detail == "�"


def test_examples_name_nobody_and_open_nothing() -> None:
    """Mail addresses, long numbers and tokens are masked; words and amounts stay."""
    shown = masked("ada@example.com 4242 4242 4242 4242 sk_test_4eC39HqLyjWDarjtT1zdp7dcTYooMQ 119.00 net_30")
    assert shown == "…@… …4242 … 119.00 net_30"
    assert masked("automatic_pending_invoice_item_invoice") == "automatic_pending_invoice_item_invoice"


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.decimals(allow_nan=False, allow_infinity=False, places=2)
    | some.text(max_size=12),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def _replaced(value: Any, path: tuple[Any, ...], by: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = by


PLACES: tuple[tuple[Any, ...], ...] = (
    ("id",),
    ("type",),
    ("object",),
    ("api_version",),
    ("created",),
    ("data",),
    ("data", "object"),
    ("data", "object", "id"),
    ("data", "object", "object"),
    ("data", "object", "lines"),
    ("data", "object", "lines", "data", 0, "amount"),
    ("data", "object", "metadata"),
    ("data", "previous_attributes"),
)


@settings(max_examples=20, deadline=None)
@given(changes=some.lists(some.tuples(some.sampled_from(PLACES), JSON), max_size=3), whole=some.none() | JSON)
def test_whatever_is_signed_is_kept_whole(changes: list[tuple[tuple[Any, ...], Any]], whole: Any) -> None:
    """As an event with its data, or as the bytes that came; and a release never breaks either."""
    event: Any = finalized()
    for path, value in changes:
        try:
            _replaced(event, path, value)
        except (TypeError, KeyError, IndexError):
            continue
    if whole is not None:
        event = whole
    body = exact_json.dumps(event)

    async def play(folder: Path) -> tuple[Mapping[str, Any], Any]:
        async with opened(folder, workspace(when="finding.kind == 'new-value'")) as door:
            await door.deliver(body)
            (row,) = events.listing(door.view, payloads=True).events
            detail = events.detail(door.view, row.id, payloads=True)
            drift.series(door.view, door.bundle, payloads=True)
            with door.database.reading() as connection:
                kept = stored.find(connection, row.id)
            assert kept is not None
            return kept, detail.data

    with TemporaryDirectory() as folder:
        kept, data = asyncio.run(play(Path(folder)))
    if kept["type"] == "unreadable":
        assert kept_bytes(kept) == body
    else:
        assert exact_json.canonical(data) == exact_json.canonical(event["data"])


@settings(max_examples=25, deadline=None)
@given(some.binary(max_size=200) | some.integers(100, 3000).map(lambda depth: b"[" * depth + b"]" * depth))
def test_whatever_bytes_are_signed_are_had_back_exactly(body: bytes) -> None:
    """Also those that are no text, and those too deep to read."""

    async def play(folder: Path) -> Mapping[str, Any] | None:
        async with opened(folder, workspace()) as door:
            await door.deliver(body)
            (row,) = events.listing(door.view, payloads=True).events
            with door.database.reading() as connection:
                return stored.find(connection, row.id)

    with TemporaryDirectory() as folder:
        kept = asyncio.run(play(Path(folder)))
    assert kept is not None and kept["state"] == "rejected" and kept_bytes(kept) == body


@pytest.mark.parametrize("depth", [50, 190, 400, 990, 5000])
async def test_a_payload_of_any_depth_is_kept(door: Door, depth: int) -> None:
    """As an event, or as bytes where nobody could read it."""
    body = exact_json.dumps(finalized()).replace(
        b'"metadata":{', b'"metadata":{"deep":' + b"[" * depth + b"]" * depth + b",", 1
    )
    body = body.replace(b"],}", b"]}")
    await door.deliver(body)
    (row,) = events.listing(door.view, payloads=True).events
    assert row.type in ("stripe.invoice.finalized", "unreadable")
    with door.database.reading() as connection:
        kept = stored.find(connection, row.id)
    assert kept is not None and str(kept["data"]).count("[") >= depth
