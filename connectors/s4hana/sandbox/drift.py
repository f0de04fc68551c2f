"""Changes of a service itself, as a release brings them: properties that come, go, or become something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.edm.reading import property_of

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant


def drift(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    """Change one set of a service: `add` (a property in our notation, with a `value`), `remove`, or `retype`.

    An added property has its `value` in every row that has none; a new value of an old property comes with `changes`.
    """
    surplus = set(wish) - {"service", "set", "add", "remove", "retype", "value"}
    if surplus:
        raise ValueError(f"drift: unknown key {', '.join(sorted(surplus))}")
    service = tenant.services[str(wish["service"])]
    entity_set = service.sets[str(wish["set"])]
    properties = dict(entity_set.properties)
    if "remove" in wish and properties.pop(str(wish["remove"])).key:
        raise ValueError("drift: a key cannot be removed")
    for kind in ("add", "retype"):
        if kind not in wish:
            continue
        made = property_of(str(wish[kind]))
        if (made.name in properties) is (kind == "add"):
            raise ValueError(f"drift: {made.name} is {'already' if kind == 'add' else 'not'} a property")
        properties[made.name] = made if kind == "add" else replace(made, column=properties[made.name].column)
        if kind == "retype":
            _convert(tenant, entity_set.table, made.column, made.type)
        elif "value" in wish:
            for key, row in list(tenant.store.table(entity_set.table).scan()):
                tenant.store.table(entity_set.table).put(key, {made.column: wish["value"], **row})
    tenant.services[service.name] = service.with_set(replace(entity_set, properties=properties))
    return entity_set.name


def _convert(tenant: Tenant, table: str, column: str, kind: str) -> None:
    """Bring what rows hold into the new type: a text of anything, or nothing."""
    rows = tenant.store.table(table)
    for key, row in list(rows.scan()):
        if column in row:
            value = str(row[column]) if kind == "String" else None
            rest = {name: each for name, each in row.items() if name != column}
            rows.put(key, rest if value is None else {**rest, column: value})
