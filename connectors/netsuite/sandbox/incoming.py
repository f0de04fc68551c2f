"""What a client sends, checked against the record type: names, kinds of values, and references that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.netsuite.sandbox.documents import Documents
from connectors.netsuite.sandbox.problems import Refusal, bad_value
from connectors.netsuite.sandbox.record_types import ADDRESS, RECORD_TYPES, Field, RecordType
from connectors.netsuite.sandbox.reference_data import ReferenceData

#: Members that every answer has and that may come back unchanged.
_IGNORED = frozenset({"id", "links", "refname"})

#: Larger and smaller numbers are no amounts, rates or quantities.
_MOST_DIGITS = 12


@dataclass(slots=True, kw_only=True)
class Change:
    """A checked body: fields, sublists as sent, whether an external id came, and the unknown names."""

    fields: dict[str, Any] = field(default_factory=dict)
    sublists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    external_id: str | None = None
    has_external_id: bool = False
    unknown: list[str] = field(default_factory=list)


class Reader:
    """Reads bodies against the account's reference data and records."""

    def __init__(self, references: ReferenceData, documents: Documents) -> None:
        """Take what references are looked up in."""
        self._references = references
        self._documents = documents

    def read(self, shape: RecordType, body: object, *, names: str) -> Change:
        """Check a body; `names` is what to do with unknown names: error, warning or ignore."""
        if not isinstance(body, Mapping):
            raise Refusal("Invalid content: a JSON object is expected.", code="INVALID_CONTENT")
        change = Change()
        for name, value in body.items():
            sublist = _sublist_name(shape, name)
            known = shape.field(name)
            if sublist is not None:
                change.sublists[sublist] = self._lines(shape.sublists[sublist], sublist, value, change.unknown)
            elif known is None:
                if name.lower() not in _IGNORED:
                    change.unknown.append(name)
            elif known.name == "externalId":
                change.has_external_id = True
                change.external_id = self._value(known, value, known.name)
            elif not known.computed:
                change.fields[known.name] = self._value(known, value, known.name)
        if change.unknown and names == "error":
            raise Refusal(
                f"Error while accessing a resource. Unknown property: {', '.join(change.unknown)}.",
                code="INVALID_CONTENT",
                path=change.unknown[0],
            )
        return change

    def _lines(self, fields: Mapping[str, Field], sublist: str, value: Any, unknown: list[str]) -> list[dict[str, Any]]:
        items = value.get("items") if isinstance(value, Mapping) else None
        if not isinstance(items, list):
            raise bad_value(value, sublist, sublist)
        return [self._line(fields, f"{sublist}.items[{place}]", item, unknown) for place, item in enumerate(items)]

    def _line(self, fields: Mapping[str, Field], path: str, item: Any, unknown: list[str]) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            raise bad_value(item, path, path)
        line: dict[str, Any] = {}
        for name, value in item.items():
            known = fields.get(name) or fields.get(name.lower())
            if known is None:
                if name.lower() not in _IGNORED:
                    unknown.append(f"{path}.{name}")
            elif known.kind == "address":
                line[known.name] = self._line(ADDRESS, f"{path}.{known.name}", {} if value is None else value, unknown)
            elif not known.computed:
                line[known.name] = self._value(known, value, f"{path}.{known.name}")
        return line

    def _value(self, known: Field, value: Any, path: str) -> Any:
        if value is None:
            return None
        if known.kind == "reference":
            return self._reference(known, value, path)
        if known.kind in ("enum", "name") and isinstance(value, Mapping):
            value = value.get("id", value.get("refName"))
        if known.kind in ("enum", "name", "string") and isinstance(value, str | int) and not isinstance(value, bool):
            return _text(known, str(value), path)
        if known.kind == "number" and isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
            if abs(number.adjusted()) > _MOST_DIGITS:
                raise bad_value(f"{number:.3E}", known.name, path)
            return number
        if known.kind == "integer" and isinstance(value, int) and not isinstance(value, bool):
            return value
        if known.kind == "boolean" and isinstance(value, bool):
            return value
        if known.kind == "object" and isinstance(value, Mapping):
            return dict(value)
        if known.kind == "country" and isinstance(value, str | Mapping):
            return value
        if known.kind == "date" and isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise bad_value(value, known.name, path) from None
        raise bad_value(value, known.name, path)

    def _reference(self, known: Field, value: Any, path: str) -> str:
        external_id: str | None = None
        internal_id: str | None = None
        if isinstance(value, Mapping):
            if value.get("id") is not None:
                internal_id = str(value["id"])
            elif isinstance(value.get("externalId"), str):
                external_id = value["externalId"]
        elif isinstance(value, str | int) and not isinstance(value, bool):
            internal_id = str(value)
        found = (
            self._by_external_id(known.target, external_id)
            if external_id is not None
            else self._by_internal_id(known.target, internal_id or "")
        )
        if found is None:
            raise bad_value(external_id or internal_id or value, known.name, path)
        return found

    def _by_internal_id(self, target: str, internal_id: str) -> str | None:
        if target == "transaction":
            return internal_id if self._documents.transaction(internal_id) else None
        if target in RECORD_TYPES and RECORD_TYPES[target].space:
            return internal_id if self._documents.get(target, internal_id) else None
        return internal_id if self._references.find(target, internal_id) else None

    def _by_external_id(self, target: str, external_id: str) -> str | None:
        if target == "transaction":
            found = self._documents.transaction_by_external_id(external_id)
            return found.id if found else None
        if target in RECORD_TYPES and RECORD_TYPES[target].space:
            document = self._documents.by_external_id(target, external_id)
            return document.id if document else None
        entry = self._references.by_external_id(target, external_id)
        return entry.id if entry else None


def _text(known: Field, sent: str, path: str) -> str:
    """Give a text as it is meant: line breaks travel as a backslash and a letter."""
    if "\n" in sent or "\r" in sent:
        raise Refusal("Line breaks must be escaped.", code="INVALID_CONTENT", path=path)
    text = sent.replace("\\n", "\n").replace("\\r", "\r")
    if known.most and len(text) > known.most:
        most = f"( {known.most} )"
        raise Refusal(
            f"The field {known.name.lower()} contained more than the maximum number {most} of characters allowed.",
            path=path,
        )
    return text


def _sublist_name(shape: RecordType, name: str) -> str | None:
    if name in shape.sublists:
        return name
    return next((sublist for sublist in shape.sublists if sublist.lower() == name.lower()), None)
