"""Who uses which schema: the mappings that read or make it, and the flows that have them in their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.model.flow import Call, Flow
from hub.model.flow_steps import applied, every_step
from hub.workspace.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaUse:
    """The names of mappings from or to a schema, and of flows that apply one of them."""

    mappings: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()


def schema_uses(bundle: Bundle) -> Mapping[str, SchemaUse]:
    """Give who uses each schema, by its name with version; unused ones are not in it."""
    mappings: dict[str, set[str]] = {}
    flows: dict[str, set[str]] = {}
    for name, mapping in bundle.mappings.items():
        for schema in (mapping.source, mapping.target):
            mappings.setdefault(schema, set()).add(name)
    for flow in bundle.flows.values():
        if flow.called is not None:
            flows.setdefault(flow.called, set()).add(flow.name)
        for name in _mappings_of(flow):
            mapping = bundle.mappings[name]
            for schema in (mapping.source, mapping.target):
                flows.setdefault(schema, set()).add(flow.name)
    return {
        schema: SchemaUse(mappings=tuple(sorted(names)), flows=tuple(sorted(flows.get(schema, ()))))
        for schema, names in mappings.items()
    }


def _mappings_of(flow: Flow) -> set[str]:
    steps = list(every_step(flow.steps))
    found = {use.mapping for step in steps for use in applied(step)}
    return found | {into for step in steps if isinstance(step.action, Call) and (into := step.action.into) is not None}
