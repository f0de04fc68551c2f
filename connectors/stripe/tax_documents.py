"""A sale in the contract's words becomes a calculation of Stripe Tax.

Amounts become minor units, as Stripe counts them. Stripe takes no negative line, so that a credit on an invoice is
taken off the lines that are taxed alike; the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from connectors.stripe.settings import StripeSettings
from hub.model.money import exponent
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

#: Currencies without digits that Stripe's API still counts in hundredths.
_WITH_DIGITS = frozenset({"ISK", "UGX"})
#: Countries of the union, whose tax numbers are of one type at Stripe.
_UNION = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
#: Country → the type that Stripe wants to be told with a tax number of there.
_TAX_IDS: Mapping[str, str] = {
    **dict.fromkeys(_UNION, "eu_vat"),
    "AE": "ae_trn",
    "AU": "au_abn",
    "BR": "br_cnpj",
    "CA": "ca_gst_hst",
    "CH": "ch_vat",
    "CL": "cl_tin",
    "GB": "gb_vat",
    "IL": "il_vat",
    "IN": "in_gst",
    "IS": "is_vat",
    "JP": "jp_trn",
    "KR": "kr_brn",
    "MX": "mx_rfc",
    "NO": "no_vat",
    "NZ": "nz_gst",
    "SA": "sa_vat",
    "SG": "sg_gst",
    "TH": "th_vat",
    "TW": "tw_vat",
    "US": "us_ein",
    "ZA": "za_vat",
}
_COUNTRY_OF_NUMBER = {"EL": "GR", "XI": "GB"}


def digits(currency: str) -> int:
    """Give how many digits after the point Stripe's amounts of a currency have; `FixData` for an unknown one."""
    return 2 if currency.upper() in _WITH_DIGITS else exponent(currency.upper())


def minor(amount: Decimal | int, currency: str) -> int:
    """Give an amount of major units in Stripe's; raises `FixData` where it has more digits than Stripe counts."""
    scaled = Decimal(amount).scaleb(digits(currency))
    if scaled != scaled.to_integral_value():
        raise FixData(
            f"The amount {amount} {currency} has more digits than Stripe counts in this currency.", code="too-precise"
        )
    return int(scaled)


def major(amount: int, currency: str) -> Decimal:
    """Give an amount of Stripe's units in major ones."""
    return Decimal(amount).scaleb(-digits(currency))


def noon(day: str) -> int:
    """Give a day as the second in which it is noon in UTC, when it is the same day nearly everywhere."""
    return int(datetime.combine(date.fromisoformat(day), time(12), UTC).timestamp())


def day_of(second: int) -> str:
    """Give the day of a second, in UTC."""
    return datetime.fromtimestamp(second, UTC).date().isoformat()


def calculation(settings: StripeSettings, record: Record) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Form a calculation's parameters, and tell what could not be said in Stripe's words.

    Raises `FixData` for what Stripe Tax cannot calculate: amounts that are negative in all, a code that is not
    translated.
    """
    messages: list[dict[str, str]] = []
    to = record["ship_to"]
    details: dict[str, Any] = {"address": address_of(to), "address_source": "shipping"}
    number = record.get("customer_tax_id")
    if number:
        kind = _TAX_IDS.get(_country_of(number, to["country"]))
        if kind is None:
            text = f"The buyer's tax number was not sent: Stripe knows no type of number for {to['country']}."
            messages.append({"severity": "warning", "text": text})
        else:
            details["tax_ids"] = [{"type": kind, "value": number}]
    if record.get("exemption"):
        details["taxability_override"] = "customer_exempt"
    form = {
        "currency": record["currency"].lower(),
        "customer_details": details,
        "ship_from_details": {"address": address_of(record["ship_from"])},
        "line_items": _lines(settings, record, messages),
        "tax_date": noon(record.get("tax_date") or record["date"]),
    }
    return form, messages


def address_of(address: Mapping[str, Any]) -> dict[str, str]:
    """Give an address in Stripe's words; what is not known is left out."""
    names = {"line1": "line1", "line2": "line2", "city": "city", "region": "state", "postal_code": "postal_code"}
    given = {theirs: address[ours] for ours, theirs in names.items() if address.get(ours)}
    return {**given, "country": address["country"]}


def _country_of(number: str, country: str) -> str:
    """Give the country of a tax number: that of the two letters it begins with, else the buyer's."""
    begins = number[:2].upper()
    begins = _COUNTRY_OF_NUMBER.get(begins, begins)
    return begins if begins in _TAX_IDS and not number[:2].isdigit() else country


def _lines(settings: StripeSettings, record: Record, messages: list[dict[str, str]]) -> list[dict[str, Any]]:
    currency = record["currency"]
    lines: Sequence[Mapping[str, Any]] = record["lines"]
    if record.get("kind") == "return":
        raise FixData(
            "Stripe Tax takes a sale back only by the number of its own record: use `tax.refund`.",
            code="return-without-sale",
        )
    amounts = [minor(line["amount"], currency) for line in lines]
    alike = [(_code(settings, line), line.get("inclusive") is True) for line in lines]
    for place, amount in enumerate(amounts):
        if amount < 0:
            _take_off(lines, amounts, alike, place, messages)
    return [_line(line, amount, code) for line, amount, (code, _) in zip(lines, amounts, alike, strict=True)]


def _take_off(
    lines: Sequence[Mapping[str, Any]],
    amounts: list[int],
    alike: Sequence[tuple[str | None, bool]],
    place: int,
    messages: list[dict[str, str]],
) -> None:
    """Take a credit off the other lines that are taxed alike, the first ones first."""
    taken = []
    for other, amount in enumerate(amounts):
        part = min(amount, -amounts[place])
        if part > 0 and alike[other] == alike[place]:
            amounts[other] -= part
            amounts[place] += part
            taken.append(str(lines[other]["id"]))
    if amounts[place]:
        raise FixData(
            "Stripe Tax takes no negative line, and no lines that are taxed alike are as much as this credit. Take it "
            "back from the sale that it belongs to, by `tax.refund`.",
            code="negative-line",
            line=lines[place]["id"],
        )
    text = f"Stripe Tax takes no negative line: {lines[place]['id']} was taken off {', '.join(taken)}."
    messages.append({"severity": "information", "text": text[:2000]})


def _line(line: Mapping[str, Any], amount: int, code: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "amount": amount,
        "reference": line["id"],
        "tax_behavior": "inclusive" if line.get("inclusive") else "exclusive",
    }
    if code is not None:
        made["tax_code"] = code
    quantity = line.get("quantity")
    # A part of a piece cannot be said; the quantity changes no tax.
    if quantity is not None and Decimal(quantity) == Decimal(quantity).to_integral_value():
        made["quantity"] = int(quantity)
    return made


def _code(settings: StripeSettings, line: Mapping[str, Any]) -> str | None:
    """Give Stripe's code for the company's; without one the account's default counts."""
    code = line.get("tax_code")
    if not code or code.startswith("txcd_"):
        return code or None
    found = settings.stripe_tax_code(code)
    if found is None:
        raise FixData(
            f"The tax code {code} has no counterpart at Stripe. Add `{code}=txcd_…` to the connection's `tax_codes`.",
            code="tax-code-not-mapped",
            line=line["id"],
        )
    return found
