"""A bundle: one revision of the workspace, compiled, named by the hash of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import FixData, NotFound
from hub.mapping.compiled import CompiledMapping, apply
from hub.model.flow import Flow
from hub.policy.matching import MatchPolicy
from hub.policy.retry import RetryPolicy
from hub.policy.rules import RulePolicy
from hub.schemas.registry import Registry
from hub.schemas.versions import split
from hub.workspace.compiled_files import ConnectionFile, EnvironmentFile, Example
from hub.workspace.files.guards import NO_POLICY
from hub.workspace.files.schemas import Schema
from hub.workspace.kinds import FileKind, kind_of
from hub.workspace.origin import Origin
from hub.workspace.source.terms import Tables

_PLAIN_RETRY = RetryPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Everything a run needs of the workspace, by name; `files` are the bytes it was compiled from.

    `policies` are those that decide between rules, `retries` those that say when to try again, `matches` those by
    which records are compared; `schemas` holds the workspace's own and those of the installed connectors, and
    `registry` the same by series and version.
    `origin` is the commit that the files came from, if known.
    """

    id: str
    files: Mapping[str, bytes] = field(repr=False)
    flows: Mapping[str, Flow] = field(repr=False)
    mappings: Mapping[str, CompiledMapping] = field(repr=False)
    policies: Mapping[str, RulePolicy] = field(repr=False)
    retries: Mapping[str, RetryPolicy] = field(repr=False)
    matches: Mapping[str, MatchPolicy] = field(repr=False)
    schemas: Mapping[str, Schema] = field(repr=False)
    connections: Mapping[str, ConnectionFile] = field(repr=False)
    environments: Mapping[str, EnvironmentFile] = field(repr=False)
    tables: Tables = field(repr=False)
    registry: Registry = field(repr=False)
    examples: tuple[Example, ...] = field(default=(), repr=False)
    origin: Origin | None = None

    def flows_for(self, event_type: str) -> tuple[Flow, ...]:
        """Give the flows that an event of this type starts, by name."""
        return tuple(flow for _, flow in sorted(self.flows.items()) if event_type in flow.events)

    def validate(self, schema_name: str, record: object) -> list[str]:
        """Give what of a record does not fit a schema, each with its path; raises `NotFound` for an unknown schema."""
        schema = self.schemas.get(schema_name)
        if schema is None:
            raise NotFound("The bundle has no such schema.", schema=schema_name)
        return schema.problems(record)

    def read_as(self, name: str, record: Any, wanted: str) -> Any:
        """Read a record of one version as another: `name` is what it claims to be, registered or not.

        `FixData` with the code `no-upcast` says which versions, and which mapping would help. What is read as it is
        comes back itself, not a copy.
        """
        if name == wanted:
            return record
        path = self.registry.path(name, wanted)
        if path is None:
            raise self._no_way(name, wanted)
        for mapping in path:
            record = apply(self.mappings[mapping], record)
        return record

    def _no_way(self, name: str, wanted: str) -> FixData:
        resolved = self.registry.resolve(name)
        series, version = split(wanted)
        if resolved is None or split(name)[0] != series:
            hint = f"Only another version of `{series}` can be read as one."
        else:
            last = series.rpartition(".")[2]
            target = f"mappings/{split(name)[0].partition('.')[0]}/{last}_to_{version.replace('.', '_')}.yaml"
            hint = f"Write a mapping with `from: {resolved.name}` and `to: {wanted}`, such as {target}."
        return FixData(
            f"A record of `{name}` cannot be read as `{wanted}`. {hint}", code="no-upcast", schema=name, wanted=wanted
        )

    def retry(self, name: str | None) -> RetryPolicy:
        """Give a retry policy, or the plain one when a step names none; raises `NotFound`."""
        if name is None:
            return _PLAIN_RETRY
        try:
            return self.retries[name]
        except KeyError:
            raise NotFound("The bundle has no such retry policy.", policy=name) from None

    def guard(self, kind: str, *, connection: str, environment: str) -> RulePolicy | None:
        """Give the policy of this kind (`throttle`, `hold`, `drift`) that guards a connection or sender, or None.

        The environment's word counts before the connection file's.
        """
        file, there = self.connections.get(connection), self.environments.get(environment)
        here = there.connections.get(connection) if there is not None else None
        sender = there.senders.get(connection) if there is not None else None
        named = next((each.guards.get(kind) for each in (here, sender) if each is not None), None)
        if named is None and file is not None:
            named = file.guards.get(kind)
        return None if named is None or named == NO_POLICY else self.policies.get(named)

    def runbook(self, path: str) -> str | None:
        """Give the text of a runbook (Markdown), or None when there is none."""
        content = self.files.get(path) if kind_of(path) is FileKind.RUNBOOK else None
        return None if content is None else content.decode("utf-8", "replace")

    def runbook_for(self, flow: str, reason: str) -> str | None:
        """Give the path of the runbook of a case: that of its reason when there is one, else the flow's."""
        path = f"docs/runbooks/{reason}.md"
        if path in self.files:
            return path
        return self.flows[flow].runbook if flow in self.flows else None


def bundle_id(files: Mapping[str, bytes]) -> str:
    """Name a set of files by their content: 64 hexadecimal digits of SHA-256 over paths and contents."""
    whole = hashlib.sha256()
    for path, content in sorted(files.items()):
        whole.update(hashlib.sha256(path.encode()).digest())
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()
