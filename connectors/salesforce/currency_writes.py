"""Writes of amounts where the settings know one currency: the org is asked before and after whether it has others.

An org with one currency has no field for it and refuses what names it. One that begins to have several has the field,
and gives a record that names none the user's own. It never goes back, so that an org which has no field after a write
had none while it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from connectors.salesforce.amounts import CURRENCY, kept
from connectors.salesforce.answers import is_id, rows_of
from connectors.salesforce.client import api_name
from connectors.salesforce.keyed import by_value
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import asked, read_whole, select, text
from hub.sdk.answers import read_object
from hub.sdk.calls import Calls, Course, half_way
from hub.sdk.errors import FixData, HubError
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import Request, Response

#: The object of a record, its id or the field of its external one, and, behind that, the value.
_ADDRESS = re.compile(r"/sobjects/(\w+)/(\w+)(?:/([^/]+))?$")
#: Whose records keep the currency in which they were made: Salesforce refuses a change that names it.
_KEEPS = frozenset({"PricebookEntry"})
#: A record that a write names, with its address.
_Named = tuple[re.Match[str], dict[str, Any]]


def calls(settings: SalesforceSettings, request: Request) -> Calls:
    """Go through a write of one record or of several, which names the currency unless the org has no field for it.

    Where the org has begun to have several in between, the same is written once more, with the currency.
    """
    object = next((found[1] for found, _ in _naming(request.url, loads(request.body))), "")
    if not object or not settings.currency or (yield from has_several(settings, object)):
        return (yield (yield from _taken(settings, request)))
    written = yield replace(request, body=canonical(_without(loads(request.body))))
    try:
        if not (yield from has_several(settings, object)):
            return written
        anew = yield from _taken(settings, request)
        if not any(_naming(anew.url, loads(anew.body))):
            return written
        again = yield anew
        if _refuses_anew(_said(written), _said(again)):
            raise FixData("The org has several currencies now, and refuses that of the amounts.", code="no-currency")
    except HubError as error:
        raise half_way(error) from error
    return again


def _taken(settings: SalesforceSettings, request: Request) -> Course[Request]:
    """Give a write as Salesforce takes it: a record that keeps its currency names it only where it is made.

    Raises `FixData` as `wrong-currency` for one that is there in another.
    """
    body = loads(request.body)
    keeping = [(found, record) for found, record in _naming(request.url, body) if found[1] in _KEEPS]
    for place in sorted({_place(found) for found, _ in keeping}):
        ours = [(_value(found, record), record) for found, record in keeping if _place(found) == place]
        standing = yield from _standing(settings, *place, [value for value, _ in ours])
        for value, record in ours:
            there = standing(value)
            for one in there:
                if one.get(CURRENCY) != record[CURRENCY]:
                    raise kept(record[CURRENCY], one)
            if there:
                del record[CURRENCY]
    return replace(request, body=canonical(body)) if keeping else request


def _standing(
    settings: SalesforceSettings, object: str, field: str, values: Sequence[str]
) -> Course[Callable[[str], Sequence[Mapping[str, Any]]]]:
    """Read what there is of records; gives what finds those of one value."""
    where = f"{field} IN ({', '.join(map(text, values))})"
    request = asked(settings, select(dict.fromkeys(["Id", field, CURRENCY]), object, where=where))
    response = yield from read_whole(settings, request)
    rows = rows_of(read_object(response), status=response.status)
    # By its own id a write names one record, in one way or the other.
    return (lambda _: rows) if field == "Id" else by_value(rows, field)


def _place(found: re.Match[str]) -> tuple[str, str]:
    """Give the object of a record, and the field by which it is named."""
    return found[1], "Id" if found[3] is None and is_id(found[2]) else found[2]


def _value(found: re.Match[str], record: Mapping[str, Any]) -> str:
    """Give the id by which a record is named: in its address, or, of one of several, among its fields."""
    if found[3] is not None:
        return unquote(found[3])
    return str(found[2] if _place(found)[1] == "Id" else record[found[2]])


def has_several(settings: SalesforceSettings, object: str) -> Course[bool]:
    """Ask whether the org has several currencies, as far as an object shows it; what it has shown holds for good."""
    if settings.learned.several:
        return True
    try:
        response = yield asked(settings, select([CURRENCY], api_name(object), limit=1))
    except FixData as refusal:
        # "No such column 'CurrencyIsoCode' on entity 'Account'."
        if refusal.facts.get("error") != "INVALID_FIELD" or f"'{CURRENCY}'" not in str(refusal.facts.get("reason")):
            raise
        return False
    rows_of(read_object(response), status=response.status)
    settings.learned.several = True
    return True


def _naming(url: str, said: Any) -> Iterator[_Named]:
    """Give those records that name their currency in a request below this address."""
    if isinstance(said, list):
        for one in said:
            yield from _naming(url, one)
    elif isinstance(said, dict):
        found = _ADDRESS.search(url.partition("?")[0])
        if CURRENCY in said and found is not None:
            yield found, said
        for inner in said.values():
            yield from _naming(str(said.get("url", url)), inner)


def _without(value: Any) -> Any:
    """Give what is written without the currency of any record."""
    if isinstance(value, Mapping):
        return {name: _without(inner) for name, inner in value.items() if name != CURRENCY}
    return [_without(inner) for inner in value] if isinstance(value, list) else value


def _said(response: Response) -> Any:
    return loads(response.body) if response.body else None


def _refuses_anew(said: Any, again: Any) -> bool:
    """Tell whether the second answer refuses what the first did not, or refuses the currency.

    A record that is refused for itself both times was not made without its currency either: its own result says why.
    """
    before = {place: refused for place, refused, _ in _results(said)}
    return any(
        refused and (not before.get(place) or any(CURRENCY in _fields(error) for error in errors))
        for place, refused, errors in _results(again)
    )


def _results(said: Any, *place: object) -> Iterator[tuple[tuple[object, ...], bool, list[Any]]]:
    """Give the name or the place of each record in an answer, whether it is refused, and with which errors."""
    if isinstance(said, list):
        for number, one in enumerate(said):
            named = one if isinstance(one, Mapping) else {}
            yield from _results(one, *place, named.get("graphId", named.get("referenceId", number)))
    elif isinstance(said, Mapping):
        status = said.get("httpStatusCode")
        if "success" in said or isinstance(status, int):
            refused = said.get("success") is False or (isinstance(status, int) and status >= 400)
            errors = said.get("errors", said.get("body"))
            yield place, refused, errors if isinstance(errors, list) else []
        else:
            for name in ("graphs", "graphResponse", "compositeResponse"):
                yield from _results(said.get(name), *place)


def _fields(error: Any) -> Any:
    fields = error.get("fields") if isinstance(error, Mapping) else None
    return fields if isinstance(fields, list) else []
