"""Changes of services and events themselves, as a release brings them: what comes, goes, or becomes something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.edm.reading import property_of
from connectors.s4hana.sandbox.events import Event

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant


def drift(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    """Change one set of a service: `add` (a property in our notation, with a `value`), `remove`, or `retype`.

    A key that is removed still names the entity in its address; it is only shown no more. An added
    property has its `value` in every row that has none; a new value of an old property comes with `changes`.
    With `event`, a pattern of their types, business events change: see `_drift_events`.
    """
    if "event" in wish:
        return _drift_events(tenant, wish)
    surplus = set(wish) - {"service", "set", "add", "remove", "retype", "value"}
    if surplus:
        raise ValueError(f"drift: unknown key {', '.join(sorted(surplus))}")
    service = tenant.services[str(wish["service"])]
    entity_set = service.sets[str(wish["set"])]
    properties = dict(entity_set.properties)
    hidden = entity_set.hidden
    if "remove" in wish and properties[str(wish["remove"])].key:
        hidden |= {str(wish["remove"])}
    elif "remove" in wish:
        del properties[str(wish["remove"])]
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
    tenant.services[service.name] = service.with_set(replace(entity_set, properties=properties, hidden=hidden))
    return entity_set.name


def _drift_events(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    """Change the data of events: `add` a field with a `value`, `remove` one, `retype` one, or give them a `version`."""
    surplus = set(wish) - {"event", "add", "remove", "retype", "value", "version"}
    if surplus:
        raise ValueError(f"drift: unknown key {', '.join(sorted(surplus))}")
    pattern = str(wish["event"])

    def changed(event: Event) -> Event:
        if not fnmatchcase(event.type, pattern):
            return event
        data, kind = dict(event.data), event.type
        if "add" in wish:
            data[str(wish["add"])] = wish.get("value", "")
        if "remove" in wish:
            data.pop(str(wish["remove"]), None)
        if "retype" in wish:
            data[str(wish["retype"])] = int(data[str(wish["retype"])])
        if "version" in wish:
            kind = f"{kind.rpartition('.')[0]}.{wish['version']}"
        return replace(event, data=data, type=kind)

    tenant.event_changes.append(changed)
    return pattern


def _convert(tenant: Tenant, table: str, column: str, kind: str) -> None:
    """Bring what rows hold into the new type: a text of anything, or nothing."""
    rows = tenant.store.table(table)
    for key, row in list(rows.scan()):
        if column in row:
            value = str(row[column]) if kind == "String" else None
            rest = {name: each for name, each in row.items() if name != column}
            rows.put(key, rest if value is None else {**rest, column: value})
