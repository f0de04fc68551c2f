"""Approvals as a finance team has them: what waits, what one of two has agreed to, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from hub.access.people import PersonId
from hub.access.permissions import Role
from hub.access.sign_in import new_person
from hub.model.ambient import to_micros
from hub.model.approval import Lapse, Verdict
from hub.sdk import exact_json
from hub.store import approvals
from hub.store.account_tables import people
from hub.store.committer import Transaction, Work
from hub.store.tables import runs
from tests.ui import believable

if TYPE_CHECKING:
    from tests.ui.stage import Stage

APPROVER, SECOND, CONTROLLER = "ines@example.com", "tom@example.com", "mira@example.com"
POLICY = {"policy": "large-invoices", "version": 3}
DAY = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Ids of what was asked: `one` needs one person, `two` has one of two, `late` is escalated."""

    one: str
    two: str
    late: str
    own: str
    approved: str
    refused: str
    void: str


def record(number: int, minor: int, currency: str) -> dict[str, Any]:
    """Make an invoice as people see it who are asked."""

    def money(part: int) -> dict[str, Any]:
        return {"minor": part, "currency": currency}

    net = minor * 100 // 119
    return {
        "id": f"in_1P{number}",
        "number": f"R-{number}",
        "entity": "DE01",
        "customer_id": "cus_Qx81Lw",
        "customer_name": "Łódź & Söhne <GmbH>",
        "currency": currency,
        "issued_on": "2026-01-31",
        "due_on": "2026-03-02",
        "terms": "NET30",
        "subtotal": money(net),
        "tax_total": money(minor - net),
        "total": money(minor),
        "lines": [
            {
                "id": f"il_{line}",
                "product_id": "101",
                "description": text,
                "quantity": line * 12,
                "amount": money(net // 3 if line < 3 else net - 2 * (net // 3)),
            }
            for line, text in enumerate(("Platform, annual", "Usage above the plan", "Onboarding and training"), 1)
        ],
        "customer_address": {"line1": "Hafenstraße 4", "postal_code": "20459", "city": "Hamburg", "country": "DE"},
    }


async def add_approvers(stage: Stage, password: str) -> None:
    """Let two approvers and a controller come."""
    for email, name, role in (
        (APPROVER, "Ines Okafor", Role.APPROVER),
        (SECOND, "Tom Lindqvist", Role.APPROVER),
        (CONTROLLER, "Mira Novak", Role.CONTROLLER),
    ):
        person = await new_person(
            person_id=PersonId(f"p_{name[:3].lower()}"),
            email=email,
            name=name,
            role=role,
            password=password,
            now=stage.ambient.now(),
        )
        await stage.console.directory.add_person(person, actor="local")


async def ask(
    stage: Stage,
    number: int,
    minor: int,
    currency: str = "EUR",
    *,
    needed: int = 1,
    began: str | None = None,
    **more: Any,
) -> str:
    """Let a run come to its approval; gives the approval's id."""
    story = believable.stories(stage.ambient.now(), 8)[0]
    story = replace(story, number=number, flow=believable.INVOICES, state="running", minor=minor, currency=currency)
    run_id = await stage.happen(story)
    now = to_micros(stage.ambient.now())
    made = record(number, minor, currency)
    row = {
        **POLICY,
        "id": stage.ambient.new_id("approval"),
        "environment": believable.ENVIRONMENT,
        "entity": "DE01",
        "flow": story.flow,
        "run_id": run_id,
        "path": "approval",
        "business_key": story.business_key,
        "rule": "large" if needed == 1 else "very large",
        "bundle": stage.bundle.id,
        "needed": needed,
        "roles": '["approver"]',
        "record": exact_json.dumps(made).decode(),
        "record_hash": f"{number:064x}",
        "money_minor": minor,
        "money_currency": currency,
        "deadline_at": now + 5 * DAY,
        "escalate_at": now + DAY,
        "escalate_to": "controller",
        "valid_for": 7 * DAY,
        **more,
    }

    def work(transaction: Transaction) -> None:
        approvals.ask(transaction, row, epoch=0, began=[began] if began else [], actor="worker_1")
        waits = {"state": "waiting", "wait_kind": "approval", "wait_on": approvals.topic(row["id"])}
        transaction.connection.execute(update(runs).where(runs.c.id == run_id).values(**waits))

    await stage.committer.commit(Work(work))
    return str(row["id"])


async def vote(stage: Stage, approval_id: str, who: str, verdict: Verdict = Verdict.AGREED, reason: str = "") -> None:
    """Let somebody vote."""
    environment = believable.ENVIRONMENT
    await stage.committer.commit(
        Work(
            lambda tx: approvals.vote(
                tx, approval_id, environment=environment, actor=f"person:{who}", verdict=verdict, reason=reason
            )
        )
    )


async def disable(stage: Stage, who: str) -> None:
    """Let somebody leave."""
    leaving = update(people).where(people.c.id == who).values(disabled=True)
    await stage.committer.commit(Work(lambda tx: tx.connection.execute(leaving).rowcount))


async def asked(stage: Stage, password: str) -> Asked:
    """Let people be asked for several things, and decide some of them."""
    await add_approvers(stage, password)
    now = to_micros(stage.ambient.now())
    one = await ask(stage, 31207, 6_412_050)
    two = await ask(stage, 31198, 41_290_000, "USD", needed=2)
    late = await ask(stage, 31177, 29_800_000, needed=2, escalate_at=now - 1, deadline_at=now + DAY // 5)
    own = await ask(stage, 31211, 10_020_000, "JPY", began="person:p_ine")
    approved = await ask(stage, 31050, 7_105_000)
    refused = await ask(stage, 31061, 5_920_000, "GBP")
    void = await ask(stage, 31042, 5_550_000)
    await stage.committer.commit(Work(lambda tx: approvals.escalate(tx, late, actor="worker_1")))
    await vote(stage, two, "p_tom", reason="Matches the signed order form.")
    await vote(stage, approved, "p_ine")
    await vote(stage, refused, "p_tom", Verdict.REFUSED, "The customer had cancelled on 12 January.")
    await stage.committer.commit(Work(lambda tx: approvals.void(tx, void, lapse=Lapse.AMOUNT_ROSE, actor="worker_1")))
    return Asked(one=one, two=two, late=late, own=own, approved=approved, refused=refused, void=void)
