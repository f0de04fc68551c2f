"""What an org's objects have: the fields that the user may see, asked anew in time, and the org's currency.

A query names each field that it reads, and one that was added since it was asked what there is would not be read: so
that is asked again. `FIELDS(ALL)` would bring all fields by itself, and only 200 rows at a time.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from connectors.salesforce.amounts import CURRENCY, assert_named, no_currency
from connectors.salesforce.client import api_name, reading, settings_of
from connectors.salesforce.soql import rows
from hub.sdk.answers import read_object
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.session import Session

#: Whose parts are fields of their own, or whose content is no text.
_NOT_READ = frozenset({"address", "location", "base64", "complexvalue"})
#: Without these a record cannot be named, and its changes not be followed.
NEEDED = ("Id", "SystemModstamp")
#: What is read beside what the setting `select` names: when a record was made, what became of it, and its currency.
_BESIDE = frozenset({*NEEDED, "CreatedDate", "IsDeleted", "MasterRecordId", CURRENCY})


async def described(session: Session, object: str) -> dict[str, Any]:
    """Ask what an object has, and see whether its records name their currency; `FixData` where it is not there."""
    settings = settings_of(session)
    try:
        found = read_object(await session.send(reading(settings, "sobjects", api_name(object), "describe")))
    except FixData as error:
        if error.code != "not-found":
            raise
        raise FixData(
            "The org has no such object, or the user may not see it.", code="unknown-object", object=object
        ) from error
    if found.get("name") != object or not isinstance(found.get("fields"), list):
        raise OutcomeUnknown("The answer does not describe the object.", code="foreign-answer", object=object)
    if any(isinstance(field, dict) and field.get("name") == CURRENCY for field in found["fields"]):
        settings.learned.several = True
    return found


async def columns(session: Session, object: str) -> Mapping[str, str]:
    """Give the fields of an object that are read, by their types: those of the setting `select`, else all.

    The currency is always among them, where records name one.

    Raises `FixConnection` where the setting names one that is not there.
    """
    types: dict[str, str] = {}
    for field in (await described(session, object))["fields"]:
        if not isinstance(field, dict) or not isinstance(field.get("name"), str):
            raise OutcomeUnknown("A field of the object cannot be read.", code="unreadable-answer", object=object)
        if field.get("type") not in _NOT_READ:
            types[field["name"]] = str(field.get("type"))
    if not types.keys() >= set(NEEDED):
        raise OutcomeUnknown("The object has no id.", code="unreadable-answer", object=object)
    wanted = settings_of(session).select.get(object)
    if wanted is None:
        return types
    assert_there(object, wanted, types)
    return {name: type for name, type in types.items() if name in _BESIDE or name in wanted}


def assert_there(object: str, wanted: Iterable[str], names: Container[str]) -> None:
    """Assert that an object has the fields that the setting `select` names; raises `FixConnection`."""
    missing = sorted(name for name in wanted if name not in names)
    if missing:
        raise FixConnection(
            "The setting `select` names fields that the object does not have, or that the user may not see.",
            code="unknown-fields",
            advice="Take them out of `select`, or give the user the right to see them.",
            object=object,
            fields=", ".join(missing),
        )


async def currency(session: Session) -> str:
    """Give the org's own currency, which amounts are in where records name none; asked for once.

    Raises `FixConnection` as `wrong-currency` where the settings name another one.
    """
    settings = settings_of(session)
    if settings.learned.currency is None:
        found = await rows(session, "SELECT Id, DefaultCurrencyIsoCode FROM Organization")
        told = found[0].get("DefaultCurrencyIsoCode") if len(found) == 1 else None
        if not isinstance(told, str) or len(told) != 3:
            raise OutcomeUnknown("The org does not tell its currency.", code="unreadable-answer")
        if settings.currency and told != settings.currency:
            raise other_currency(told)
        settings.learned.currency = told
    return settings.learned.currency


def other_currency(own: str) -> FixConnection:
    """Give the refusal of a setting `currency` that is not the org's: amounts would be read in another one."""
    return FixConnection(
        "The org has another currency than the setting `currency` says.",
        code="wrong-currency",
        advice=f"Set `currency` to {own}, or leave it out where the org has several currencies.",
        currency=own,
    )


async def with_currency(session: Session, record: dict[str, Any], *, named: bool | None = None) -> dict[str, Any]:
    """Give a record that names the currency of its amounts; in an org with one currency no record does by itself."""
    return (await with_currencies(session, [record], named=named))[0]


async def with_currencies(
    session: Session, records: Sequence[dict[str, Any]], *, named: bool | None = None
) -> Sequence[dict[str, Any]]:
    """Give records each of which names the currency of its amounts; the org's own is asked for at most once.

    `named` says whether the object has a field for it; left out, the records have all fields and show it. Raises
    `FixData` as `no-currency` for a record that does not name its own in an org with several currencies, and
    `FixConnection` as `wrong-currency` where the settings say otherwise.
    """
    settings = settings_of(session)
    found = []
    for record in records:
        if CURRENCY in record if named is None else named:
            assert_named(settings, record)
            found.append(record)
        elif settings.learned.several:
            raise no_currency(record)
        else:
            found.append({**record, CURRENCY: await currency(session)})
    return found
