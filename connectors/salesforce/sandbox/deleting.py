"""The recycle bin: what goes there with a record, what stands in the way, and how it comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connectors.salesforce.sandbox import guards, line_rules, rules
from connectors.salesforce.sandbox.changes import Change
from connectors.salesforce.sandbox.refusals import Refusal, missing_resource
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org


def delete(org: Org, record: Record, user: str, *, activated: bool = False) -> None:
    """Delete a record, its details and its children as Salesforce does; refuses where something holds on to it.

    With the right to it, `activated` contracts are deleted too; an order that is activated is made a draft first.
    """
    guards.refuse_locked_ids(org, [record.id])
    _refuse_closed(org, record, activated=activated)
    for children in org.schema.children(record.kind).values():
        kind = org.schema.get(children.kind)
        field = kind.fields[children.field.lower()]
        for child in list(org.store.below(record.id, kind.name, field.name)):
            if children.cascade:
                delete(org, child, user, activated=activated)
            elif field.required:
                raise Refusal(
                    "DELETE_FAILED",
                    f"Your attempt to delete {_named(org, record)} could not be completed because it is associated "
                    f"with the following {kind.plural.lower()}.: {_named(org, child)}\n",
                    fields=[],
                )
            else:
                values = {name: value for name, value in child.values.items() if name != field.name}
                org.put(kind, child.id, values, user=user, before=child)
    standing = org.store.get(record.id)
    if standing is None:
        return
    org.bin(standing, user=user)
    rules.sum_up(org, standing, user)


def _refuse_closed(org: Org, record: Record, *, activated: bool) -> None:
    kept = ("Order",) if activated else ("Contract", "Order")
    if record.kind in kept and record.get("StatusCode") == "Activated":
        raise Refusal(
            "DELETE_FAILED",
            f"Your attempt to delete {_named(org, record)} could not be completed because it is activated.",
            fields=[],
        )
    if record.kind == "OrderItem":
        order = org.store.get(record.get("OrderId"))
        if order is not None:
            line_rules.refuse_activated(order, None)
    if record.kind == "Pricebook2" and record.get("IsStandard"):
        raise Refusal("DELETE_FAILED", "The standard price book can't be deleted.", fields=[])
    if record.kind == "PricebookEntry":
        for kind in ("OpportunityLineItem", "QuoteLineItem", "OrderItem"):
            if any(True for _ in org.store.below(record.id, kind, "PricebookEntryId")):
                raise Refusal(
                    "DELETE_FAILED",
                    f"Your attempt to delete {_named(org, record)} could not be completed because it is in use.",
                    fields=[],
                )


def _named(org: Org, record: Record) -> str:
    field = org.schema.get(record.kind).name_field
    return str(record.get(field.name) if field else record.id)


def undelete(org: Org, id: str, user: str) -> None:
    """Bring a record back with what went to the bin in the same moment; refuses where a unique value is taken."""
    record = org.store.in_bin(id)
    if record is None:
        if org.store.get(id) is not None:
            raise Refusal("UNDELETE_FAILED", "Entity is not in the recycle bin", fields=[])
        raise missing_resource()
    kind = org.schema.get(record.kind)
    change = Change(kind=kind, before=None, values=dict(record.values))
    guards.refuse_taken(org, change, record.id)
    for field in kind.fields.values():
        parent = record.get(field.name) if field.type == "reference" and field.required else None
        if parent is not None and org.store.get(parent) is None:
            raise Refusal("UNDELETE_FAILED", "The record's parent is deleted.", fields=[field.name])
    org.put(kind, id, record.values, user=user, before=record, action="undelete")
    for children in org.schema.children(record.kind).values():
        if not children.cascade:
            continue
        for child in list(org.store.table(children.kind).bin.values()):
            if child.get(children.field) == id and child.deleted == record.deleted:
                undelete(org, child.id, user)
    restored = org.store.get(id)
    if restored is not None:
        rules.sum_up(org, restored, user)


def merge(org: Org, into: Record, gone: Record, user: str) -> None:
    """Merge a record into another as people do: what hung on the one hangs on the other, which tells where it went.

    Refuses records of different objects, and a record and itself.
    """
    if into.kind != gone.kind or into.id == gone.id or "masterrecordid" not in org.schema.get(into.kind).fields:
        raise Refusal("INVALID_OPERATION", "These records can't be merged.", fields=[])
    for children in org.schema.children(gone.kind).values():
        kind = org.schema.get(children.kind)
        for child in list(org.store.below(gone.id, kind.name, children.field)):
            # What stays and stood below what is gone stands below nothing: nobody is above himself.
            above = None if child.id == into.id else into.id
            org.put(kind, child.id, {**child.values, children.field: above}, user=user, before=child)
    org.bin(replace(gone, values={**gone.values, "MasterRecordId": into.id}), user=user)
    standing = org.store.get(into.id)
    if standing is not None:
        org.put(org.schema.get(into.kind), into.id, standing.values, user=user, before=standing)
