"""What uses what in a bundle, and so what a change touches, directly and through what is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.engine.readings import wanted_schema
from hub.mapping.compiled import CompiledMapping
from hub.model.flow import (
    Approve,
    Branch,
    Call,
    Decide,
    Emit,
    Flow,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    Parallel,
    Step,
    Subflow,
    Wait,
)
from hub.model.flow_steps import applied, name_from, placed_steps
from hub.release.documents import Thing, read_document
from hub.schemas.versions import split
from hub.workspace.bundle import Bundle
from hub.workspace.kinds import FileKind, kind_of

_TABLE = re.compile(r"""\btable\s*\(\s*(?:'([\w-]+)'|`\s*"([\w-]+)"\s*`)?""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A flow, mapping or connection that a change touches; `through` names the way to what was changed, nearest first.

    It is empty for what was changed itself.
    """

    kind: FileKind
    name: str
    through: tuple[str, ...] = ()


def touched(changed: Iterable[Thing], bundles: Iterable[Bundle]) -> list[Touched]:
    """Give the flows, mappings and connections that use something changed, in any of the bundles."""
    users: dict[Thing, set[Thing]] = {}
    for bundle in bundles:
        for user, used in uses(bundle):
            users.setdefault(used, set()).add(user)
    ways: dict[Thing, tuple[str, ...]] = dict.fromkeys(changed, ())
    reached = list(ways)
    for thing in reached:
        for user in sorted(users.get(thing, ())):
            if user not in ways:
                ways[user] = (f"{thing[0]} {thing[1]}", *ways[thing])
                reached.append(user)
    shown = (FileKind.FLOW, FileKind.MAPPING, FileKind.CONNECTION)
    return [
        Touched(kind=kind, name=name, through=way)
        for kind in shown
        for (found, name), way in sorted(ways.items())
        if found is kind
    ]


def uses(bundle: Bundle) -> Iterator[tuple[Thing, Thing]]:
    """Give each pair of what uses and what is used."""
    for flow in bundle.flows.values():
        here = (FileKind.FLOW, flow.name)
        yield from ((here, used) for used in _flow_uses(flow, bundle))
    for mapping in bundle.mappings.values():
        here = (FileKind.MAPPING, mapping.name)
        yield from ((here, used) for used in _mapping_uses(mapping, bundle))
    for path, content in bundle.files.items():
        yield from _file_uses(path, content, bundle)
    for connection in bundle.connections.values():
        here = (FileKind.CONNECTION, connection.name)
        yield from ((here, (FileKind.POLICY, name)) for name in connection.guards.values())
        for environment in bundle.environments.values():
            there = environment.connections.get(connection.name)
            if there is not None:
                yield here, (FileKind.ENVIRONMENT, environment.name)
                yield from ((here, (FileKind.POLICY, name)) for name in there.guards.values())


def _mapping_uses(mapping: CompiledMapping, bundle: Bundle) -> Iterator[Thing]:
    yield FileKind.SCHEMA, mapping.source
    yield FileKind.SCHEMA, mapping.target
    if mapping.derived and mapping.reverse is not None:
        yield FileKind.MAPPING, mapping.reverse
    series = split(mapping.source)[0]
    if series != split(mapping.target)[0]:
        # Other versions than the one it reads are brought to that one first.
        yield from ((FileKind.SCHEMA, name) for name in bundle.registry.versions(series))
        yield from _upcasts(bundle, series)


def _upcasts(bundle: Bundle, series: str) -> Iterator[Thing]:
    """Give the mappings between versions of a series, or of all whose name begins so."""
    for upcast in bundle.registry.upcasts:
        if f"{split(upcast.source)[0]}.".startswith(f"{series}."):
            yield FileKind.MAPPING, upcast.mapping


def _flow_uses(flow: Flow, bundle: Bundle) -> Iterator[Thing]:
    placed = list(placed_steps(flow.steps))
    decides = {place: step.action.policy for place, step in placed if isinstance(step.action, Decide)}
    if flow.called is not None:
        yield FileKind.SCHEMA, flow.called
    for place, step in placed:
        if step.retry is not None:
            yield FileKind.POLICY, step.retry
        yield from ((FileKind.MAPPING, use.mapping) for use in applied(step))
        match step.action:
            case Decide(policy=name) | Approve(policy=name) | Match(policy=name):
                yield FileKind.POLICY, name
            case Call() as call:
                yield from _call_uses(call, step, place, flow, decides, bundle)
            case Subflow(flow=name):
                yield FileKind.FLOW, name
            case Map() | Lookup() | Link() | Wait() | Foreach() | Branch() | Parallel() | Emit():
                pass


def _call_uses(
    call: Call, step: Step, place: str, flow: Flow, decides: Mapping[str, str], bundle: Bundle
) -> Iterator[Thing]:
    if call.into is not None:
        yield FileKind.MAPPING, call.into
    for name in _connections(call, place, flow, decides, bundle):
        yield FileKind.CONNECTION, name
        if call.shape is None and wanted_schema(bundle, flow, step) is None:
            # No mapping says in which version the answer is read: in the connector's newest.
            yield from _upcasts(bundle, bundle.connections[name].connector)


def _connections(call: Call, place: str, flow: Flow, decides: Mapping[str, str], bundle: Bundle) -> Iterable[str]:
    text = call.connection.text
    if text in bundle.connections:
        return (text,)
    if text == "event.connection":
        connector = flow.event.partition(".")[0]
        return [name for name, file in bundle.connections.items() if file.connector == connector]
    asked, _, output = text.rpartition(".")
    policy = next((name for step, name in decides.items() if name_from(step, place) == asked), "")
    if policy not in bundle.policies:
        # Whatever else it may name is found only by running it: any connection may be meant.
        return list(bundle.connections)
    given = [_literal(rule.then, output) for rule in bundle.policies[policy].rules]
    return [name for name in given if name in bundle.connections]


def _literal(then: Any, key: str) -> str:
    value = then.get(key) if isinstance(then, Mapping) else None
    return value if isinstance(value, str) else ""


def _file_uses(path: str, content: bytes, bundle: Bundle) -> Iterator[tuple[Thing, Thing]]:
    """Find what expressions and fields name by their text: tables and fragments."""
    if kind_of(path) not in (FileKind.FLOW, FileKind.MAPPING, FileKind.POLICY):
        return
    document = read_document(path, content)
    if document is None:
        return
    here = (document.kind, document.name)
    for key, text in _texts(document.says):
        if key == "use":
            yield here, (FileKind.FRAGMENT, text)
        for found in _TABLE.finditer(text):
            # A name that is worked out may be any table's.
            names = [found[1] or found[2]] if found.lastindex else bundle.tables
            yield from ((here, (FileKind.TABLE, name)) for name in names)


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Give all texts in a document, each with the key that it stands under."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _texts(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, key)
    elif isinstance(value, str):
        yield key, value
