"""Which fields are amounts, and that each has its currency: named by its record, or the only one that the org has.

An org with several currencies names one in every record (`CurrencyIsoCode`), and an org with one has no such field.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.salesforce.kinds import KINDS
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.connector import JsonSchema
from hub.sdk.errors import FixConnection, FixData
from hub.sdk.schemas import load

CURRENCY = "CurrencyIsoCode"
#: What the schemas say of the vendor's records.
SCHEMAS: Mapping[str, JsonSchema] = load(Path(__file__).parent / "schemas")
_ADVICE = "Where the org has one currency alone, set `currency`."


def _known() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for kind in KINDS:
        fields = SCHEMAS[kind.schema]["properties"]
        found[kind.object] = _sums(fields)
        for of in kind.lines:
            found[of.object] = _sums(fields[of.relation]["items"]["properties"])
    return found


def _sums(fields: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, field in fields.items() if field.get("x-unit") == "major")


_AMOUNTS = _known()
#: A line has its head's currency: Salesforce gives it that, and refuses a price of another.
LINES = frozenset(of.object for kind in KINDS for of in kind.lines)


def amounts_of(settings: SalesforceSettings, object: str) -> frozenset[str]:
    """Give the fields of an object that are known to hold amounts: by the schemas, and by the settings."""
    return _AMOUNTS.get(object, frozenset()) | frozenset(settings.amounts.get(object, ()))


def has_amounts(settings: SalesforceSettings, object: str, record: Mapping[str, Any]) -> bool:
    """Tell whether a record has amounts that are known as such."""
    return any(record.get(name) is not None for name in amounts_of(settings, object))


def assert_named(settings: SalesforceSettings, record: Mapping[str, Any]) -> None:
    """Assert that a record of an org with several currencies names its own, and that the settings agree with it.

    Raises `FixData` as `no-currency`, and `FixConnection` as `wrong-currency`.
    """
    named = record.get(CURRENCY)
    if not isinstance(named, str) or not named:
        raise no_currency(record)
    if settings.currency and named != settings.currency:
        raise FixConnection(
            "A record has another currency than the only one that the setting `currency` knows.",
            code="wrong-currency",
            advice="Leave `currency` out where the org has several currencies.",
            currency=named,
            expected=settings.currency,
            record=str(record.get("Id", "")),
        )
    settings.learned.several = True


def no_currency(record: Mapping[str, Any]) -> FixData:
    """Give the refusal of a record whose amounts could be in any of several currencies."""
    return FixData(
        "The org has several currencies, and the record does not name that of its amounts.",
        code="no-currency",
        record=str(record.get("Id", "")),
    )


def written_in(settings: SalesforceSettings, object: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a write with the currency of its amounts: the one that they name, else that of the settings.

    The calls leave it out where the org has no field for it, see `currency_writes`. Raises `FixData` as `no-currency`
    for amounts whose currency nobody names, and as `wrong-currency` for another one than that of the settings.
    """
    named = fields.get(CURRENCY)
    own = settings.currency
    if own and named is not None and named != own:
        raise FixData(
            "The org has one currency, and the record another.",
            code="wrong-currency",
            object=object,
            currency=str(named)[:40],
            expected=own,
        )
    alone = object not in LINES and has_amounts(settings, object, fields)
    if own:
        others = {name: value for name, value in fields.items() if name != CURRENCY}
        return {**others, CURRENCY: own} if named or alone else others
    if not named and alone:
        raise FixData(
            f"An amount is written with its currency: name it as `{CURRENCY}` among the fields. {_ADVICE}",
            code="no-currency",
            object=object,
            fields=", ".join(sorted(name for name in amounts_of(settings, object) if fields.get(name) is not None)),
        )
    return dict(fields)


def in_another(given: Mapping[str, Any], written: Mapping[str, Any], stands: Mapping[str, Any]) -> FixData | None:
    """Give the refusal of a write that brings a record into the currency of the settings; None for one that does not.

    The record's other amounts would be so much of that too. Who gives the currency among the fields means that.
    """
    if given.get(CURRENCY) or CURRENCY not in written or stands.get(CURRENCY) in (None, written[CURRENCY]):
        return None
    return FixData(
        "The record is in another currency than the only one that the setting `currency` knows, and its other amounts "
        "would come into that too.",
        code="wrong-currency",
        advice=f"Leave `currency` out where the org has several, and name `{CURRENCY}` among the fields.",
        currency=str(stands[CURRENCY])[:40],
        expected=str(written[CURRENCY]),
        record=str(stands.get("Id", "")),
    )


def kept(named: str, stands: Mapping[str, Any]) -> FixData:
    """Give the refusal of an amount for a record that is in another currency for good."""
    return FixData(
        "The record is in another currency, which it keeps.",
        code="wrong-currency",
        currency=str(stands.get(CURRENCY))[:40],
        expected=named,
        record=str(stands.get("Id", "")),
    )
