"""Payouts in the demo: when Stripe pays out, what its own movements say, and what the ERP must have of it.

The judgement rests on the vendors' books alone: Stripe's movements tell what every entry of the ERP must be, and what
must stand on the clearing account of each currency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof.evidence import Document, Wanted
from hub.proof.lines import day_of
from hub.proof.markets import BY_CURRENCY, MARKETS

#: The events that the flows of payouts are about.
EVENTS = ("payout.reconciliation_completed", "payout.failed", "payout.paid")
FLOWS: Mapping[str, Sequence[str]] = {
    "stripe.payout.reconciliation_completed": ("payout-to-erp",),
    "stripe.payout.failed": ("payout-returned-to-erp",),
    "stripe.payout.paid": ("payout-by-hand-to-erp",),
}
#: The flows that post what the tables count.
POSTING = frozenset({"payout-to-erp", "payout-returned-to-erp"})
#: Stripe's account holds every currency that is sold in; money waits and travels for seconds, not for days.
SWITCHES: Mapping[str, Any] = {
    "settles": [market.currency.lower() for market in MARKETS],
    "pending_seconds": 1,
    "payout_seconds": 1,
}
#: How often Stripe pays out while invoices are finalised; at the end of everything it does so once more.
TIMES = 3

ERP = "netsuite"
#: Kinds of documents.
PAYOUT, RETURN, REVERSAL, ACCOUNT = "payout", "payout return", "reversal", "clearing account"
#: NetSuite's internal ids of the accounts that payouts move, and of the bank accounts by currency.
CLEARING, CONVERTED, DISPUTED, FEES, RECEIVABLE, UNDEPOSITED = "123", "124", "125", "60", "119", "122"
BANKS: Mapping[str, str] = {
    "USD": "211",
    "CAD": "212",
    "EUR": "221",
    "CHF": "222",
    "SEK": "223",
    "GBP": "231",
    "JPY": "241",
    "KWD": "251",
}
#: Where the movements of a category belong that no document of the ERP stands for; all others are cleared.
_ELSEWHERE: Mapping[str, str] = {"dispute": DISPUTED, "dispute_reversal": DISPUTED, "fee": FEES}
#: What goes between balance and bank.
_BETWEEN = frozenset({"payout", "payout_reversal"})
#: What comes behind the id of a payout in the name of the entry that takes its bank side back.
RETURNED = "_returned"
#: What a document of the hub without an external id has in its memo, before the key of its write.
_MARK = "concord:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A movement of Stripe's balance: gross, fee and net in minor units; `source` is what it comes of."""

    id: str
    category: str
    currency: str
    amount: Decimal
    fee: Decimal
    source: str
    converted: bool
    day: str = ""

    @property
    def net(self) -> Decimal:
        """Give what the balance changed by."""
        return self.amount - self.fee

    @property
    def account(self) -> str:
        """Give the account that stands against it in the ERP."""
        elsewhere = _ELSEWHERE.get(self.category, CLEARING)
        return CONVERTED if self.converted and elsewhere == CLEARING else elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """A payout in Stripe's books with what it took; one made by hand took nothing that anybody tells.

    `own` is its movement out of the balance, `returned` the one back. `told` says that Stripe has told of what must be
    posted: of what an automatic one is made of, of one made by hand that it was paid.
    """

    id: str
    currency: str
    amount: Decimal
    own: Movement
    took: Sequence[Movement]
    returned: Movement | None
    automatic: bool
    told: bool
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A journal entry in NetSuite's books; `accounts` are its debits less its credits by account, in minor units."""

    id: str
    external_id: str
    memo: str
    currency: str
    subsidiary: str
    accounts: Mapping[str, Decimal]
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutBooks:
    """What the vendors hold of payouts.

    `open` are Stripe's movements that no payout took, `charged` the movement of each invoice payment that is Stripe's,
    `given_back` that of each refund, and `came_back` that of one that failed after all. `refunds` and `undone` name the
    refunds that NetSuite has, and those that it has taken back; `balances` are NetSuite's clearing account by currency.
    `taken_back` names the payments, refunds, payouts and returns of payouts that a person had taken back. `erp` is
    whose books they are, and `companies` whose they are there by currency, where that is not NetSuite's subsidiary.
    """

    payouts: Sequence[Payout] = ()
    journals: Sequence[Journal] = ()
    open: Sequence[Movement] = ()
    charged: Mapping[str, Movement] = field(default_factory=dict)
    given_back: Mapping[str, Movement] = field(default_factory=dict)
    came_back: Mapping[str, Movement] = field(default_factory=dict)
    refunds: frozenset[str] = frozenset()
    undone: frozenset[str] = frozenset()
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    taken_back: frozenset[str] = frozenset()
    erp: str = ERP
    companies: Mapping[str, str] = field(default_factory=dict)

    def whose(self, currency: str) -> str:
        """Give which company's books a payout in a currency belongs to, as the ERP calls it."""
        return self.companies.get(currency) or BY_CURRENCY[currency].subsidiary

    @property
    def names(self) -> Mapping[str, str]:
        """Give what the ERP's entries are called → the payout that they hang on."""
        return {name: payout.id for payout in self.payouts for name in (payout.id, payout.id + RETURNED)}


@dataclass(frozen=True, slots=True)
class Sums:
    """Debits less credits by account, in minor units; what comes to nothing is left out."""

    by_account: Mapping[str, Decimal]

    def __str__(self) -> str:
        """Give them as a person reads them."""
        return ", ".join(f"{account}: {amount:+f}" for account, amount in self.by_account.items()) or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """One currency: Stripe's balance, and why the ERP's clearing account is another: all in minor units.

    `not_paid_out` are fees and the like that come with the next payout, `not_posted` movements whose documents are not
    in the ERP; the account must be what is left.
    """

    stripe: Decimal
    not_paid_out: Decimal
    not_posted: Decimal
    account: Decimal

    @property
    def difference(self) -> Decimal:
        """Give what nothing explains."""
        return self.account - (self.stripe - self.not_paid_out - self.not_posted)

    @property
    def told(self) -> Mapping[str, Decimal]:
        """Give all of it by name, as the report tells it."""
        return {
            "stripe_balance": self.stripe,
            "not_paid_out": self.not_paid_out,
            "not_posted": self.not_posted,
            "clearing_account": self.account,
            "unexplained": self.difference,
        }


def moments(lasting: float, times: int) -> list[float]:
    """Give after how many seconds Stripe pays out, for invoices that are finalised for so many; the last one behind."""
    return [round(lasting * (turn + 1) / times + 1, 3) for turn in range(times)]


# --- reading --------------------------------------------------------------------------------------


def read(
    stripe: Mapping[str, Any],
    netsuite: Mapping[str, Any],
    effects: Mapping[str, str],
    *,
    taken_back: frozenset[str] = frozenset(),
) -> PayoutBooks:
    """Read both vendors' books as their control APIs give them; `effects` is a write's key → its business key."""
    movements = {one["id"]: _movement(one) for one in stripe["balance_transactions"]}
    charges = {one["payment_intent"]: one["balance_transaction"] for one in stripe["charges"] if one["captured"]}
    paid = {event["object"] for event in stripe["events"] if event["type"] == "payout.paid"}
    payouts = [_payout(one, stripe["paid_out"], movements, paid) for one in stripe["payouts"]]
    taken = {one for took in stripe["paid_out"].values() for one in took}
    return PayoutBooks(
        payouts=payouts,
        journals=[_journal(one) for one in netsuite["journals"]],
        open=[movement for name, movement in movements.items() if name not in taken],
        charged={
            payment["id"]: movements[charges[payment["payment"]["payment_intent"]]]
            for invoice in stripe["invoices"]
            for payment in invoice["payments"]
            if payment["status"] == "paid" and payment["payment"].get("payment_intent") in charges
        },
        given_back={
            one["id"]: movements[one["balance_transaction"]]
            for one in stripe["refunds"]
            if one["balance_transaction"] in movements
        },
        came_back={
            one["id"]: movements[one["failure_balance_transaction"]]
            for one in stripe["refunds"]
            if one.get("failure_balance_transaction") in movements
        },
        refunds=frozenset(one["externalId"] for one in netsuite["refunds"] if one["externalId"]),
        # What takes a refund back is a payment that names nothing but the write which made it.
        undone=frozenset(
            effects[key].split(":")[1]
            for one in netsuite["payments"]
            if (key := (one.get("memo") or "").removeprefix(_MARK)) in effects
        ),
        balances={
            currency: _minor(accounts.get(CLEARING, "0"), currency)
            for currency, accounts in netsuite["balances"].items()
        },
        taken_back=taken_back,
    )


def of_currencies(books: PayoutBooks, currencies: frozenset[str]) -> PayoutBooks:
    """Give what Stripe holds in these currencies alone; what an ERP has of it stays as it is."""

    def in_them(named: Mapping[str, Movement]) -> Mapping[str, Movement]:
        return {name: movement for name, movement in named.items() if movement.currency in currencies}

    return replace(
        books,
        payouts=[payout for payout in books.payouts if payout.currency in currencies],
        open=[movement for movement in books.open if movement.currency in currencies],
        charged=in_them(books.charged),
        given_back=in_them(books.given_back),
        came_back=in_them(books.came_back),
    )


def _movement(one: Mapping[str, Any]) -> Movement:
    return Movement(
        id=one["id"],
        category=one["reporting_category"],
        currency=one["currency"].upper(),
        amount=Decimal(one["amount"]),
        fee=Decimal(one["fee"]),
        source=one["source"] or "",
        converted=one["exchange_rate"] is not None,
        day=day_of(one["created"]),
    )


def _payout(
    one: Mapping[str, Any],
    paid_out: Mapping[str, Sequence[str]],
    movements: Mapping[str, Movement],
    paid: set[str],
) -> Payout:
    own = movements[one["balance_transaction"]]
    took = [movements[name] for name in paid_out.get(one["id"], ())]
    return Payout(
        id=one["id"],
        currency=own.currency,
        amount=Decimal(one["amount"]),
        own=own,
        took=[movement for movement in took if movement.id != own.id],
        returned=movements[one["failure_balance_transaction"]] if one["status"] == "failed" else None,
        automatic=one["automatic"],
        told=one["reconciliation_status"] == "completed" if one["automatic"] else one["id"] in paid,
        day=day_of(one["arrival_date"]),
    )


def _journal(one: Mapping[str, Any]) -> Journal:
    accounts: dict[str, Decimal] = defaultdict(Decimal)
    for line in one["line"]:
        side = Decimal(line.get("debit") or 0) - Decimal(line.get("credit") or 0)
        accounts[line["account"]] += _minor(side, one["currency"])
    return Journal(
        id=one["id"],
        external_id=one["externalId"] or "",
        memo=one.get("memo") or "",
        currency=one["currency"],
        subsidiary=one["subsidiary"],
        accounts=dict(accounts),
        day=one["tranDate"],
    )


def _minor(major: Any, currency: str) -> Decimal:
    return Decimal(major).scaleb(exponent(currency))


# --- what must be, and what is --------------------------------------------------------------------


def wanted(books: PayoutBooks, payments: frozenset[str]) -> Iterator[Wanted]:
    """Give what the ERP should hold; `payments` are the invoice payments that it holds."""
    for payout in books.payouts:
        whose = {"books": books.whose(payout.currency)}
        yield Wanted(
            book=books.erp,
            kind=PAYOUT,
            name=payout.id,
            family=payout.id,
            facts={**whose, "day": payout.day, "accounts": Sums(_accounts(payout))},
            money=payout.amount,
            currency=payout.currency,
            never=not payout.told,
        )
        if payout.returned is not None:
            back = payout.returned
            yield Wanted(
                book=books.erp,
                kind=RETURN,
                name=payout.id,
                family=payout.id,
                facts={**whose, "day": back.day, "accounts": Sums(_returned(back))},
                money=-back.amount,
                currency=back.currency,
                needed=payout.told,
            )
        yield from _reversals(books, payout)
    for currency, balance in expected(books, payments).items():
        facts = {"balance": balance}
        yield Wanted(book=books.erp, kind=ACCOUNT, name=currency, family=f"{ACCOUNT} {currency}", facts=facts)


def _reversals(books: PayoutBooks, payout: Payout) -> Iterator[Wanted]:
    """Give what takes back a payout's own entry, or that of its return: the opposite, on the same day."""
    entries = [(payout.id, _accounts(payout), payout.day)]
    if payout.returned is not None:
        entries.append((payout.id + RETURNED, _returned(payout.returned), payout.returned.day))
    for name, accounts, day in entries:
        if name in books.taken_back:
            yield _reversal(
                books, payout.id, payout.currency, {each: -amount for each, amount in accounts.items()}, day
            )


def payment_reversed(
    books: PayoutBooks, payment: str, *, family: str, currency: str, amount: Decimal, day: str
) -> Iterator[Wanted]:
    """Give what takes back an invoice payment of so many minor units: a journal by which the customer owes again."""
    if payment in books.taken_back:
        movement = books.charged.get(payment)
        money = UNDEPOSITED if movement is None else movement.account
        yield _reversal(books, family, currency, {RECEIVABLE: amount, money: -amount}, day)


def _reversal(books: PayoutBooks, family: str, currency: str, accounts: Mapping[str, Decimal], day: str) -> Wanted:
    facts = {"books": books.whose(currency), "day": day, "accounts": Sums(_without_nothing(accounts))}
    return Wanted(book=books.erp, kind=REVERSAL, name=family, family=family, facts=facts)


def documents(books: PayoutBooks, family_of: Callable[[str], str]) -> Iterator[Document]:
    """Give what the ERP holds; `family_of` tells by a journal's memo what it hangs on."""
    names = books.names
    for journal in books.journals:
        payout = names.get(journal.external_id)
        kind = PAYOUT if payout == journal.external_id else RETURN if payout is not None else REVERSAL
        family = payout or family_of(journal.memo)
        yield Document(
            book=books.erp,
            kind=kind,
            name=family,
            family=family,
            id=journal.id,
            title=journal.external_id,
            facts={
                "books": journal.subsidiary,
                "day": journal.day,
                "accounts": Sums(_without_nothing(journal.accounts)),
            },
            money=None if kind == REVERSAL else journal.accounts.get(BANKS[journal.currency], Decimal(0)),
            currency=journal.currency,
        )
    for currency in sorted({*books.balances, *(payout.currency for payout in books.payouts)}):
        balance = books.balances.get(currency, Decimal(0))
        yield Document(
            book=books.erp, kind=ACCOUNT, name=currency, family=f"{ACCOUNT} {currency}", facts={"balance": balance}
        )


def _accounts(payout: Payout) -> Mapping[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    sums[BANKS[payout.currency]] += payout.amount
    if not payout.automatic:
        sums[FEES] += payout.own.fee
        sums[CLEARING] += payout.own.net
    for movement in payout.took:
        # Another payout among them has an entry of its own, with its fee.
        posted = movement.category in _BETWEEN
        sums[FEES] += 0 if posted else movement.fee
        sums[movement.account] -= movement.net if posted else movement.amount
    return _without_nothing(sums)


def _returned(back: Movement) -> Mapping[str, Decimal]:
    return _without_nothing({BANKS[back.currency]: -back.amount, FEES: back.fee, CLEARING: back.net})


def _without_nothing(sums: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    return {account: amount for account, amount in sorted(sums.items()) if amount}


def expected(books: PayoutBooks, payments: frozenset[str]) -> Mapping[str, Decimal]:
    """Give what must stand on the clearing account, by currency, from what of Stripe's movements is posted."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for currency in books.balances:
        sums[currency] += 0
    for name, movement, posted in _documented(books, payments):
        if movement.account == CLEARING and posted and name not in books.taken_back:
            sums[movement.currency] += movement.amount
    entries = {journal.external_id for journal in books.journals}
    for payout in books.payouts:
        sums[payout.currency] += 0
        if payout.id in entries and payout.id not in books.taken_back:
            sums[payout.currency] += _accounts(payout).get(CLEARING, Decimal(0))
        back = payout.id + RETURNED
        if payout.returned is not None and back in entries and back not in books.taken_back:
            sums[payout.currency] += payout.returned.net
    return dict(sorted(sums.items()))


def cleared(books: PayoutBooks, payments: frozenset[str]) -> Mapping[str, Cleared]:
    """Set the clearing account of each currency beside Stripe's balance: available and pending."""
    stripe: dict[str, Decimal] = defaultdict(Decimal)
    with_payout: dict[str, Decimal] = defaultdict(Decimal)
    for movement in books.open:
        stripe[movement.currency] += movement.net
        if movement.account == CLEARING:
            with_payout[movement.currency] -= 0 if movement.category in _BETWEEN else movement.fee
        else:
            with_payout[movement.currency] += movement.net
    missing: dict[str, Decimal] = defaultdict(Decimal)
    for _, movement, posted in _documented(books, payments):
        if movement.account == CLEARING and not posted:
            missing[movement.currency] += movement.amount
    return {
        currency: Cleared(
            stripe=stripe[currency],
            not_paid_out=with_payout[currency],
            not_posted=missing[currency],
            account=books.balances.get(currency, Decimal(0)),
        )
        for currency in sorted({*stripe, *books.balances, *(payout.currency for payout in books.payouts)})
    }


def _documented(books: PayoutBooks, payments: frozenset[str]) -> Iterator[tuple[str, Movement, bool]]:
    """Give what the ERP has a document of its own for: its name, its movement, and whether the document is there."""
    for names, movements in (
        (payments, books.charged),
        (books.refunds, books.given_back),
        (books.undone, books.came_back),
    ):
        yield from ((name, movement, name in names) for name, movement in movements.items())
