"""What the demo lets be given back: credit notes by lines and by amount, with refunds, voids and failures.

Everything is drawn from the seed alone, beside what the scenario draws, so that what must come of it is known before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.proof.markets import Market
    from hub.proof.scenario import Invoice, Line

#: The reason of the exception about a credit note with another rate than the sale's: rounding does not explain it.
OTHER_TAX = "tax-mismatch"
#: The tax rate in Stripe's sandbox by which a clerk credits wrongly.
WRONG_RATE = "tax-wrong"
#: A part of a line of which Stripe's share of the tax is not the tax of the part; every demo has one.
_ODD = "odd"
#: Why an invoice is never posted although its total is right: nobody has tied its customer.
_NEVER_POSTED = "customer-not-mapped"
#: So large a share of the invoices has something given back.
_SHARE = 0.3
#: An invoice with more lines has something given back by lines.
_MANY = 20
#: Of so many invoices, one more of each kind that cannot go through.
_ONE_MORE_IN = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Something given back of an invoice, some seconds after it was finalised.

    - `lines` are places of the invoice's lines with so many of each, or `amount` is the whole of it in minor units.
      Of one with a `flaw`, the amount stands on a line of the note's own, with another tax rate than the sale's.
    - `back` is how what was paid already goes back: `refund` or `outside`.
    - `alone` ones are refunds that no credit note explains: nothing may come of them.
    - `void_after` and `fails_after` are seconds after which the note is voided, or its refund fails.
    - `flaw` is the reason of the exception that the note must become.
    """

    after: float
    lines: tuple[tuple[int, int], ...] = ()
    amount: int | None = None
    back: str = "refund"
    alone: bool = False
    void_after: float | None = None
    fails_after: float | None = None
    flaw: str | None = None

    @property
    def steps(self) -> int:
        """Count what Stripe's sandbox is asked to let happen."""
        return 1 + (self.void_after is not None) + (self.fails_after is not None)

    def wish(self) -> dict[str, Any]:
        """Give it in the words of Stripe's sandbox."""
        named = {"amount": self.amount, "void_after": self.void_after, "fails_after": self.fails_after}
        if self.flaw is not None:
            # The line says the amount; a note has the one or the other.
            wrong = {"description": "Goodwill", "unit_amount": named.pop("amount"), "tax_rates": [f"@{WRONG_RATE}"]}
            return {"after": self.after, "back": self.back, "lines": [{**wrong, "quantity": 1}]}
        return {
            "after": self.after,
            "back": self.back,
            **({"alone": True} if self.alone else {}),
            **({"lines": [{"line": place, "quantity": number} for place, number in self.lines]} if self.lines else {}),
            **{name: value for name, value in named.items() if value is not None},
        }


def added(seed: int, invoices: Sequence[Invoice], *, flawed: bool) -> tuple[Invoice, ...]:
    """Let something be given back of some of these invoices; without `flawed` nothing becomes an exception."""
    dice = Random(f"{seed}:credits")
    each = 1 + len(invoices) // _ONE_MORE_IN if flawed else 0
    still = {"alone": each, OTHER_TAX: each, _ODD: 1}
    return tuple(replace(invoice, credits=tuple(_credits(dice, invoice, still))) for invoice in invoices)


def _credits(dice: Random, invoice: Invoice, still: dict[str, int]) -> Iterator[Credit]:
    payments = invoice.payments
    partly = bool(payments) and payments[-1].amount is not None
    # There are few of those that are paid in part or have many lines.
    chosen = partly or len(invoice.lines) > _MANY or dice.random() < _SHARE
    after = round((payments[-1].after if payments else 0.0) + 0.3 + dice.random() * 2, 3)
    if invoice.flaw == _NEVER_POSTED:
        # It waits for its invoice, and so does its refund.
        by_card = bool(payments) and payments[-1].by == "card"
        yield Credit(after=after, amount=_some(invoice), back="refund" if by_card else "outside")
    if invoice.flaw is not None or invoice.notice is not None:
        return
    # Of what is lowered by other lines, less is left than its first line may be worth.
    if len(_taken(invoice)) < len(invoice.lines) <= _MANY:
        return
    if still[_ODD] and not partly and len(payments) < 2 and _odd(invoice):
        still[_ODD] -= 1
        back = "refund" if not payments or payments[-1].by == "card" else "outside"
        yield Credit(after=after, lines=((0, _part(dice, invoice)),), back=back)
    elif not chosen:
        return
    elif not payments:
        yield _unpaid(dice, invoice, after, still)
    elif partly:
        yield _partly_paid(dice, invoice, after)
    else:
        yield _paid(dice, invoice, after, still)


def _unpaid(dice: Random, invoice: Invoice, after: float, still: dict[str, int]) -> Credit:
    kind = 0.7 if len(invoice.lines) > _MANY else dice.random()
    first = invoice.lines[0]
    if invoice.coupon is None and still[OTHER_TAX]:
        still[OTHER_TAX] -= 1
        step = invoice.customer.market.step
        return Credit(after=after, amount=_amount(first, invoice.customer.market) // 2 // step * step, flaw=OTHER_TAX)
    if kind < 0.4 and len(invoice.lines) > 1:
        return Credit(after=after, lines=((0, first.quantity),), void_after=round(dice.random() * 2, 3))
    if kind < 0.7:
        return Credit(after=after, lines=((0, _part(dice, invoice)),))
    if kind < 0.85:
        return Credit(after=after, lines=_taken(invoice))
    return Credit(after=after, amount=_some(invoice))


def _partly_paid(dice: Random, invoice: Invoice, after: float) -> Credit:
    if len(invoice.payments) == 1 and invoice.payments[0].by == "card":
        # All of it: what is still due is lowered to nothing, and what was paid is given back.
        return Credit(after=after, lines=_taken(invoice))
    return Credit(
        after=after, amount=_some(invoice), void_after=round(dice.random(), 3) if dice.random() < 0.3 else None
    )


def _paid(dice: Random, invoice: Invoice, after: float, still: dict[str, int]) -> Credit:
    kind = 0.3 if len(invoice.lines) > _MANY else dice.random()
    by_card = invoice.payments[-1].by == "card"
    if by_card and still["alone"]:
        still["alone"] -= 1
        return Credit(after=after, amount=_some(invoice), alone=True)
    back = "refund" if by_card else "outside"
    fails = round(0.5 + dice.random() * 3, 3) if by_card and dice.random() < 0.2 else None
    if kind < 0.3 or len(invoice.payments) > 1:
        return Credit(after=after, amount=_some(invoice), back=back, fails_after=fails)
    if kind < 0.6:
        return Credit(after=after, lines=_taken(invoice), back=back, fails_after=fails)
    return Credit(after=after, lines=((0, _part(dice, invoice)),), back=back, fails_after=fails)


def _taken(invoice: Invoice) -> tuple[tuple[int, int], ...]:
    """Give all lines, whole; of many with some that are worth nothing or less, every second that is worth something."""
    found = [
        (place, line.quantity)
        for place, line in enumerate(invoice.lines)
        if Decimal(line.unit_amount) > 0 and line.quantity > 0
    ]
    return tuple(found if len(found) == len(invoice.lines) else found[::2])


def _some(invoice: Invoice) -> int:
    """Give a tenth of what is sold: less than what is left to pay of it, and than any last payment."""
    gross = sum(_amount(line, invoice.customer.market) for line in invoice.lines)
    step = invoice.customer.market.step
    return max(gross // 10 // step * step, step)


def _part(dice: Random, invoice: Invoice) -> int:
    """Give how many of the first line are taken back: some of which Stripe's share of the tax is not the part's tax.

    Where there are none such, it is any number.
    """
    quantity = invoice.lines[0].quantity
    return dice.choice(_odd(invoice) or range(1, max(quantity, 2)))


def _odd(invoice: Invoice) -> list[int]:
    """Give how many of the first line have another tax by themselves than by Stripe's share of the line's."""
    first = invoice.lines[0]
    return [part for part in range(1, first.quantity) if not agrees(first, part, invoice.customer.market)]


def agrees(line: Line, quantity: int, market: Market) -> bool:
    """Tell whether the share of a line's tax that a part of it has is the tax of that part."""
    whole, rate = _amount(line, market), Decimal(market.tax) / 100
    part = _rounded(Decimal(whole) * quantity / line.quantity, market.step)
    share = _rounded(Decimal(_rounded(whole * rate, market.step)) * part / whole, market.step)
    return share == _rounded(part * rate, market.step)


def _amount(line: Line, market: Market) -> int:
    return _rounded(Decimal(line.unit_amount) * line.quantity, market.step)


def _rounded(amount: Decimal, step: int) -> int:
    return int((amount / step).to_integral_value(rounding=ROUND_HALF_UP)) * step
