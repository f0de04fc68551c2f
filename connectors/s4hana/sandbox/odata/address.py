"""Addresses below a service's root: `Set(key)/navigation/...`, read into steps before anything is looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from connectors.s4hana.sandbox.edm.model import EntitySet, Property
from connectors.s4hana.sandbox.edm.values import NotAValue
from connectors.s4hana.sandbox.odata.errors import NO_SEGMENT, Refusal
from connectors.s4hana.sandbox.odata.literals import key_value

_SEGMENT = re.compile(r"([$\w]+)(?:\((.*)\))?", re.DOTALL)
_PREDICATE = re.compile(r"\s*(?:(\w+)\s*=\s*)?((?:[A-Za-z]+)?'(?:[^']|'')*'|[^,'\s]+)\s*(,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part of an address: a name, and what stands in brackets behind it (None: no brackets)."""

    name: str
    predicate: str | None = None


def segments(path: str) -> list[Segment]:
    """Cut an address, still percent-encoded, into its parts; raises `Refusal`."""
    found = []
    for part in _parts(path):
        text = unquote(part)
        match = _SEGMENT.fullmatch(text)
        if match is None:
            raise no_segment(text)
        found.append(Segment(name=match[1], predicate=match[2]))
    return found


def _parts(path: str) -> list[str]:
    """Cut at slashes that stand outside of quotes; a slash in a key may come as it is or encoded."""
    parts, quoted, start = [], False, 0
    text = path.strip("/").replace("%27", "'")
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif character == "/" and not quoted:
            parts.append(text[start:place])
            start = place + 1
    return [part for part in [*parts, text[start:]] if part]


def no_segment(name: str) -> Refusal:
    """Make the refusal for a name that leads nowhere."""
    return Refusal(f"Resource not found for the segment '{name}'", code=NO_SEGMENT, status=404)


def read_key(entity_set: EntitySet, predicate: str, *, v4: bool, given: Mapping[str, str] | None = None) -> list[str]:
    """Read a key predicate, in either form, as the key of the set's table; raises `Refusal`.

    `given` are columns known from the way here, which a predicate behind a navigation may leave out.
    """
    known = dict(given or {})
    named = _named(predicate, entity_set)
    properties = {each.name: each for each in entity_set.keys}
    if None in named:
        open_keys = [each for each in properties.values() if each.column not in known]
        single = open_keys if len(open_keys) == 1 else list(properties.values())
        if len(single) != 1 or len(named) != 1:
            raise _invalid(entity_set, predicate)
        named = {single[0].name: named[None]}
    for name, text in named.items():
        if name not in properties:
            raise _invalid(entity_set, predicate)
        known[properties[str(name)].column] = str(_value(properties[str(name)], text, v4=v4))
    if any(each.column not in known for each in properties.values()):
        raise _invalid(entity_set, predicate)
    return [known[each.column] for each in properties.values()]


def _value(property_: Property, text: str, *, v4: bool) -> str:
    try:
        return str(key_value(property_, text, v4=v4))
    except NotAValue:
        raise Refusal(
            f"Invalid key predicate type for '{property_.name}'.", code="005056A509B11EE1B9A8FEC11C21D78E"
        ) from None


def _named(predicate: str, entity_set: EntitySet) -> dict[str | None, str]:
    named: dict[str | None, str] = {}
    place = 0
    while place < len(predicate):
        match = _PREDICATE.match(predicate, place)
        if match is None or match[1] in named or (match[3] == "," and match.end() == len(predicate)):
            raise _invalid(entity_set, predicate)
        named[match[1]] = match[2]
        place = match.end()
    if not named or (None in named and len(named) > 1):
        raise _invalid(entity_set, predicate)
    return named


def _invalid(entity_set: EntitySet, predicate: str) -> Refusal:
    return Refusal(
        f"Invalid key predicate '({predicate})' for entity type '{entity_set.type}'.",
        code="005056A509B11EE1B9A8FEC11C21978E",
        target=entity_set.name,
    )
