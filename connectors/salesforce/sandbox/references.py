"""References: whether what a record points to is there, and parents named by an external id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.changes import Change
from connectors.salesforce.sandbox.refusals import Refusal, no_such_column
from connectors.salesforce.sandbox.schema import Field, Kind

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org


def by_relationship(kind: Kind, name: str) -> Field | None:
    """Find the reference that a parent's name in a path belongs to."""
    wanted = name.lower()
    return next((one for one in kind.fields.values() if one.relationship.lower() == wanted and one.refers_to), None)


def by_external_id(org: Org, field: Field, said: Any) -> str | None:
    """Give the id of the parent that an object such as `{"Billing_Id__c": "A1"}` names."""
    if said is None:
        return None
    named = [(name, value) for name, value in said.items() if name != "attributes"]
    if len(named) != 1:
        raise Refusal("INVALID_FIELD", f"{field.relationship}: exactly one external ID field is expected")
    name, value = named[0]
    target = org.schema.get(field.refers_to[0])
    key = target.field(name)
    if key is None:
        raise no_such_column(name, target.name)
    if not key.key:
        raise Refusal(
            "INVALID_FIELD",
            f"Field name provided, {name} is not an External ID or indexed field for {target.name}",
            fields=[name],
        )
    wanted = str(value) if value is not None else ""
    found = org.saver.matches(target, key, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        message = f"Multiple records found for foreign key external ID: {wanted} for field {key.name} in entity"
    else:
        message = f"Foreign key external ID: {wanted.lower()} not found for field {key.name} in entity"
    raise Refusal("INVALID_FIELD", f"{message} {target.name}", fields=[])


def check(org: Org, change: Change) -> None:
    """Refuse references to what is not there, not of the right object, or in the recycle bin."""
    for name in change.sent:
        field = change.kind.field(name)
        value = change.get(name)
        if field is None or field.type != "reference" or value is None:
            continue
        target = org.schema.of_id(value)
        if target is None or target.name not in field.refers_to:
            raise Refusal("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", fields=[field.name])
        record = org.store.get(value)
        if record is None:
            if org.store.in_bin(value) is not None:
                raise Refusal("ENTITY_IS_DELETED", "entity is deleted", fields=[])
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=[])
        if target.name == "RecordType" and record.get("SobjectType") != change.kind.name:
            raise Refusal(
                "INVALID_CROSS_REFERENCE_KEY",
                f"Record Type ID: this ID value isn't valid for the user: {value}",
                fields=[field.name],
            )
