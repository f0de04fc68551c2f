"""Which entity sets are spoken to: their keys, the types of their properties, and where they lead.

`catalogue.json` is our own selection. Names of properties stand in one text for each type: `text`, `date` (a day
without a time zone), `moment` (a point in time), `time`, `decimal`, `boolean`. A navigation ends in `*` where it leads
to many. In v4 a change names a version, unless the set is `unversioned`. `further` names what SAP's metadata declares
beside that, by what it is in JSON: nobody here reads it, and it is no news when it comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from hub.sdk.errors import FixData
from hub.sdk.exact_json import loads

#: What properties that are only known are in JSON, which has them as null where they are empty.
_JSON = {"text": ["string", "null"], "boolean": ["boolean", "null"], "number": ["number", "string", "null"]}


class Kind(StrEnum):
    """What a property holds."""

    TEXT = "text"
    DATE = "date"
    MOMENT = "moment"
    TIME = "time"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """One entity set of a service; `navigations` map a name to the set behind it and whether that are many.

    `further` are properties that are known and not read, with what they may be in JSON.
    """

    service: str
    name: str
    version: int
    root: str
    keys: tuple[str, ...]
    properties: Mapping[str, Kind]
    navigations: Mapping[str, tuple[str, bool]]
    aggregate: bool
    versioned: bool = False
    further: Mapping[str, list[str]] = field(default_factory=dict)

    def kind(self, name: str) -> Kind:
        """Give what a property holds; `FixData` for one that is not declared."""
        found = self.properties.get(name)
        if found is None:
            raise FixData(
                f"{self.name} has no property of this name.",
                code="unknown-property",
                service=self.service,
                property=name[:80],
            )
        return found

    def behind(self, name: str) -> tuple[EntitySet, bool]:
        """Give the set to which a navigation leads, and whether it leads to many; `FixData` for an unknown one."""
        found = self.navigations.get(name)
        if found is None:
            raise FixData(f"{self.name} leads nowhere by this name.", code="unknown-navigation", navigation=name[:80])
        return entity_set(self.service, found[0]), found[1]

    def paths(self) -> Iterator[tuple[str, EntitySet]]:
        """Give all paths to sets below this one, such as `to_Customer/to_CustomerCompany`."""
        for name in self.navigations:
            target, _ = self.behind(name)
            yield name, target
            yield from ((f"{name}/{path}", below) for path, below in target.paths())


@cache
def services() -> Mapping[str, Mapping[str, EntitySet]]:
    """Give all declared sets by service and name."""
    declared: Mapping[str, Any] = loads((Path(__file__).parent / "catalogue.json").read_bytes())
    return {
        service: {name: _set(service, facts, name, each) for name, each in facts["sets"].items()}
        for service, facts in declared.items()
    }


def entity_set(service: str, name: str) -> EntitySet:
    """Find a declared set; `FixData` names those that there are."""
    sets = services().get(service)
    if sets is None:
        raise FixData("This service is not declared.", code="unknown-service", service=service[:80], known=_names())
    if name not in sets:
        raise FixData("This set is not declared.", code="unknown-set", set=name[:80], known=", ".join(sets))
    return sets[name]


def _names() -> str:
    return ", ".join(services())


def _set(service: str, facts: Mapping[str, Any], name: str, declared: Mapping[str, Any]) -> EntitySet:
    below = facts.get("path")
    return EntitySet(
        service=service,
        name=name,
        version=int(facts["version"]),
        root=f"/sap/opu/odata/sap/{service}" if below is None else f"/sap/opu/odata4/sap/{below}",
        keys=tuple(declared["keys"].split()),
        properties={each: kind for kind in Kind for each in str(declared.get(kind.value, "")).split()},
        navigations={
            each: (target.rstrip("*"), target.endswith("*")) for each, target in declared.get("to", {}).items()
        },
        aggregate=bool(declared.get("aggregate")),
        versioned=int(facts["version"]) == 4 and not declared.get("unversioned"),
        further={each: _JSON[kind] for kind, names in declared.get("further", {}).items() for each in names.split()},
    )
