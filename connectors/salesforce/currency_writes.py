"""Writes of amounts where the settings know one currency: the org is asked before and after whether it has others.

An org with one currency has no field for it and refuses what names it. One that begins to have several has the field,
and gives a record that names none the user's own. It never goes back, so that an org which has no field after a write
had none while it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.answers import rows_of
from connectors.salesforce.client import api_name
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import asked, select
from hub.sdk.answers import read_object
from hub.sdk.calls import Calls, Course, half_way
from hub.sdk.errors import FixData, HubError
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import Request, Response

_OBJECT = re.compile(r"/sobjects/(\w+)")


def calls(settings: SalesforceSettings, request: Request) -> Calls:
    """Go through a write of one record or of several, which names the currency unless the org has no field for it.

    Where the org has begun to have several in between, the same is written once more, with the currency.
    """
    body = loads(request.body)
    object = next(_objects(request.url, body), "") if settings.currency else ""
    if not object or (yield from has_several(settings, object)):
        return (yield request)
    written = yield replace(request, body=canonical(_without(body)))
    try:
        if not (yield from has_several(settings, object)):
            return written
        again = yield request
        if _refuses(_said(again)):
            raise FixData("The org has several currencies now, and refuses that of the amounts.", code="no-currency")
    except HubError as error:
        raise half_way(error) from error
    return again


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


def _objects(url: str, said: Any) -> Iterator[str]:
    """Give the objects of which records name their currency in a request below this address."""
    if isinstance(said, list):
        for one in said:
            yield from _objects(url, one)
    elif isinstance(said, Mapping):
        found = _OBJECT.search(url)
        if CURRENCY in said and found is not None:
            yield found[1]
        for inner in said.values():
            yield from _objects(str(said.get("url", url)), inner)


def _without(value: Any) -> Any:
    """Give what is written without the currency of any record."""
    if isinstance(value, Mapping):
        return {name: _without(inner) for name, inner in value.items() if name != CURRENCY}
    return [_without(inner) for inner in value] if isinstance(value, list) else value


def _said(response: Response) -> Any:
    return loads(response.body) if response.body else None


def _refuses(said: Any) -> bool:
    """Tell whether an answer refuses any record that it is about."""
    if isinstance(said, list):
        return any(map(_refuses, said))
    if not isinstance(said, Mapping):
        return False
    status = said.get("httpStatusCode")
    refused = said.get("success") is False or (isinstance(status, int) and status >= 400)
    return refused or any(map(_refuses, said.values()))
