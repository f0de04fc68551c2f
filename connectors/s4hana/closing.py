"""The closing of an order: a reason for rejection on every item of which something is still open."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from connectors.s4hana.changes import FOR_EVER, TRACE, number_in, place
from connectors.s4hana.failures import CHANGED_MEANWHILE, classify
from connectors.s4hana.marks import number
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.batch import changes_of, changing, outcomes
from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.requests import Change
from connectors.s4hana.reads import input_of, there
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.calls import Calls, Course
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import NoSuchRecord, NotBegun, OutcomeUnknown
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: The state of an item, and of a document, of which all is billed.
_BILLED = "C"


def _request(entity: EntitySet, settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
    """Form the address of the order that is closed; which items are open is read when it is sent."""
    head = Change(method="PATCH", path=requests.entity_path(entity, {entity.keys[0]: record["id"]}), match="*")
    formed = changing(settings.base_url, entity, [head], shown=_shown(entity, head))
    return replace(formed, headers={**formed.headers, TRACE: key})


def _calls(entity: EntitySet, settings: S4HanaSettings, formed: Request) -> Calls:
    """Read the order, and reject what is open of it, bound to the version that was read."""
    standing = yield from _standing(entity, settings, formed)
    (head,) = changes_of(formed)
    order = answers.raw_entity(entity, standing)
    items = _open_items(entity, standing)
    if not items:
        return standing
    target, _ = entity.behind("to_Item")
    reason = {"SalesDocumentRjcnReason": settings.rejection_reason}
    rejected = [
        Change(method="PATCH", path=requests.entity_path(target, {**item, **_key(entity, head)}), body=reason)
        for item in items
    ]
    changes = [replace(head, match=answers.etag_of(order) or "*"), *rejected]
    batch = changing(settings.base_url, entity, changes, shown=_shown(entity, head))
    parts = outcomes((yield replace(batch, headers=formed.headers)))
    refusal = classify(parts[0])
    if refusal is not None and refusal.code == CHANGED_MEANWHILE:
        # Somebody was quicker, and of the change set nothing was done: it is read once more.
        raise NotBegun("Somebody has changed the order meanwhile.", code=CHANGED_MEANWHILE)
    if refusal is not None:
        raise refusal
    return parts[-1]


def _find(entity: EntitySet, settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
    """Give the order when nothing of it is open any more, whoever has rejected or billed it; None when something is."""
    standing = yield from _standing(entity, settings, formed)
    return None if _open_items(entity, standing) else _result(entity, standing)


def _standing(entity: EntitySet, settings: S4HanaSettings, formed: Request) -> Course[Response]:
    (head,) = changes_of(formed)
    wanted = _key(entity, head)
    standing = yield from there(settings.base_url, entity, wanted)
    if standing is None:
        raise NoSuchRecord("S/4HANA has no such order.", code="not-found", id=wanted[entity.keys[0]])
    order = answers.raw_entity(entity, standing)
    if number(order[entity.keys[0]]) != number(wanted[entity.keys[0]]):
        raise OutcomeUnknown("Another order came than was asked for.", code="foreign-answer")
    return standing


def _open_items(entity: EntitySet, standing: Response) -> list[dict[str, Any]]:
    items = answers.one(entity, standing).get("to_Item")
    if not isinstance(items, list):
        raise OutcomeUnknown("The order's items cannot be read.", code="unreadable-answer")
    return [
        item
        for item in items
        if not item.get("SalesDocumentRjcnReason") and item.get("OrderRelatedBillingStatus") != _BILLED
    ]


def _key(entity: EntitySet, head: Change) -> dict[str, str]:
    return {entity.keys[0]: number_in(head.path)}


def _shown(entity: EntitySet, head: Change) -> str:
    return f"{head.path}?$select={entity.keys[0]}"


def _result(entity: EntitySet, response: Response) -> Record:
    return {"id": str(answers.raw_entity(entity, response)[entity.keys[0]])}


def _about(entity: EntitySet, formed: Request, output: Record) -> bool:
    return place(requests.entity_path(entity, {entity.keys[0]: output["id"]})) == place(changes_of(formed)[0].path)


def closing(*, name: str, title: str, entity: EntitySet) -> WriteOperation:
    """Declare the closing of an order; a repeat finds it closed, or closes what is open still."""
    said = {"id": "number of the order"}
    return WriteOperation(
        name=name,
        title=title,
        input=input_of(said),
        output=input_of(said),
        idempotency=Idempotency.NATIVE,
        request=partial(_request, entity),
        result=partial(_result, entity),
        about=partial(_about, entity),
        calls=partial(_calls, entity),
        find=partial(_find, entity),
        remembers=FOR_EVER,
    )
