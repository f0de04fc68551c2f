"""What SAP says of each property that the connector speaks of, written down in `sap_facts.txt`.

A line without indent names a service, or a set with its keys and what it does not offer. Below it stand shapes with the
properties that have them: `String(10)`, `Decimal(16,3)`, `DateTimeOffset(7)` and the like, then `filled` (never without
a value, as keys are anyway), `read-only`, `once` (given and not changed), `required`, `hidden` (no filters, no orders),
`unfiltered`, `by-value` (no filter but for its values), `etag`, `dimension` or `measure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.connectors.s4hana.metadata import Document, Property

_FILE = Path(__file__).parent / "sap_facts.txt"
_CLOSED = {"no-create": "creatable", "no-update": "updatable", "no-delete": "deletable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one set: its keys, what it does not offer, and the shape of each property."""

    keys: tuple[str, ...]
    closed: frozenset[str]
    shapes: dict[str, str] = field(default_factory=dict)


@cache
def facts() -> Mapping[str, Mapping[str, Facts]]:
    """Give the facts by service and set."""
    found: dict[str, dict[str, Facts]] = {}
    sets: dict[str, Facts] = {}
    known = Facts(keys=(), closed=frozenset())
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        kind, *words = line.split() or [""]
        if kind == "service":
            sets = found[words[0]] = {}
        elif kind == "set":
            name, keys, *closed = words
            known = Facts(keys=tuple(keys.split(",")), closed=frozenset(_CLOSED[word] for word in closed))
            sets[name] = known
        elif line.startswith("  "):
            shape, _, names = line.strip().partition(": ")
            known.shapes.update(dict.fromkeys(names.split(), shape))
    return found


def shape(each: Property) -> str:
    """Write what a metadata document says of a property as the file has it."""
    sizes = [str(size) for size in (each.length or each.precision, each.scale) if size not in (None, 0, "")]
    words = {
        "filled": not each.null and not each.key,
        "read-only": not each.creatable,
        "once": each.creatable and not each.updatable and not each.key,
        "required": each.required,
        "hidden": not each.sortable,
        "unfiltered": each.sortable and not each.filterable,
        "by-value": each.by_value,
        "etag": each.etag,
        each.role: bool(each.role),
    }
    size = f"({','.join(sizes)})" if sizes else ""
    return " ".join([f"{each.type}{size}", *(word for word, holds in words.items() if holds)])


def differing(service: str, document: Document) -> Iterator[str]:
    """Tell how a metadata document differs from the facts."""
    for name, known in facts()[service].items():
        declared = document.sets.get(name)
        if declared is None:
            yield f"there is no {name}"
            continue
        if (declared.keys, declared.closed) != (known.keys, known.closed):
            yield f"{name} has the key {declared.keys} and does not offer {sorted(declared.closed)}"
        for each, wanted in known.shapes.items():
            found = declared.properties.get(each)
            if found is None or shape(found) != wanted:
                yield f"{name}.{each} is {'not there' if found is None else shape(found)} instead of {wanted}"
