"""What a journal entry is made of: lines in one currency that add up to zero, whoever it is about.

Amounts are exact and have no more decimals than their currency. Positive is a debit, negative a credit; SAP is told
both the sign and the code (S or H), which must not contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connectors.s4hana.odata.literals import day_of, decimal_of
from hub.model.money import exponent
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

ZERO = Decimal(0)
#: Document types of SAP's own: customer invoice, customer credit memo, customer payment, general ledger.
INVOICE, CREDIT_MEMO, PAYMENT, GENERAL = "DR", "DG", "DZ", "SA"
_REFERENCE, _TEXT = 16, 25
_LINE_LENGTHS = {"text": 50, "assignment": 18, "account": 10, "customer": 10, "payment_reference": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: of a G/L `account` or of a `customer`; `more` are further facts by the names of the input."""

    amount: Decimal
    account: str = ""
    customer: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """One tax item: its code, its amount, and what it is computed on, both signed as they are posted."""

    code: str
    amount: Decimal
    base: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A whole entry; days are `2026-01-31`."""

    company: str
    type: str
    currency: str
    posting_date: str
    document_date: str
    lines: Sequence[Line]
    taxes: Sequence[Tax] = ()
    reference: str = ""
    text: str = ""
    #: The document that this one clears or credits: number, or number, company code and year in one.
    invoice: str = ""


def general(record: Record) -> Entry:
    """Read an entry that is given line by line."""
    lines = [_line(record, each, place) for place, each in enumerate(record["lines"], start=1)]
    taxes = [_tax(record, each, 1) for each in record.get("taxes", ())]
    return balanced(_entry(record, record.get("document_type", GENERAL), lines, taxes))


def invoice(record: Record) -> Entry:
    """Read a customer's invoice: the customer owes what the items and their taxes add up to."""
    return _billed(record, INVOICE, 1)


def credit_memo(record: Record) -> Entry:
    """Read a customer's credit memo: the opposite of an invoice."""
    return _billed(record, CREDIT_MEMO, -1)


def _billed(record: Record, type: str, side: int) -> Entry:
    currency = record["currency"]
    items, taxed = [], dict[str, Decimal]()
    for place, item in enumerate(record["items"], start=1):
        net = amount_of(item["net"], currency, f"items[{place}].net")
        code = item.get("tax_code", "")
        if code:
            taxed[code] = taxed.get(code, ZERO) + net
        items.append(Line(amount=-side * net, account=item["account"], more=_more(item, f"items[{place}]")))
    taxes = [_tax(record, each, -side) for each in record.get("taxes", ())]
    _assert_bases(taxed, taxes, side)
    total = side * -(sum((line.amount for line in items), ZERO) + sum((tax.amount for tax in taxes), ZERO))
    if "total" in record and amount_of(record["total"], currency, "total") != total:
        raise FixData(
            "Items and taxes do not add up to the total.",
            code="unbalanced",
            total=str(record["total"]),
            items_and_taxes=str(total),
            currency=currency,
        )
    more = _more(
        {
            name: record[name]
            for name in ("text", "due_from", "net_days", "payment_reference", "assignment")
            if name in record
        },
        "record",
    )
    owed = Line(amount=side * total, customer=record["customer"], more=more)
    return balanced(_entry(record, record.get("document_type", type), [owed, *items], taxes))


def _assert_bases(taxed: Mapping[str, Decimal], taxes: Sequence[Tax], side: int) -> None:
    """Refuse taxes whose bases are not what the items with their code add up to."""
    bases: dict[str, Decimal] = {}
    for tax in taxes:
        bases[tax.code] = bases.get(tax.code, ZERO) - side * tax.base
    for code in sorted(bases.keys() | taxed.keys()):
        if code in bases and bases[code] != taxed.get(code, ZERO):
            raise FixData(
                "The base of a tax is not what the items with its code add up to.",
                code="unbalanced-tax",
                tax_code=code,
                base=str(bases[code]),
                items=str(taxed.get(code, ZERO)),
            )


def payment(record: Record) -> Entry:
    """Read a customer's payment: it goes to a bank or clearing account, less a fee, and clears an invoice."""
    currency = record["currency"]
    paid = amount_of(record["amount"], currency, "amount")
    fee = amount_of(record.get("fee", 0), currency, "fee")
    if paid <= 0 or fee < 0 or fee > paid:
        raise FixData("A payment has a positive amount, and a fee that is not more.", code="wrong-amount")
    if fee and not record.get("fee_account"):
        raise FixData("A fee needs its `fee_account`.", code="no-account")
    more = _more({name: record[name] for name in ("text", "assignment") if name in record}, "record")
    lines = [Line(amount=paid - fee, account=record["account"], more=more)] if paid != fee else []
    if fee:
        lines.append(
            Line(amount=fee, account=record["fee_account"], more=_more(record.get("fee_assignment", {}), "fee"))
        )
    lines.append(Line(amount=-paid, customer=record["customer"], more=more))
    return balanced(_entry(record, record.get("document_type", PAYMENT), lines, ()))


def _entry(record: Record, type: str, lines: Sequence[Line], taxes: Sequence[Tax]) -> Entry:
    _assert_short(record.get("reference", ""), _REFERENCE, "reference")
    posted = day_of(record["posting_date"], "posting_date").isoformat()
    return Entry(
        company=record["company_code"],
        type=type,
        currency=record["currency"],
        posting_date=posted,
        document_date=day_of(record.get("document_date", posted), "document_date").isoformat(),
        lines=lines,
        taxes=taxes,
        reference=record.get("reference", ""),
        # A text is for people to read: what SAP has no place for is left out.
        text=record.get("text", "")[:_TEXT],
        invoice=_referred(record.get("invoice"), record["company_code"]),
    )


def _referred(invoice: Any, company: str) -> str:
    """Give a reference to a document: number, company code and year in one, as SAP reads them."""
    if not invoice:
        return ""
    return f"{str(invoice['accounting_document']).zfill(10)}{company}{invoice['fiscal_year']}"


def balanced(entry: Entry) -> Entry:
    """Give the entry back when it adds up to zero; `FixData` says by how much it does not."""
    if len(entry.lines) + len(entry.taxes) < 2:
        raise FixData("A journal entry has two lines at least.", code="no-lines")
    amounts = [line.amount for line in entry.lines] + [tax.amount for tax in entry.taxes]
    difference = sum(amounts, ZERO)
    if difference:
        debits = sum((each for each in amounts if each > 0), ZERO)
        raise FixData(
            "Debits and credits do not add up to zero.",
            code="unbalanced",
            difference=str(difference),
            debits=str(debits),
            credits=str(difference - debits),
            currency=entry.currency,
        )
    return entry


def amount_of(value: object, currency: str, name: str) -> Decimal:
    """Read an amount, exact and with no more decimals than its currency has."""
    amount = decimal_of(value, name)
    try:
        places = exponent(currency)
    except (KeyError, ValueError):
        raise FixData("This is no currency of ISO 4217.", code="unknown-currency", currency=currency) from None
    if amount != amount.quantize(Decimal(1).scaleb(-places)):
        raise FixData(
            "An amount has more decimals than its currency.", code="too-exact", property=name, amount=str(amount)
        )
    return amount.quantize(Decimal(1).scaleb(-places))


def _line(record: Record, given: Mapping[str, Any], place: int) -> Line:
    if bool(given.get("account")) == bool(given.get("customer")):
        raise FixData("A line names either an account or a customer.", code="no-account", line=place)
    return Line(
        amount=amount_of(given["amount"], record["currency"], f"lines[{place}].amount"),
        account=given.get("account", ""),
        customer=given.get("customer", ""),
        more=_more(given, f"lines[{place}]"),
    )


def _tax(record: Record, given: Mapping[str, Any], side: int) -> Tax:
    currency = record["currency"]
    amount = side * amount_of(given["amount"], currency, "taxes.amount")
    base = side * amount_of(given["base"], currency, "taxes.base")
    return Tax(code=given["tax_code"], amount=amount, base=base)


def _more(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name, most in _LINE_LENGTHS.items():
        _assert_short(given.get(name, ""), most, f"{where}.{name}")
    return {name: value for name, value in given.items() if name not in ("amount", "net", "account", "customer")}


def _assert_short(value: object, most: int, name: str) -> None:
    if not isinstance(value, str) or len(value) > most:
        raise FixData(f"This text has {most} signs at the most.", code="too-long", property=name, value=str(value)[:60])
