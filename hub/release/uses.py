"""What uses what in a bundle, and so what a change touches, directly and through what is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.flow import Call, Decide, Flow, Map
from hub.workspace.bundle import Bundle
from hub.workspace.kinds import FileKind

Thing = tuple[FileKind, str]

_TABLE = re.compile(r"\btable\(\s*'([A-Za-z0-9_-]+)'")
_DECIDED = re.compile(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)")


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
        yield from ((here, (FileKind.TABLE, name)) for name in _tables(bundle.files.get(flow.path, b"")))
    for name, mapping in bundle.mappings.items():
        here = (FileKind.MAPPING, name)
        yield here, (FileKind.SCHEMA, mapping.source)
        yield here, (FileKind.SCHEMA, mapping.target)
    for path, content in bundle.files.items():
        yield from _text_uses(path, content)
    for connection in bundle.connections.values():
        for environment in bundle.environments.values():
            if connection.name in environment.connections:
                yield (FileKind.CONNECTION, connection.name), (FileKind.ENVIRONMENT, environment.name)


def _flow_uses(flow: Flow, bundle: Bundle) -> Iterator[Thing]:
    decides: dict[str, str] = {}
    for step in flow.steps:
        if step.retry is not None:
            yield FileKind.POLICY, step.retry
        match step.action:
            case Map(mapping=name):
                yield FileKind.MAPPING, name
            case Decide(policy=name):
                decides[step.id] = name
                yield FileKind.POLICY, name
            case Call() as call:
                yield from ((FileKind.MAPPING, name) for name in (call.shape, call.into) if name is not None)
                yield from ((FileKind.CONNECTION, name) for name in _connections(call, flow, decides, bundle))
            case _:
                pass


def _connections(call: Call, flow: Flow, decides: Mapping[str, str], bundle: Bundle) -> Iterable[str]:
    text = call.connection.text
    if text in bundle.connections:
        return (text,)
    if text == "event.connection":
        connector = flow.event.partition(".")[0]
        return [name for name, file in bundle.connections.items() if file.connector == connector]
    decided = _DECIDED.fullmatch(text)
    policy = bundle.policies.get(decides.get(decided[1], "")) if decided is not None else None
    if policy is None or decided is None:
        # Whatever else it may name is found only by running it: any connection may be meant.
        return list(bundle.connections)
    given = [_literal(rule.then, decided[2]) for rule in policy.rules]
    return [name for name in given if name in bundle.connections]


def _literal(then: Any, key: str) -> str:
    value = then.get(key) if isinstance(then, Mapping) else None
    return value if isinstance(value, str) else ""


def _text_uses(path: str, content: bytes) -> Iterator[tuple[Thing, Thing]]:
    """Find what files name by their text: tables, fragments, and the policies of connections."""
    head = re.match(rb"(?:\s*#[^\n]*\n|\s*\n)*(mapping|fragment|policy|connection):[ ]*[\"']?([\w/-]+)", content)
    if head is None or not path.endswith(".yaml"):
        return
    here = (FileKind(head[1].decode()), head[2].decode())
    yield from ((here, (FileKind.TABLE, name)) for name in _tables(content))
    text = content.decode("utf-8", "replace")
    if here[0] in (FileKind.MAPPING, FileKind.FRAGMENT):
        found = re.findall(r"\buse:[ ]*[\"']?([\w/-]+)", text)
        yield from ((here, (FileKind.FRAGMENT, name)) for name in found)
    if here[0] is FileKind.CONNECTION:
        found = re.findall(r"^(?:drift|throttle|hold):[ ]*[\"']?([\w-]+)", text, re.MULTILINE)
        yield from ((here, (FileKind.POLICY, name)) for name in found)


def _tables(content: bytes) -> set[str]:
    return set(_TABLE.findall(content.decode("utf-8", "replace")))
