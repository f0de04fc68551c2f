"""A request about many records of one type, taken apart into requests about one record each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.netsuite.sandbox.errands import RESOURCE, Errand
from connectors.netsuite.sandbox.jobs import LARGEST_BATCH
from connectors.netsuite.sandbox.problems import Refusal
from hub.sandbox.exact_json import dumps, loads

#: What names the record of an item: in the body for what is changed, nothing for what is created.
_NAMED_BY: Mapping[str, str] = {"PATCH": "id", "PUT": "externalId"}


def is_batch(errand: Errand) -> bool:
    """Tell whether a request is about many records: its body is a collection, or it lists ids."""
    media, kind = errand.media
    return (media == RESOURCE and kind == "collection") or ("ids" in errand.query and len(errand.path) == 1)


def parts(errand: Errand) -> list[Errand]:
    """Give the requests about one record each; refuses what is no batch or has too many records."""
    if len(errand.path) != 1:
        raise Refusal("A batch goes to the collection of one record type.", code="INVALID_REQUEST")
    if "ids" in errand.query:
        found = _by_ids(errand)
    elif errand.method in ("POST", "PATCH", "PUT"):
        found = [_part(errand, item, place) for place, item in enumerate(_items(errand))]
    else:
        raise Refusal(f"{errand.method} is no method of a batch with a body.", code="METHOD_NOT_ALLOWED", status=405)
    if not 1 <= len(found) <= LARGEST_BATCH:
        raise Refusal(f"A batch has 1 to {LARGEST_BATCH} records, not {len(found)}.", code="INVALID_CONTENT")
    return found


def _by_ids(errand: Errand) -> list[Errand]:
    if errand.method not in ("GET", "DELETE"):
        raise Refusal("Only GET and DELETE take ids.", code="INVALID_PARAMETER", parameter="ids")
    query = {name: value for name, value in errand.query.items() if name not in ("ids", "expandRecords")}
    ids = [id.strip() for id in errand.query["ids"].split(",") if id.strip()]
    return [Errand(method=errand.method, path=(*errand.path, id), query=query) for id in ids]


def _items(errand: Errand) -> list[Any]:
    try:
        body = loads(errand.body or b"null")
    except ValueError as error:
        raise Refusal(f"Invalid JSON: {error}", code="INVALID_CONTENT") from error
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, list):
        raise Refusal("A collection has its records in 'items'.", code="INVALID_CONTENT", path="items")
    return items


def _part(errand: Errand, item: Any, place: int) -> Errand:
    path = f"items[{place}]"
    if not isinstance(item, Mapping):
        raise Refusal("A record is a JSON object.", code="INVALID_CONTENT", path=path)
    named_by = _NAMED_BY.get(errand.method)
    key: tuple[str, ...] = ()
    if named_by is not None:
        name = item.get(named_by)
        if not isinstance(name, str | int) or not str(name):
            raise Refusal(f"A record of this batch needs its {named_by}.", code="INVALID_CONTENT", path=path)
        key = (f"eid:{name}" if named_by == "externalId" else str(name),)
    headers = {name: value for name, value in errand.headers.items() if name.startswith("x-netsuite-property")}
    return Errand(
        method=errand.method,
        path=(*errand.path, *key),
        query=errand.query,
        headers={**headers, "content-type": f"{RESOURCE}; type=singular"},
        body=dumps({name: value for name, value in item.items() if name != "id"}),
    )
