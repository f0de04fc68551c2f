"""An object of AvaTax's answer and where it stands in it: a field that cannot be read is named, as drift is.

AvaTax leaves out what is null, or says null. So a field that is null is one that is empty, and one that it has always
given (`x-answered` in `schemas/`) and that is not there any more is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.sdk.errors import OutcomeUnknown

#: How the engine calls what differs from a schema too, so that one runbook serves both.
DRIFTED = "answer-drifted"
_ZERO = Decimal(0)
_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def drifted(kind: str, path: str, what: str | None = None) -> OutcomeUnknown:
    """Give the error that names a field which cannot be read: what was recorded stays to be found out.

    `what` is left out where it would be the vendor's own value: cases are seen by who may not see payloads.
    """
    facts: dict[str, Any] = {"kind": kind, "path": path} | ({} if what is None else {"what": what})
    return OutcomeUnknown(
        "AvaTax's answer is not as its schema says, so that it cannot be put into the contract's words.",
        code=DRIFTED,
        **facts,
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """One object of an answer; each method raises `OutcomeUnknown` as `answer-drifted` with `kind` and `path`."""

    record: Mapping[str, Any]
    path: str = ""

    def at(self, name: str) -> str:
        """Give the place of a field, as findings of drift have it."""
        return f"{self.path}.{name}" if self.path else name

    def text(self, name: str) -> str:
        """Give a text that is always there; empty where it is null."""
        return str(self._given(name, "string", str) or "")

    def named(self, name: str) -> str:
        """Give a text that is always there and never empty."""
        found = self.text(name)
        if not found:
            raise self.missing(name)
        return found

    def number(self, name: str) -> Decimal | int:
        """Give an exact number that is always there and never null."""
        found = self.number_if_any(name)
        if found is None:
            raise drifted("changed-type", self.at(name), what="null instead of number")
        return found

    def number_if_any(self, name: str) -> Decimal | int | None:
        """Give an exact number that is always there; None where it is null."""
        found: Decimal | int | None = self._given(name, "number", int, Decimal)
        return found

    def share(self, name: str) -> Decimal | int:
        """Give a part of an amount that is always there; nothing where it is null."""
        return self.number_if_any(name) or _ZERO

    def whole(self, name: str) -> int:
        """Give a whole number that is always there and never null."""
        found = self._given(name, "integer", int)
        if found is None:
            raise self.missing(name)
        return int(found)

    def flag(self, name: str) -> bool:
        """Give a flag that is always there; false where it is null."""
        return self._given(name, "boolean", bool) is True

    def objects(self, name: str) -> Sequence[Answered]:
        """Give the objects of a list that is always there; none where it is null."""
        found = self._given(name, "array", list) or []
        path = f"{self.at(name)}[]"
        for one in found:
            if not isinstance(one, dict):
                raise drifted("changed-type", path, what=f"{_kind(one)} instead of object")
        return [Answered(one, path) for one in found]

    def first(self, *names: str) -> str:
        """Give the first text of several names for one thing; the first name is missed where none is there."""
        found = next((self.text(name) for name in names if self.record.get(name) is not None), None)
        if found is None and not any(name in self.record for name in names):
            raise self.missing(names[0])
        return found or ""

    def missing(self, name: str) -> OutcomeUnknown:
        """Give the error for a field that is not there."""
        return drifted("missing-field", self.at(name), what="required")

    def _given(self, name: str, wanted: str, *types: type) -> Any:
        if name not in self.record:
            raise self.missing(name)
        found = self.record[name]
        if found is not None and type(found) not in types:
            raise drifted("changed-type", self.at(name), what=f"{_kind(found)} instead of {wanted}")
        return found


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)
