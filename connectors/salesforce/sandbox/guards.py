"""What stands in a write's way: locks, validation rules, values that must be unique, and duplicate rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.changes import Change
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.soql.conditions import condition_for
from connectors.salesforce.sandbox.store import Record, index_key

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRule:
    """Refuses every write after which `when`, a condition as in SOQL, is true."""

    kind: str
    when: str
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRule:
    """Finds records whose `fields` are all the same, whatever their capitals.

    An `alert` one may be passed over by a header, a `block` one may not.
    """

    name: str
    kind: str
    fields: tuple[str, ...]
    block: bool = False


def read_validation_rule(org: Org, said: Mapping[str, Any]) -> ValidationRule:
    """Read a rule of a seed; raises `ValueError` for one that cannot be evaluated."""
    kind = org.schema.find(str(said.get("object", "")))
    if kind is None:
        raise ValueError(f"validation_rules: there is no object {said.get('object')!r}")
    rule = ValidationRule(kind=kind.name, when=str(said["when"]), message=str(said["message"]), field=said.get("field"))
    try:
        condition_for(org, kind, rule.when)
    except Refusal as refusal:
        raise ValueError(f"validation_rules: {refusal.message}") from refusal
    return rule


def read_duplicate_rule(org: Org, said: Mapping[str, Any]) -> DuplicateRule:
    """Read a rule of a seed; raises `ValueError`."""
    kind = org.schema.find(str(said.get("object", "")))
    if kind is None:
        raise ValueError(f"duplicate_rules: there is no object {said.get('object')!r}")
    fields = [kind.field(str(name)) for name in said.get("fields", [])]
    if not fields or None in fields:
        raise ValueError(f"duplicate_rules: {said.get('fields')!r} are no fields of {kind.name}")
    name = str(said.get("name", f"Standard_{kind.name}_Duplicate_Rule"))
    names = tuple(field.name for field in fields if field is not None)
    return DuplicateRule(name=name, kind=kind.name, fields=names, block=bool(said.get("block", False)))


def refuse_locked(org: Org, change: Change) -> None:
    """Refuse a write while somebody else holds the record, or a parent: those are locked with it."""
    ids = [] if change.before is None else [change.before.id]
    for field in change.kind.fields.values():
        if field.type == "reference" and field.children:
            ids += [id for id in (change.get(field.name), change.before and change.before.get(field.name)) if id]
    refuse_locked_ids(org, ids)


def refuse_locked_ids(org: Org, ids: list[str]) -> None:
    """Refuse to touch records that somebody else holds."""
    now = org.now()
    for id in ids:
        if org.locks.get(id, 0) > now:
            raise Refusal(
                "UNABLE_TO_LOCK_ROW",
                f"unable to obtain exclusive access to this record or 1 records: {id}",
                fields=[],
            )


def refuse_broken_rules(org: Org, change: Change, id: str) -> None:
    """Refuse what breaks a validation rule."""
    for rule in org.validation_rules:
        if rule.kind != change.kind.name:
            continue
        values = {name: value for name, value in change.values.items() if value is not None}
        if condition_for(org, change.kind, rule.when)(Record(change.kind.name, id, values, 0)):
            raise Refusal(
                "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, fields=[] if rule.field is None else [rule.field]
            )


def refuse_taken(org: Org, change: Change, id: str) -> None:
    """Refuse a value that another record has in a field that must be unique."""
    table = org.store.table(change.kind.name)
    for field in change.kind.fields.values():
        value = change.get(field.name)
        if not field.unique or value is None:
            continue
        for other in table.find(field, value):
            if other != id:
                raise Refusal(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {field.name} duplicates value on record with id: {other}",
                    fields=[],
                )


def refuse_duplicates(org: Org, change: Change, id: str, *, allowed: bool) -> None:
    """Refuse what a duplicate rule finds already there, unless the rule only warns and the caller saves anyway."""
    for rule in org.duplicate_rules:
        if rule.kind != change.kind.name or (allowed and not rule.block):
            continue
        if not any(change.changes(name) for name in rule.fields):
            continue
        found = [record for record in _alike(org, change, rule) if record.id != id]
        if found:
            raise Refusal(
                "DUPLICATES_DETECTED",
                "Use one of these records?",
                fields=[],
                more={"duplicateResult": _told(rule, found, change.kind.name)},
            )


def _alike(org: Org, change: Change, rule: DuplicateRule) -> list[Record]:
    fields = [org.schema.get(rule.kind).fields[name.lower()] for name in rule.fields]
    if any(change.get(field.name) is None for field in fields):
        return []
    wanted = [index_key(field, change.get(field.name)) for field in fields]
    return [
        record
        for record in org.store.rows(rule.kind)
        if all(index_key(field, record.get(field.name)) == one for field, one in zip(fields, wanted, strict=True))
    ]


def _told(rule: DuplicateRule, found: list[Record], kind: str) -> dict[str, Any]:
    records = [
        {"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100, "record": _bare(one, kind)}
        for one in found
    ]
    return {
        "allowSave": not rule.block,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": kind,
        "errorMessage": "Use one of these records?",
        "matchResults": [
            {
                "entityType": kind,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": records,
                "rule": rule.name,
                "size": len(records),
                "success": True,
            }
        ],
    }


def _bare(record: Record, kind: str) -> dict[str, Any]:
    url = f"/services/data/v68.0/sobjects/{kind}/{record.id}"
    return {"attributes": {"type": kind, "url": url}, "Id": record.id}
