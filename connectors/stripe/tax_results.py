"""What Stripe Tax answers, in the contract's words: the tax, where it is owed, and why.

Tax is taken as Stripe gives it, and never computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.stripe.tax_documents import day_of, major
from hub.sdk.connector import Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.tax import by_level, nexus_of

_ZERO = Decimal(0)
#: Stripe's reasons for a tax, or for none; others are about a place that Stripe Tax does not serve.
_REASONS: Mapping[str, str] = {
    "customer_exempt": "exempt-customer",
    "not_collecting": "not-collecting",
    "not_subject_to_tax": "exempt-product",
    "portion_product_exempt": "taxed",
    "portion_reduced_rated": "taxed",
    "portion_standard_rated": "taxed",
    "product_exempt": "exempt-product",
    "product_exempt_holiday": "exempt-product",
    "proportionally_rated": "taxed",
    "reduced_rated": "taxed",
    "reverse_charge": "reverse-charge",
    "standard_rated": "taxed",
    "taxable_basis_reduced": "taxed",
    "zero_rated": "zero-rated",
}
_NOT_SERVED = frozenset({"not_supported", "not_available"})
_TYPES: Mapping[str, str] = {
    "gst": "gst",
    "hst": "gst",
    "igst": "gst",
    "jct": "vat",
    "pst": "sales",
    "qst": "gst",
    "rst": "sales",
    "sales_tax": "sales",
    "vat": "vat",
}
_EXEMPT = frozenset({"exempt-customer", "exempt-product"})
#: What a transaction's metadata holds of the document, as Stripe has no words for it.
CODE, KIND, VERSION, DATE, CUSTOMER, WHY = (
    f"concord_{name}" for name in ("code", "kind", "version", "date", "customer", "reasons")
)
#: One letter for each line's reason, so that it can be told after the calculation is gone.
_LETTERS: Mapping[str, str] = {
    "taxed": "T",
    "not-collecting": "N",
    "exempt-customer": "C",
    "exempt-product": "P",
    "reverse-charge": "R",
    "zero-rated": "Z",
}
_OF_LETTERS = {letter: reason for reason, letter in _LETTERS.items()}
_LONGEST = 500


def calculated(record: Record, answer: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a calculation's tax as the contract's result, which says nothing yet of what is recorded."""
    currency = record["currency"]
    if str(answer.get("currency")).upper() != currency:
        raise OutcomeUnknown("The calculation is in another currency.", code="foreign-answer")
    wanted = sorted(str(line["id"]) for line in record["lines"])
    if sorted(str(line.get("reference")) for line in lines) != wanted:
        raise OutcomeUnknown("The calculation has other lines than the document.", code="foreign-answer")
    billed = {line["id"] for line in record["lines"] if line.get("billed_tax") is not None}
    made = [_beside_billed(_line(line, currency), billed) for line in lines]
    tax = [answer.get("tax_amount_exclusive"), answer.get("tax_amount_inclusive")]
    return {
        **_sums(made),
        "code": record["code"],
        "currency": currency,
        "date": record["date"],
        "tax_date": record.get("tax_date") or record["date"],
        "customer_id": record["customer_id"],
        "tax_total": sum((major(_whole(amount), currency) for amount in tax), _ZERO),
        "lines": made,
        "nexus": nexus_of(made),
    }


def _beside_billed(line: dict[str, Any], billed: set[str]) -> dict[str, Any]:
    return {**line, "calculated_tax": line["tax"]} if line["id"] in billed else line


def refuse_another_tax(record: Record, result: Mapping[str, Any]) -> None:
    """Refuse a document of which another tax was billed than Stripe calculates; raises `FixData`.

    A transaction records what was calculated, and has no way to say another tax. Lines do not make up for each other;
    only where the document has a credit it is compared in all, since Stripe takes that off other lines, and its tax
    with it.
    """
    billed = {line["id"]: line["billed_tax"] for line in record["lines"] if line.get("billed_tax") is not None}
    own = {line["id"]: line["tax"] for line in result["lines"] if line["id"] in billed}
    if any(line["amount"] < 0 for line in record["lines"]):
        billed, own = {"": sum(billed.values(), _ZERO)}, {"": sum(own.values(), _ZERO)}
    for name, tax in billed.items():
        if tax != own.get(name, _ZERO):
            on = f" on line {name}" if name else ""
            raise FixData(
                f"Stripe Tax records the tax that it calculates, {own.get(name, _ZERO)}{on}, and not that {tax} was "
                "billed. Nothing was recorded.",
                code="tax-override-not-supported",
            )


def recorded(
    transaction: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Give a transaction as the contract's result; `known` is what its calculation said, where that is at hand.

    A transaction itself does not tell its taxes by jurisdiction.
    """
    currency, metadata = str(transaction.get("currency")).upper(), transaction.get("metadata") or {}
    reasons = "".join(metadata.get(name, "") for name in _chunks(metadata))
    made = [_kept_line(line, currency, reasons[place : place + 1]) for place, line in enumerate(lines)]
    back = transaction.get("type") == "reversal"
    given = {
        **_sums(made),
        "code": metadata.get(CODE) or str(transaction["reference"]),
        "currency": currency,
        "date": metadata.get(DATE) or day_of(_whole(transaction.get("posted_at") or transaction["created"])),
        "tax_date": day_of(_whole(transaction["tax_date"])),
        "tax_total": sum((line["tax"] for line in made), _ZERO),
        "lines": made,
        "nexus": [],
        "messages": [],
        **({"customer_id": metadata[CUSTOMER]} if metadata.get(CUSTOMER) else {}),
    }
    version = str(metadata.get(VERSION, "1"))
    return {
        **given,
        **(known or {}),
        "id": transaction["id"],
        "kind": metadata.get(KIND) or ("return" if back else "sale"),
        "status": "committed",
        "version": int(version) if version.isdigit() and int(version) else 1,
    }


def metadata_of(result: Mapping[str, Any], version: int, kind: str = "sale") -> dict[str, str]:
    """Give what a transaction keeps of the document that Stripe has no words for."""
    letters = "".join(_LETTERS[line["reason"]] for line in result["lines"])
    chunks = [letters[start : start + _LONGEST] for start in range(0, len(letters), _LONGEST)]
    customer = {CUSTOMER: result["customer_id"]} if result.get("customer_id") else {}
    return {
        CODE: result["code"],
        KIND: kind,
        VERSION: str(version),
        DATE: result["date"],
        **customer,
        **{f"{WHY}_{number}": chunk for number, chunk in enumerate(chunks, 1)},
    }


def _chunks(metadata: Mapping[str, Any]) -> list[str]:
    names = [name for name in metadata if name.startswith(f"{WHY}_")]
    return sorted(names, key=lambda name: int(name.rpartition("_")[2]) if name.rpartition("_")[2].isdigit() else 0)


def _line(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    parts = line.get("tax_breakdown")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise OutcomeUnknown("The calculation's lines come without their taxes.", code="unreadable-answer")
    made = _amounts(line, currency)
    details = [_detail(part, currency) for part in parts]
    reason = _reason(made["tax"], [detail["reason"] for detail in details])
    exempt = made["amount"] if reason in _EXEMPT else _ZERO
    for detail in details:
        detail["exempt"] = made["amount"] if detail["reason"] in _EXEMPT else _ZERO
    taxed = [detail["taxable"] for detail in details if detail["reason"] in {"taxed", "zero-rated"}]
    return {
        **made,
        "taxable": max(taxed, key=abs, default=_ZERO),
        "exempt": exempt,
        "reason": reason,
        "details": details,
    }


def _kept_line(line: Mapping[str, Any], currency: str, letter: str) -> dict[str, Any]:
    made = _amounts(line, currency)
    reason = _OF_LETTERS.get(letter) or ("taxed" if made["tax"] else "zero-rated")
    taxed = reason in {"taxed", "zero-rated"}
    return {
        **made,
        "taxable": made["amount"] if taxed else _ZERO,
        "exempt": made["amount"] if reason in _EXEMPT else _ZERO,
        "reason": reason,
        "details": [],
    }


def _amounts(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    inclusive = line.get("tax_behavior") == "inclusive"
    tax = major(_whole(line.get("amount_tax")), currency)
    amount = major(_whole(line.get("amount")), currency)
    code = line.get("tax_code")
    return {
        "id": str(line["reference"]),
        **({"tax_code": code} if isinstance(code, str) and code else {}),
        "amount": amount - tax if inclusive else amount,
        "tax": tax,
        "inclusive": inclusive,
    }


def _detail(part: Mapping[str, Any], currency: str) -> dict[str, Any]:
    place = part.get("jurisdiction") or {}
    rate = part.get("tax_rate_details") or {}
    country = str(place.get("country") or "")
    state = place.get("state")
    word = str(part.get("taxability_reason"))
    if word in _NOT_SERVED:
        raise FixData(
            f"Stripe Tax does not serve this place ({country}). Let another engine tax it, by the policy that chooses.",
            code="place-not-served",
            country=country,
        )
    name = rate.get("display_name")
    return {
        "country": country,
        **({"region": state} if isinstance(state, str) and state else {}),
        "level": by_level(str(place.get("level") or "")),
        "jurisdiction": str(place.get("display_name") or country),
        **({"tax_type": _TYPES.get(str(rate["tax_type"]), "other")} if rate.get("tax_type") else {}),
        **({"tax_name": name} if isinstance(name, str) and name else {}),
        "rate": _fraction(rate.get("percentage_decimal")),
        "taxable": major(_whole(part.get("taxable_amount")), currency),
        "tax": major(_whole(part.get("amount")), currency),
        # A reason of a later release says nothing that this one knows; whether there is tax, the amount says.
        "reason": _REASONS.get(word) or ("taxed" if _whole(part.get("amount")) else "zero-rated"),
    }


def _reason(tax: Decimal, reasons: Sequence[str]) -> str:
    if tax or "taxed" in reasons:
        return "taxed"
    return reasons[0] if reasons else "not-collecting"


def _sums(lines: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    names = {"total": "amount", "taxable_total": "taxable", "exempt_total": "exempt"}
    return {total: sum((line[part] for line in lines), _ZERO) for total, part in names.items()}


def _fraction(percent: object) -> Decimal:
    try:
        return Decimal(str(percent or 0)) / 100
    except InvalidOperation as error:
        raise OutcomeUnknown("A tax rate cannot be read.", code="unreadable-answer") from error


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise OutcomeUnknown("An amount of Stripe's is no whole number.", code="unreadable-answer")
    return value
