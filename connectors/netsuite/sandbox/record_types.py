"""The record types this account knows: their fields, sublists and kinds of values, from `record_types.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: `kind` is string, number, integer, boolean, date, datetime, enum, name, object, address or reference.

    `target` is the record type of a reference, `most` the characters that a text may have (0: nothing is known); a
    `computed` field may be sent but is not taken over.
    """

    name: str
    kind: str
    target: str = ""
    computed: bool = False
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """One record type; external ids are unique within its `space`. Without one it can only be read."""

    name: str
    space: str
    body: Mapping[str, Field]
    sublists: Mapping[str, Mapping[str, Field]]

    def field(self, name: str) -> Field | None:
        """Find a body field; NetSuite does not mind capitals."""
        return self.body.get(name) or self.body.get(name.lower())


def _fields(written: Mapping[str, str]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for name, text in written.items():
        kind, _, target = text.lstrip("=").partition(":")
        kind, _, most = kind.removesuffix(")").partition("(")
        field = Field(name=name, kind=kind, target=target, computed=text.startswith("="), most=int(most or 0))
        found[name] = found[name.lower()] = field
    return found


def _load() -> dict[str, RecordType]:
    written = json.loads((Path(__file__).parent / "record_types.json").read_bytes(), parse_float=str)
    return {
        name: RecordType(
            name=name,
            space=shape["space"],
            body=_fields(shape["body"]),
            sublists={sublist: _fields(fields) for sublist, fields in shape["sublists"].items()},
        )
        for name, shape in written.items()
    }


RECORD_TYPES: Mapping[str, RecordType] = _load()
#: What an address has; its text as a whole is put together by NetSuite.
ADDRESS: Mapping[str, Field] = _fields(
    {
        **dict.fromkeys(("addr1", "addr2", "addr3"), "string(150)"),
        **dict.fromkeys(("addressee", "attention"), "string(83)"),
        "addrPhone": "string(32)",
        "addrText": "=string",
        "city": "string(50)",
        "country": "country",
        "override": "boolean",
        "state": "string(30)",
        "zip": "string(36)",
    }
)
_BY_LOWER = {name.lower(): shape for name, shape in RECORD_TYPES.items()}


def record_type(name: str) -> RecordType | None:
    """Find a record type; NetSuite does not mind capitals."""
    return _BY_LOWER.get(name.lower())
