"""What happens in a trial before anything goes wrong, drawn from its seed, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Any

from hub.proof.simulation.clock import BEGINNING

#: Currencies with two, no and three digits after the point.
CURRENCIES = ("EUR", "JPY", "KWD")
#: Seconds over which things happen in the shop.
LONGEST = 300.0


#: From these amounts on one or two people must agree to a sale.
LARGE, VERY_LARGE = 5_000_000, 8_000_000


#: What has a fate of its own; what builds on it may share it.
_FATEFUL = frozenset({"sale.made", "order.placed", "deal.signed"})


class Fate(StrEnum):
    """What must come of a thing: it is posted, or it must stop for a person with this reason."""

    POSTED = "posted"
    REFUSED = "refused-400"
    TAKEN_BACK = "taken-back"
    UNMAPPED = "customer-not-mapped"
    DECLINED = "approval-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened in the shop: its event, at which second, and what it is about."""

    number: int
    id: str
    type: str
    at: float
    data: Mapping[str, Any]
    family: str

    @property
    def subject(self) -> str:
        """Give what the event is about."""
        return str(self.data["id"])

    @property
    def business_key(self) -> str:
        """Give the name that its run has in the business; of one bill several events tell."""
        return f"shop:{self.data.get('bill', self.subject)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that happens; `fates` is by family, `customers` is the shop's customer → the ledger's.

    `strangers` are customers whose ids nobody has tied yet; of those in `forgotten` nobody ever does. What is
    `unwelcome` the shop will not note.
    """

    happenings: tuple[Happening, ...]
    customers: Mapping[str, str]
    strangers: frozenset[str]
    forgotten: frozenset[str]
    fates: Mapping[str, Fate]
    unwelcome: frozenset[str]
    seconds: float = field(default=LONGEST)

    def moment(self, dice: Random) -> float:
        """Draw a second, most often one at which something is likely to be under way."""
        if dice.random() < 0.3:
            return dice.random() * self.seconds
        return dice.choice(self.happenings).at + dice.random() * dice.choice((0.1, 1.0, 8.0))

    def family(self, name: str) -> str:
        """Give the family of a thing: of `pay00` its sale, of `order0.fee` its order, of `itemA@2` its item."""
        for happening in self.happenings:
            if happening.subject == name:
                return happening.family
        return name.partition(".")[0].partition("@")[0]

    def agreement(self, happening: Happening) -> int:
        """Give how many people must agree before anything of it is written, as the policy of the company says."""
        if happening.type not in {"sale.made", "deal.signed"}:
            return 0
        minor = happening.data["amount"]["minor"]
        return 2 if minor >= VERY_LARGE else 1 if minor >= LARGE else 0

    def fate(self, business_key: str) -> Fate:
        """Give what must come of the thing that a run is about, by itself."""
        for happening in self.happenings:
            if happening.business_key == business_key and happening.type in _FATEFUL:
                return self.fates[happening.family]
        return Fate.POSTED


def draw(dice: Random) -> Scenario:
    """Draw a scenario of a few things that depend on each other."""
    customers = {f"cus{number}": f"L{number}" for number in range(dice.choice((1, 1, 2)))}
    strangers = frozenset(customer for customer in customers if dice.random() < 0.15)
    forgotten = frozenset(customer for customer in sorted(strangers) if dice.random() < 0.4)
    seconds = dice.choice((10.0, 60.0, LONGEST))
    drafts = list(_drafts(dice, sorted(customers)))
    fates: dict[str, Fate] = {}
    for kind, data, family in drafts:
        if kind == "sale.made":
            refused = dice.random() < 0.08
            lost = data["customer"] in forgotten
            fates[family] = Fate.UNMAPPED if lost else Fate.REFUSED if refused else Fate.POSTED
        elif kind == "order.placed":
            fates[family] = Fate.TAKEN_BACK if dice.random() < 0.4 else Fate.POSTED
        elif kind == "deal.signed":
            declined = data["amount"]["minor"] >= LARGE and dice.random() < 0.5
            fates[family] = Fate.DECLINED if declined else Fate.POSTED
    happenings = []
    at = 0.0
    for number, (kind, data, family) in enumerate(drafts):
        happenings.append(
            Happening(number=number, id=f"evt{number}", type=kind, at=round(at, 3), data=data, family=family)
        )
        at += dice.choice((0.0, 0.0, 0.2, seconds / len(drafts)))
    return Scenario(
        happenings=tuple(happenings),
        customers=customers,
        strangers=strangers,
        forgotten=forgotten,
        fates=fates,
        unwelcome=frozenset(name for name in ("deal0", "deal0.a", "deal0.b") if dice.random() < 0.35),
        seconds=seconds,
    )


def _drafts(dice: Random, customers: list[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Give type, data and family of each; what belongs together comes in its order, one family after the other."""
    for number in range(dice.choice((1, 1, 2, 3))):
        sale = f"sale{number}"
        amount = _amount(dice)
        yield (
            "sale.made",
            {"id": sale, "customer": dice.choice(customers), "amount": amount, "bought": f"thing {number}"},
            sale,
        )
        for part in range(dice.choice((0, 1, 1, 2))):
            paid = {"minor": dice.randint(1, 99_999), "currency": amount["currency"]}
            yield "payment.taken", {"id": f"pay{number}{part}", "sale": sale, "amount": paid}, sale
    for version in range(1, 1 + dice.choice((0, 0, 2, 3))):
        data = {"id": f"itemA@{version}", "item": "itemA", "version": version, "quantity": dice.randint(0, 99)}
        yield "stock.changed", data, "itemA"
    if dice.random() < 0.35:
        yield "order.placed", _order(dice), "order0"
    if dice.random() < 0.35:
        yield "batch.closed", _batch(dice), "batch0"
    if dice.random() < 0.3:
        yield "warning.due", {"id": "warning0", "text": "pay now"}, "warning0"
    if dice.random() < 0.35:
        yield "deal.signed", _deal(dice), "deal0"
        if dice.random() < 0.6:
            yield "deal.confirmed", {"id": "conf0"}, "deal0"
    if dice.random() < 0.35:
        yield from _bills(dice)


def _bills(dice: Random) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Give events that tell of one bill: most often another amount than the first, else the same again."""
    amount = _amount(dice)
    for number in range(dice.choice((2, 2, 3))):
        if number and dice.random() < 0.6:
            amount = {**amount, "minor": amount["minor"] + 1}
        yield "bill.sent", {"id": f"bill0.{number}", "bill": "bill0", "amount": amount}, "bill0"


def _order(dice: Random) -> dict[str, Any]:
    currency = dice.choice(CURRENCIES)
    lines = [_part(dice, f"order0.{name}", currency) for name in "abc"[: dice.choice((1, 2, 3))]]
    fee, total = (_part(dice, f"order0.{name}", currency) for name in ("fee", "total"))
    return {"id": "order0", "lines": lines, "fee": fee, "total": total}


def _deal(dice: Random) -> dict[str, Any]:
    due = BEGINNING + timedelta(seconds=dice.choice((-60, 0, 30, 900)))
    return {
        "id": "deal0",
        "amount": _amount(dice),
        "asked": dice.choice(("beside", "within")),
        "confirmation": "conf0",
        "patient": dice.random() < 0.2,
        "due": due.isoformat().replace("+00:00", "Z"),
        "parts": [{"id": f"deal0.{name}"} for name in "abc"[: dice.choice((0, 1, 3))]],
    }


def _batch(dice: Random) -> dict[str, Any]:
    currency = dice.choice(CURRENCIES)
    return {
        "id": "batch0",
        "lines": [_part(dice, f"batch0.{name}", currency) for name in "abcde"[: dice.randint(2, 5)]],
    }


def _part(dice: Random, name: str, currency: str) -> dict[str, Any]:
    return {"id": name, "amount": {"minor": dice.randint(1, 9_999), "currency": currency}}


def _amount(dice: Random) -> dict[str, Any]:
    return {"minor": dice.randint(1, 9_999_999), "currency": dice.choice(CURRENCIES)}
