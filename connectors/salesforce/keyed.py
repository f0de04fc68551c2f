"""Records under the ids that they have elsewhere: how a write names one, and that no write names one twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.salesforce.amounts import written_in
from connectors.salesforce.client import api_name, external_id
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

#: What a record that was read tells of itself, and no field that is written.
_NO_FIELDS = frozenset({"Id", "attributes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """Fields of one record of an `object`, whose external id `field` has this `value`; `fields` are without it."""

    object: str
    field: str
    value: str
    fields: Mapping[str, Any]


def keyed(
    settings: SalesforceSettings, object: str, value: Any, fields: Mapping[str, Any], field: str | None = None
) -> Keyed:
    """Name one record; `field` is the external id by which it is found, or that of the settings.

    The id stands beside the fields; where they name it too, it must be the same. Raises `FixData` for another one, and
    for what is no name or no id, and for amounts in no currency, or in another than the org's.
    """
    own = api_name(object)
    named, key = api_name(settings.external_id_of(own) if field is None else field), external_id(value)
    body = {api_name(name): inner for name, inner in fields.items() if name not in _NO_FIELDS}
    if str(body.pop(named, key)) != key:
        raise FixData("The record's fields name another external id.", code="bad-external-id", field=named)
    return Keyed(object=own, field=named, value=key, fields=written_in(settings, own, body))


def all_keyed(settings: SalesforceSettings, record: Record) -> list[Keyed]:
    """Name the `records` of one write, in their order; one that names no `object` or `field` has those of the write.

    Raises `FixData` for one that comes twice: which of them would stand in the end is nobody's to say.
    """
    found: list[Keyed] = []
    seen: set[tuple[str, str, str]] = set()
    rows: Sequence[Mapping[str, Any]] = record["records"]
    for one in rows:
        object, field = one.get("object", record.get("object")), one.get("field", record.get("field"))
        row = keyed(settings, api_name(object), one["value"], one["fields"], field)
        if (row.object, row.field, row.value) in seen:
            raise FixData("A record is there twice.", code="named-twice", object=row.object, value=row.value)
        seen.add((row.object, row.field, row.value))
        found.append(row)
    return found


def by_value(records: Iterable[Mapping[str, Any]], field: str) -> Callable[[str], Sequence[Mapping[str, Any]]]:
    """Give what finds the records that have a value in their external id."""
    exact, alike = defaultdict(list), defaultdict(list)
    for record in records:
        exact[str(record.get(field))].append(record)
        alike[str(record.get(field)).lower()].append(record)
    # Some fields mind capitals, and some do not.
    return lambda value: exact.get(value) or alike.get(value.lower(), [])
