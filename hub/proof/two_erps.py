"""The scenario with a CRM and two ERPs, drawn from the seed alone: the standard one's sales, by accounts of the CRM.

What is sold, paid and given back is drawn as ever. Its customers are accounts, the books of some entities are in
S/4HANA, and nobody is tied to another record of an ERP in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from random import Random

from hub.proof import scenario
from hub.proof.credits import Credit
from hub.proof.crm import PRICES, SAP, Account, Contract, Crm, Paid, groups_of, home
from hub.proof.markets import BY_CURRENCY, MARKETS, Market
from hub.proof.scenario import Customer, Invoice, Payment, Scenario

#: Further accounts become customers only while invoices are made, one for each of so many currencies.
WON_LATE = 4
#: An account is opened in NetSuite in the currency of its company's books, and NetSuite takes no invoice in another. So
#: nobody buys in these: currency → the one in which their customers buy here.
ELSEWHERE = {"CAD": "GBP"}
#: So many contracts are signed with the entities of each ERP, if these have so many accounts.
CONTRACTS = 6
#: What becomes of their invoices, in turn.
PAYING = (Paid.CARD, Paid.PART, Paid.NOT)
#: Of so many accounts one is renamed, and one moves.
CHANGED_EVERY = 4


def draw(seed: int, invoices: int, *, flawed: bool) -> Scenario:
    """Draw a scenario; the same for the same arguments. Without `flawed` nothing becomes an exception."""
    drawn = scenario.draw(seed, invoices, flawed=flawed)
    customers = {
        customer.key: replace(customer, moving=False, market=_market(customer.market)) for customer in drawn.customers
    }
    return replace(
        drawn,
        customers=tuple(customers.values()),
        invoices=tuple(_paid_later(seed, (_sold(invoice, customers) for invoice in drawn.invoices))),
        followed=(),
        crm=_crm(seed, [customer for customer in customers.values() if customer.mapped]),
    )


def _market(market: Market) -> Market:
    return BY_CURRENCY[ELSEWHERE.get(market.currency, market.currency)]


def _sold(invoice: Invoice, customers: dict[str, Customer]) -> Invoice:
    """Give an invoice as this scenario has it: notices are a script of NetSuite's, and drawn for its entities alone."""
    customer = customers[invoice.customer.key]
    notice = invoice.notice if home(customer.market) == "netsuite" else None
    return replace(invoice, customer=customer, notice=notice)


def _paid_later(seed: int, invoices: Iterable[Invoice]) -> Iterator[Invoice]:
    """Let what a credit note leaves of an unpaid invoice be paid after it, in part and then whole, or whole at once.

    Where the note is voided before, that is all of the invoice.
    """
    dice = Random(f"{seed}:later")
    for invoice in invoices:
        after, by, in_parts = round(0.8 + dice.random() * 2, 3), dice.choice(("card", "report")), dice.random() < 0.5
        note = invoice.credits[0] if invoice.credits else None
        if note is None or invoice.payments or invoice.flaw or note.flaw or not _leaves_something(invoice, note):
            yield invoice
            continue
        after += note.after + (note.void_after or 0)
        step = invoice.customer.market.step
        part = Payment(after=after, amount=10 * step, by="report")
        rest = Payment(after=after + 0.5, amount=None, by=by)
        yield replace(invoice, payments=(part, rest) if in_parts else (rest,))


def _leaves_something(invoice: Invoice, note: Credit) -> bool:
    first = invoice.lines[0]
    return note.amount is not None or (
        len(note.lines) == 1 and (len(invoice.lines) > 1 or note.lines[0][1] < first.quantity)
    )


def _crm(seed: int, customers: list[Customer]) -> Crm:
    dice = Random(f"{seed}:crm")
    turn = dice.randrange(CHANGED_EVERY)
    groups = groups_of()
    accounts = [
        Account(
            key=customer.key,
            number=customer.number,
            name=customer.name,
            market=customer.market,
            # A group has the first members of its own currency; the others stand alone.
            parent=f"Group of {customer.market.currency}" if customer.number < 2 * len(MARKETS) else None,
            renamed=customer.number % CHANGED_EVERY == turn,
            moved=customer.number % CHANGED_EVERY == (turn + 1) % CHANGED_EVERY,
        )
        for customer in customers
    ]
    first = dice.randrange(len(MARKETS))
    for place in range(WON_LATE):
        market = _market(MARKETS[(first + 3 * place) % len(MARKETS)])
        number = 1000 + place
        accounts.append(
            Account(key=f"account-won-{place}", number=number, name=f"Latecomer {number}", market=market, won=True)
        )
    return Crm(accounts=tuple(accounts), groups=groups, contracts=tuple(_contracts(dice, accounts)))


def _contracts(dice: Random, accounts: list[Account]) -> Iterator[Contract]:
    """Let some accounts of each ERP's entities sign contracts; every second one is amended, and most are paid."""
    for erp in ("netsuite", SAP):
        able = [
            one
            for one in accounts
            if one.market.currency in PRICES["Seats"] and home(one.market) == erp and not one.won
        ]
        for number, account in enumerate(able[:CONTRACTS]):
            sold = {"Seats": dice.randint(1, 90)} | ({"Storage": dice.randint(100, 900)} if number % 3 else {})
            more = {"Seats": dice.randint(1, 20)} if number % 2 else {}
            paid = PAYING[number % len(PAYING)]
            yield Contract(key=f"contract-{erp}-{number}", account=account, sold=sold, more=more, paid=paid)
