"""The org's books for the control API: every record, and every write that was accepted, in order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import show_moment

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: What an org has from its first day; it is no business.
_SET_UP = frozenset({"Organization", "User", "RecordType", "CurrencyType", "DatedConversionRate"})


def snapshot(org: Org) -> Mapping[str, Any]:
    """Give all records by object, the recycle bin, accepted writes in order, and refused logins."""
    jobs = org.jobs.told()
    kinds = [kind for kind in org.schema if kind.name not in _SET_UP]
    return {
        "accepted": [
            {
                "n": one.number,
                "at": show_moment(one.at),
                "action": one.action,
                "type": one.kind,
                "id": one.id,
                "user": one.user,
            }
            for one in org.accepted
        ],
        "records": {kind.name: [_plain(org, one) for one in org.store.rows(kind.name)] for kind in kinds},
        "deleted": {
            kind.name: [_plain(org, one) for one in binned]
            for kind in kinds
            if (binned := list(org.store.table(kind.name).bin.values()))
        },
        "loginHistory": [{**one, "at": show_moment(one["at"])} for one in org.logins.history],
        "jobs": jobs,
        "messages": org.messages.told(),
    }


def _plain(org: Org, record: Record) -> dict[str, Any]:
    """Give a record with amounts as decimal strings and moments as texts; what is null is left out."""
    kind = org.schema.get(record.kind)
    found: dict[str, Any] = {"Id": record.id}
    for name, value in record.values.items():
        field = kind.field(name)
        if isinstance(value, Decimal):
            found[name] = f"{value:f}"
        elif field is not None and field.type == "datetime":
            found[name] = show_moment(value)
        else:
            found[name] = value
    return found
