"""An afternoon of a small company's money path: invoices in several currencies, a few that need somebody."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert, update

from hub.audit.kinds import AuditKind
from hub.model.ambient import Ambient, to_micros
from hub.model.flow import Branch, Call, Flow, Step
from hub.sdk import exact_json
from hub.store import crossrefs
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.drift import Sighting
from hub.store.events import Accept
from hub.store.tables import attempts, cases, effects, runs, steps
from hub.workspace.bundle import Bundle

ENVIRONMENT = "sandbox"
INVOICES, PAYMENTS = "invoice-to-erp", "payment-to-erp"
CURRENCIES = ("EUR", "USD", "EUR", "GBP", "JPY", "KWD", "EUR", "USD")

#: Reason, step, what happened, facts.
TROUBLES: Sequence[tuple[str, str, str, Mapping[str, str]]] = (
    (
        "customer-not-mapped",
        "customer",
        "stripe customer cus_Qx81Lw has no crossref to netsuite.",
        {"entity": "customer", "system": "stripe", "id": "cus_Qx81Lw", "want": "netsuite"},
    ),
    (
        "posted-differently",
        "booked.posted",
        "The record differs from `invoice` in 2 places.",
        {
            "differences": "total: 128410 minor EUR, expected 128400 minor EUR; "
            "lines[].amount [3]: 4910 minor EUR, expected 4900 minor EUR"
        },
    ),
    (
        "tax-code-not-mapped",
        "tax",
        "The table `tax_codes` has no entry for `txcd_99999999`.",
        {"table": "tax_codes", "key": "txcd_99999999"},
    ),
    (
        "outcome-unknown",
        "booked.post",
        "The write may or may not have happened, and the target gives no way to look; a person must find out.",
        {"connection": "netsuite", "operation": "invoice.upsert"},
    ),
)


_NEW_FIELD = {
    "schema": "stripe.invoice@2025-09-30",
    "kind": "unknown-field",
    "path": "parent.subscription_details.billing_terms",
    "detail": "string",
    "action": "accept",
}
#: State, reason and flags of events that were not simply taken; `schema` is what each claims.
_KEPT: Sequence[tuple[str, str | None, dict[str, Any] | None]] = (
    ("accepted", None, {"drift": [{**_NEW_FIELD}]}),
    (
        "quarantined",
        "changed-type",
        {
            "drift": [
                {
                    **_NEW_FIELD,
                    "kind": "changed-type",
                    "path": "lines.data[].amount",
                    "detail": "string instead of integer",
                    "action": "quarantine",
                },
                {**_NEW_FIELD},
            ]
        },
    ),
    (
        "rejected",
        "unregistered-version",
        {
            "drift": [
                {
                    **_NEW_FIELD,
                    "schema": "stripe.invoice@2027-03-31",
                    "kind": "unregistered-version",
                    "path": "",
                    "detail": "read as 2026-09-30",
                    "action": "reject",
                }
            ]
        },
    ),
    ("rejected", "webhook-unreadable", None),
    ("rejected", "same-id-other-content", None),
    ("unrouted", None, None),
    (
        "accepted",
        None,
        {"flows": {"payment-to-erp": {"code": "no-key", "detail": "The flow's `key` gave no name for this event."}}},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One event and what became of its run."""

    number: int
    flow: str
    state: str
    minor: int
    currency: str
    accepted: datetime
    seconds: float
    trouble: int | None = None
    tries: int = 1
    wait: str | None = None

    @property
    def external_id(self) -> str:
        digest = hashlib.sha256(f"{self.flow}{self.number}".encode()).hexdigest()
        return f"evt_1Q{digest[:14]}"

    @property
    def document(self) -> str:
        digest = hashlib.sha256(f"doc{self.flow}{self.number}".encode()).hexdigest()
        return f"{'in' if self.flow == INVOICES else 'pi'}_1P{digest[:12]}"

    @property
    def business_key(self) -> str:
        return f"stripe:{self.document}"


def stories(now: datetime, count: int = 64, seed: int = 7) -> list[Story]:
    """Give the stories, the oldest first; times reach back half an hour from `now`."""
    chance = random.Random(seed)
    told = []
    for number in range(count):
        accepted = now - timedelta(minutes=29) * (1 - number / count) - timedelta(seconds=chance.random() * 20)
        flow = PAYMENTS if number % 5 == 4 else INVOICES
        state, trouble, wait, tries = "succeeded", None, None, chance.choice((1, 1, 1, 2, 3))
        if number % 9 == 3:
            state, trouble = "parked", (0, 0, 1, 0, 2, 3, 0)[number // 9 % 7]
            flow = INVOICES
        elif number >= count - 3:
            state = "queued" if number == count - 1 else "running"
        elif number in {count - 5, count - 9}:
            state, wait = "waiting", "event" if flow == PAYMENTS else "timer"
        told.append(
            Story(
                number=number,
                flow=flow,
                state=state,
                minor=chance.randrange(4_900, 1_890_000),
                currency=CURRENCIES[number % len(CURRENCIES)],
                accepted=accepted,
                seconds=chance.lognormvariate(0.2, 0.6),
                trouble=trouble,
                tries=tries,
                wait=wait,
            )
        )
    return told


def event_of(story: Story, bundle: Bundle, ambient: Ambient) -> Accept:
    """Give a story's event with its queued run."""
    at = to_micros(story.accepted)
    kind = "invoice.finalized" if story.flow == INVOICES else "payment_intent.succeeded"
    data = {
        "object": {
            "id": story.document,
            "object": "invoice",
            "number": f"R-{20400 + story.number}",
            "currency": story.currency.lower(),
            "customer": "cus_Qx81Lw",
            "customer_name": "Łódź & Söhne <GmbH>",
            "total": story.minor,
            "lines": {"object": "list", "has_more": False, "data": [{"id": "il_1", "amount": story.minor}]},
        }
    }
    event_id = ambient.new_id("event")
    event = {
        "id": event_id,
        "environment": ENVIRONMENT,
        "connection": "stripe",
        "external_id": story.external_id,
        "type": f"stripe.{kind}",
        "subject": story.document,
        "schema": "stripe.invoice@2025-09-30",
        "occurred_at": at - 900_000,
        "received_at": at,
        "via": "webhook",
        "state": "accepted",
        "deliveries": 1 + story.number % 3 // 2,
        "data": exact_json.dumps(data).decode(),
        "record_key": "object",
        "body_hash": hashlib.sha256(exact_json.dumps(data)).hexdigest(),
        "entity": "DE01",
        "reason": None,
    }
    run = {
        "id": ambient.new_id("run"),
        "environment": ENVIRONMENT,
        "entity": "DE01",
        "flow": story.flow,
        "bundle": bundle.id,
        "event_id": event_id,
        "key": story.document,
        "business_key": story.business_key,
        "state": "queued",
        "blocking": True,
        # Nothing claims the runs of these stories, whether or not a worker is about.
        "claimable_at": None,
        "epoch": 0,
        "generation": 0,
        "created_at": at,
        "updated_at": at,
    }
    return Accept(event=event, runs=[run], actor="connection:stripe")


def tell(transaction: Transaction, story: Story, run_id: str, flow: Flow, ambient: Ambient) -> None:
    """Write what became of a run: its steps, attempts, writes, its case, its state."""
    if story.state == "queued":
        return
    begin = to_micros(story.accepted) + 12_000
    whole = int(story.seconds * 1_000_000)
    stop = None
    if story.trouble is not None:
        stop = TROUBLES[story.trouble][1]
    elif story.state in {"running", "waiting"}:
        stop = "invoice" if story.flow == PAYMENTS else "booked.post"
    at, share = begin, whole // max(len(flow.steps), 1)
    over = False
    for ordinal, (path, step) in enumerate(_gone_through(flow.steps)):
        ends = at + (share if isinstance(step.action, Call) else share // 12)
        stopped = stop is not None and f"{stop}.".startswith(f"{path}.")
        if stopped and story.state == "running":
            break
        if over and not stopped:
            continue
        kind = type(step.action).__name__.lower()
        _tell_step(transaction, story, run_id, ordinal, path, kind, at, ends, stopped=stopped)
        if isinstance(step.action, Call):
            _tell_call(transaction, story, run_id, path, step.action.operation, at, ends, stopped=stopped)
        at, over = ends, over or stopped
    _tell_end(transaction, story, run_id, at, ambient)


def _gone_through(all_steps: Sequence[Step], around: str = "") -> Iterator[tuple[str, Step]]:
    """Give the steps that a run for NetSuite goes through, with their paths: a branch behind those of its first arm."""
    for step in all_steps:
        if step.when is not None and "s4hana" in step.when.text:
            continue
        if isinstance(step.action, Branch):
            yield from _gone_through(step.action.arms[0].steps, f"{around}{step.id}.")
        yield f"{around}{step.id}", step


def _tell_step(
    transaction: Transaction,
    story: Story,
    run_id: str,
    ordinal: int,
    path: str,
    kind: str,
    began: int,
    ended: int,
    *,
    stopped: bool,
) -> None:
    error = None
    if stopped and story.trouble is not None:
        reason, _, detail, facts = TROUBLES[story.trouble]
        error = {"code": reason, "detail": detail, "facts": dict(facts)}
    elif stopped:
        error = {"code": "limit-reached", "detail": "The account's concurrency limit was reached.", "facts": {}}
    money = {"minor": story.minor, "currency": story.currency}
    output: Any = {"id": story.document, "total": money, "currency": story.currency, "lines": [{"amount": money}]}
    if kind == "decide":
        output = {"connection": "netsuite", "system": "netsuite", "subsidiary": "2"}
    elif kind == "lookup":
        output = {"id": "1042"}
    _add(
        transaction,
        steps,
        run_id=run_id,
        path=path,
        ordinal=ordinal,
        kind=kind,
        state=("failed" if story.state == "parked" else "waiting") if stopped else "succeeded",
        input=exact_json.dumps({"id": story.document}).decode(),
        output=None if stopped else exact_json.dumps(output).decode(),
        rule={"decide": "everyone else in NetSuite", "branch": "netsuite"}.get(kind),
        error=None if error is None else exact_json.dumps(error).decode(),
        started_at=began,
        finished_at=ended,
    )


def _tell_call(
    transaction: Transaction,
    story: Story,
    run_id: str,
    path: str,
    operation: str,
    began: int,
    ended: int,
    *,
    stopped: bool,
) -> None:
    writes = not operation.endswith(".read")
    tries = story.tries if path == "booked.post" else 1
    piece = (ended - began) // (2 * tries)
    for number in range(1, tries + 1):
        last = number == tries and not stopped
        _add(
            transaction,
            attempts,
            run_id=run_id,
            path=path,
            number=number,
            kind="send" if writes else "read",
            started_at=began + (number - 1) * 2 * piece,
            finished_at=began + (number - 1) * 2 * piece + piece,
            status=200 if last else 429,
            outcome="done" if last else "limit-reached",
            detail=None if last else "The account's concurrency limit was reached; Retry-After: 1",
        )
    if writes:
        unknown = stopped and story.trouble == 3
        body = exact_json.dumps({"externalId": story.document, "total": story.minor, "memo": "</script><b>&"})
        _add(
            transaction,
            effects,
            key=hashlib.sha256(f"{story.business_key}{path}".encode()).hexdigest()[:32],
            environment=ENVIRONMENT,
            connection={"tax.commit": "tax", "invoice.annotate": "stripe"}.get(operation, "netsuite"),
            operation=operation,
            idempotency="unsafe" if unknown else "upsert",
            business_key=story.business_key,
            path=path,
            generation=0,
            run_id=run_id,
            state="parked" if unknown else "failed" if stopped else "done",
            method="PUT",
            url=f"https://user:hidden@1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1/{story.document}",
            headers=exact_json.dumps({"Content-Type": "application/json"}).decode(),
            body=body,
            body_hash=hashlib.sha256(body).hexdigest(),
            sent_at=began,
            output=None,
            reason="outcome-unknown" if unknown else None,
            created_at=began,
            finished_at=ended,
        )


def _tell_end(transaction: Transaction, story: Story, run_id: str, at: int, ambient: Ambient) -> None:
    reason = TROUBLES[story.trouble][0] if story.trouble is not None else None
    values: dict[str, Any] = {
        "state": story.state,
        "reason": reason or ("limit-reached" if story.wait == "timer" else None),
        "blocking": story.state != "succeeded",
        "started_at": to_micros(story.accepted) + 12_000,
        "updated_at": at,
        "finished_at": at if story.state == "succeeded" else None,
        "money_minor": story.minor,
        "money_currency": story.currency,
        "wait_kind": story.wait,
        "wait_on": f"crossref:{ENVIRONMENT}:invoice:stripe:{story.document}:netsuite"
        if story.wait == "event"
        else None,
        "wait_until": at + 900_000_000 if story.wait else None,
    }
    transaction.connection.execute(update(runs).where(runs.c.id == run_id).values(**values))
    if story.trouble is None:
        return
    reason, path, detail, facts = TROUBLES[story.trouble]
    case_id = ambient.new_id("case")
    _add(
        transaction,
        cases,
        id=case_id,
        environment=ENVIRONMENT,
        entity="DE01",
        flow=story.flow,
        run_id=run_id,
        path=path,
        business_key=story.business_key,
        reason=reason,
        fingerprint=hashlib.sha256(f"{story.flow}|{path}|{reason}".encode()).hexdigest()[:16],
        detail=detail,
        facts=exact_json.dumps(dict(facts)).decode(),
        runbook="docs/runbooks/failed-posting.md",
        owner=None,
        money_minor=story.minor,
        money_currency=story.currency,
        state="open",
        opened_at=at,
    )
    transaction.entries.append(
        Note(kind=AuditKind.CASE_OPENED, actor="worker:w_1", subjects={"case": case_id}, facts={"reason": reason})
    )


def kept_events(bundle: Bundle, ambient: Ambient) -> list[Accept]:
    """Give events that were not simply taken: flagged, quarantined, rejected, unread, unwanted, half begun."""
    now = ambient.now()
    made = []
    for number, (state, reason, flags) in enumerate(_KEPT):
        story = Story(
            number=5000 + number,
            flow=INVOICES,
            state="queued",
            minor=128_410,
            currency="EUR",
            accepted=now - timedelta(minutes=40 + number),
            seconds=1,
        )
        accept = event_of(story, bundle, ambient)
        event = {**accept.event, "state": state, "reason": reason}
        event["flags"] = exact_json.dumps(flags).decode() if flags else None
        if reason == "webhook-unreadable":
            event |= {
                "type": "unreadable",
                "schema": None,
                "record_key": None,
                "external_id": f"unreadable:{'0af3' * 8}",
            }
            event["data"] = '{"body":"{not json"}'
        if state == "unrouted":
            event["type"] = "stripe.coupon.created"
        findings = [] if flags is None else flags.get("drift", [])
        if findings:
            event["schema"] = findings[0]["schema"]
            told = [{name: value for name, value in each.items() if name != "schema"} for each in findings]
            event["flags"] = exact_json.dumps({"drift": told}).decode()
        drift = [
            Sighting(
                environment=ENVIRONMENT,
                connection="stripe",
                schema=event["schema"],
                kind=finding["kind"],
                path=finding["path"],
                detail=finding["detail"],
                example='"net_30"' if finding["path"] else None,
                event_id=event["id"],
                action=finding["action"],
            )
            for finding in findings
        ]
        made.append(
            Accept(event=event, runs=accept.runs if state == "accepted" else [], actor=accept.actor, drift=drift)
        )
    return made


def tie(transaction: Transaction, ambient: Ambient) -> None:
    """Tie a few customers together."""
    for number, name in enumerate(("cus_Ab12Cd", "cus_Ef34Gh", "cus_Ij56Kl")):
        crossrefs.put(
            transaction,
            crossrefs.Link(
                environment=ENVIRONMENT,
                entity="customer",
                ids={"stripe": name, "netsuite": str(1042 + number), "tax": f"C-{1042 + number}"},
                thing=ambient.new_id("thing"),
                actor="local",
            ),
        )


def _add(transaction: Transaction, table: Table, **values: Any) -> None:
    transaction.connection.execute(insert(table), values)
