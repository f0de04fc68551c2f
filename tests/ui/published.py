"""Revisions that could have been published: the first start, a changed rounding rule, and the way back."""

from __future__ import annotations

from decimal import Decimal

from hub.release.changes import Change, Detail, What
from hub.release.gate import Concern, Worry
from hub.release.plan import Named, Plan
from hub.release.report import Difference, Example, Found, Moved, MovedLine, NetLine, Shadow
from hub.release.uses import Touched
from hub.sdk import exact_json
from hub.store import revisions
from hub.store.committer import Committer, Work
from hub.store.revisions import How, NewRevision
from hub.workspace.kinds import FileKind
from tests.ui import believable

COMMITS = ("3f9c2a71d04be8856a1f0c2b9d7e64f1a8b3c590", "b81de07f2c6a4495d3e8f1077a92c6be54d01f38")
REASON = "Rounding follows the contract from December on; agreed with the controller."


def _moved(number: int, currency: str, cents: str, entity: str) -> Moved:
    amount = Decimal(cents)
    lines = tuple(
        MovedLine(entity=entity, account=account, before=Decimal("120.40"), after=120 + amount, difference=-amount)
        for account in ("receivable", "revenue item 101")
    )
    return Moved(
        flow="invoice-to-erp",
        about=f"stripe:in_{number}",
        name=f"CON-{number:04}",
        event=f"event_{number}",
        run=f"run_{number}",
        currency=currency,
        amount=amount,
        lines=lines,
    )


def plan(*, back: bool = False) -> Plan:
    """Give the plan of the changed rounding rule, or of the way back."""
    sign = 1 if back else -1
    net = tuple(
        NetLine(
            currency=currency,
            entity=entity,
            account=account,
            before=Decimal(before),
            after=Decimal(before) + sign * Decimal(difference),
            difference=sign * Decimal(difference),
            runs=runs,
        )
        for currency, entity, account, before, difference, runs in (
            ("EUR", "DE01", "receivable", "48210.55", "0.37", 31),
            ("EUR", "DE01", "revenue item 101", "40513.07", "0.37", 31),
            ("USD", "US01", "receivable", "9120.10", "0.04", 4),
        )
    )
    modes = ("half_even", "half_up") if back else ("half_up", "half_even")
    expressions = [f"money_major(multiply(quantity, unit_amount), root().currency, '{mode}')" for mode in modes]
    shadow = Shadow(
        events=1000,
        runs=1000,
        differing=35,
        records=105,
        seconds=Decimal("1.204"),
        stopped=None,
        money=(
            Difference(currency="EUR", amount=Decimal("0.37"), runs=31),
            Difference(currency="USD", amount=Decimal("0.04"), runs=4),
        ),
        net=net,
        moved=tuple(_moved(1200 + number, "EUR", "0.02" if number < 6 else "0.01", "DE01") for number in range(12)),
        more_moved=23,
        fields=(
            Found(
                flow="invoice-to-erp",
                step="invoice",
                what="output: lines[].amount.minor",
                count=35,
                example=Example(about="stripe:in_1200", before=12041, after=12040),
            ),
        ),
        untold=(
            Found(
                flow="payment-to-erp",
                step="posted_invoice",
                what="its run still waits for the answer",
                count=2,
                example=Example(about="stripe:inpay_77", before=None, after=None),
            ),
        ),
    )
    return Plan(
        environment=believable.ENVIRONMENT,
        before=Named(word="published", bundle="b" * 64, number=2 if back else 1),
        after=Named(word="1" if back else ".", bundle="c" * 64),
        changes=(
            Change(
                kind=FileKind.MAPPING,
                name="stripe/invoice_to_hub",
                path="mappings/stripe/invoice_to_hub.yaml",
                what=What.CHANGED,
                details=(Detail(where="field `lines[].amount`", before=expressions[0], after=expressions[1]),),
                warnings=("The version is still 1; raise it, so that records tell which one made them.",),
            ),
        ),
        touched=(
            Touched(kind=FileKind.FLOW, name="invoice-to-erp", through=("mapping stripe/invoice_to_hub",)),
            Touched(kind=FileKind.MAPPING, name="stripe/invoice_to_hub"),
        ),
        shadow=shadow,
        wanted=1000,
        approvals=1,
        concerns=(
            Concern(worry=Worry.MONEY, sentence="0.37 EUR move in 31 runs; the limit of sandbox is 0."),
            Concern(worry=Worry.MONEY, sentence="0.04 USD move in 4 runs; the limit of sandbox is 0."),
        ),
    )


async def publish(committer: Committer, *, person: str) -> None:
    """Let three revisions be published."""
    for number, (how, commit, dirty, reason, made) in enumerate(
        (
            (How.FIRST, COMMITS[0], False, None, None),
            (How.PUBLISH, COMMITS[1], True, REASON, plan()),
            (How.ROLLBACK, COMMITS[0], False, "The auditors want the old rule until year end.", plan(back=True)),
        )
    ):
        new = NewRevision(
            environment=believable.ENVIRONMENT,
            bundle=("c" if how is How.PUBLISH else "b") * 64,
            files={},
            how=how,
            actor=person if reason else "worker_1",
            commit=commit,
            dirty=dirty,
            reason=reason,
            report=None if made is None else exact_json.dumps(made).decode(),
        )
        work = Work(lambda tx, new=new, number=number: revisions.add(tx, new, after=number or None))  # type: ignore[misc]
        await committer.commit(work)
