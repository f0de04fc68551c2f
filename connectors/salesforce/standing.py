"""What stands in Salesforce in the place of a write: the guard of upserts, because a write compares no version.

`SystemModstamp` moves with everything, roll-ups and automation too. So of a record those fields count alone that the
write names, as Salesforce shows them: what others own beside them is not in its way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import starmap
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.salesforce.amounts import CURRENCY, in_another
from connectors.salesforce.answers import is_id, moment, record_of
from connectors.salesforce.failures import errors_of
from connectors.salesforce.logins import is_same_id
from hub.sdk.connector import Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.guards import Look, ReadBefore, Standing
from hub.sdk.values import Request, Response


def current(_settings: object, request: Request) -> Request:
    """Form the read of what a write under an id would overwrite."""
    address = urlunsplit(urlsplit(request.url)._replace(query=""))
    headers = {name: value for name, value in request.headers.items() if name != "content-type"}
    return Request(method="GET", url=address, headers=headers)


def standing(response: Response) -> Standing | None:
    """Read what stands; None when Salesforce itself says that there is no such record."""
    if response.status == 404:
        codes = {error.get("errorCode") for error in errors_of(response)}
        if codes & {"NOT_FOUND", "ENTITY_IS_DELETED"}:
            return None
        raise OutcomeUnknown("Somebody else than Salesforce says that this is not found.", code="unreadable-answer")
    record = record_of(response)
    return Standing(
        version=digest(record),
        output={"id": record["Id"], "created": False},
        changed_at=moment(record.get("SystemModstamp")),
    )


def holds(request: Request, response: Response) -> bool:
    """Tell whether a record shows all that was written, as far as Salesforce shows it as it was written."""
    record = record_of(response)
    return shows(record, loads(request.body))


def within(request: Request, response: Response) -> str:
    """Give a digest of those fields of a record that a write names."""
    return digest(named_by(record_of(response), loads(request.body)))


def refuses(given: Record, request: Request, response: Response) -> FixData | None:
    """Give the refusal of an amount for a record that is in another currency."""
    written = loads(request.body)
    return in_another(given.get("fields", written), written, record_of(response))


def standing_by_id(response: Response) -> Standing | None:
    """Read what stands in the place of a write under a record's own id, which is answered without one."""
    found = standing(response)
    return None if found is None else replace(found, output={"created": False})


#: Watches what the write names.
GUARD = ReadBefore(look=Look(current=current, standing=standing, holds=holds, within=within), refuses=refuses)
GUARD_BY_ID = ReadBefore(
    look=Look(current=current, standing=standing_by_id, holds=holds, within=within), refuses=refuses
)


def shows(record: Mapping[str, Any], written: Mapping[str, Any]) -> bool:
    """Tell whether a record shows these fields as they were written; one of an org with one currency names none."""
    return all(
        _same(value, record.get(shown_as(name, value)))
        for name, value in written.items()
        if name != CURRENCY or CURRENCY in record
    )


def named_by(record: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Give those fields of a record that a write names, its currency only where that is another one.

    Records of an org that begins to have several get one by themselves, which nobody has changed.
    """
    found = {name: record.get(name) for name in starmap(shown_as, written.items())}
    if found.get(CURRENCY) in (None, written.get(CURRENCY)):
        found.pop(CURRENCY, None)
    return found


def shown_as(name: str, value: Any) -> str:
    """Give the field in which a record shows what was written: a relation shows the id that it leads to."""
    if not isinstance(value, Mapping):
        return name
    return f"{name.removesuffix('__r')}__c" if name.endswith("__r") else f"{name}Id"


def digest(record: Mapping[str, Any]) -> str:
    """Name the content of a record."""
    return hashlib.sha256(canonical(record)).hexdigest()[:32]


def _same(written: Any, shown: Any) -> bool:
    if isinstance(written, Mapping):
        # Which record another id means is not shown; that it leads somewhere is.
        return shown is not None
    if isinstance(written, str) and isinstance(shown, str):
        return _text(written) == _text(shown) or _both_ids(written, shown) or _both_times(written, shown)
    if written is None or written == "":
        return shown is None
    if isinstance(written, str) or isinstance(shown, str | bool) or isinstance(written, bool):
        return written is shown
    return isinstance(shown, int | Decimal) and Decimal(written) == shown


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _both_ids(written: str, shown: str) -> bool:
    return is_id(written) and is_id(shown) and is_same_id(written, shown)


def _both_times(written: str, shown: str) -> bool:
    if "T" not in written or "T" not in shown:
        return False
    try:
        one, other = datetime.fromisoformat(written), datetime.fromisoformat(shown)
    except ValueError:
        return False
    # Salesforce keeps whole seconds.
    return (
        one.tzinfo is not None
        and other.tzinfo is not None
        and one.replace(microsecond=0) == other.replace(microsecond=0)
    )
