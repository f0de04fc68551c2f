"""Compile a workspace's files into a bundle, or say in lints why that cannot be."""

from __future__ import annotations

import gc
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

from hub.errors import FixData
from hub.model.flow import Flow
from hub.policy.matching import MatchPolicy
from hub.policy.retry import RetryPolicy
from hub.policy.rules import RulePolicy
from hub.schemas.registry import Registry, Upcast, registry_of
from hub.schemas.series import SeriesTerms
from hub.sdk.connector import JsonSchema
from hub.workspace.bundle import Bundle, bundle_id
from hub.workspace.catalogue import Catalogue
from hub.workspace.checks.effect_lint import lint_effects
from hub.workspace.checks.flow_heads import callees_first, flow_heads
from hub.workspace.checks.schema_lint import is_upcast, lint_ends, lint_promises, lint_upcasts, upcasts_in
from hub.workspace.compiled_files import (
    ConnectionFile,
    EnvironmentFile,
    Example,
    FragmentFile,
    MappingFile,
    PolicyFile,
)
from hub.workspace.examples.loading import load_examples
from hub.workspace.files.connections import load_connection
from hub.workspace.files.environments import load_environment
from hub.workspace.files.flows import load_flow
from hub.workspace.files.fragments import lint_fragments, load_fragment
from hub.workspace.files.mappings import load_mapping
from hub.workspace.files.policies import load_policy
from hub.workspace.files.schemas import Schema, compile_schema, load_schema
from hub.workspace.files.series import load_series
from hub.workspace.files.tables import load_table
from hub.workspace.kinds import BESIDE, NAMED, FileKind, kind_of
from hub.workspace.known import Known
from hub.workspace.source.lint import Lint, Lints, Place, Position, Severity
from hub.workspace.source.yaml_source import Keyed, Node, Scalar, read_yaml

_Loaded = TypeVar("_Loaded")

#: Schemas of connectors, by name and document: those are constants of the connectors' packages.
_connector_schemas: dict[tuple[str, int], Schema] = {}
_MOST_SCHEMAS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """All that mappings rest on, and those in which nothing was wrong, by path and content.

    A workspace is compiled again and again with few files changed, and mappings take half of the time.
    """

    files: Mapping[str, bytes]
    documents: Mapping[str, JsonSchema]
    mappings: dict[tuple[str, bytes], MappingFile] = field(default_factory=dict)

    def is_of(self, files: Mapping[str, bytes], documents: Mapping[str, JsonSchema]) -> bool:
        """Tell whether these files and schemas of connectors, which are constants, are the same."""
        return (
            self.files == files
            and self.documents.keys() == documents.keys()
            and all(document is documents[name] for name, document in self.documents.items())
        )


#: The last ones, so that an old and a new state of the files may be compiled in turn.
_grounds: deque[_Ground] = deque(maxlen=4)
_MOST_MAPPINGS = 2_000
#: What mappings rest on besides the schemas of connectors.
_BELOW = (FileKind.TABLE, FileKind.SCHEMA, FileKind.SERIES, FileKind.FRAGMENT)


def compile_bundle(
    files: Mapping[str, bytes], catalogue: Catalogue, *, today: date | None = None
) -> tuple[Bundle | None, list[Lint]]:
    """Compile files (`{relative path: bytes}`, from a folder or the store) with what the connectors offer.

    The bundle is None when a lint is an error. Lints are in the order of path and line. Nothing is raised for
    whatever the files hold. With `today`, schemas past their sunset are errors; a bundle that was once right stays
    right, and is compiled again without.
    """
    compilation = _Compilation(files=files, catalogue=catalogue, today=today)
    with _uncollected():
        compilation.run()
    found = sorted(lint for lints in compilation.lints.values() for lint in lints.found)
    if any(lint.severity is Severity.ERROR for lint in found):
        return None, found
    return compilation.bundle(), found


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking again and again through what is being made: nearly all of it stays.

    It takes two fifths of a compilation otherwise. Of two at a time, in two threads, the first to begin lets it go on.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@dataclass(slots=True, kw_only=True)
class _Compilation:
    """One pass over all kinds, in the order in which they need each other."""

    files: Mapping[str, bytes]
    catalogue: Catalogue
    today: date | None
    lints: dict[str, Lints] = field(default_factory=dict)
    nodes: dict[FileKind, dict[str, Node]] = field(default_factory=dict)
    #: Every name that a file claims, broken files included, so that one mistake is not told again at each reference.
    declared: dict[FileKind, dict[str, tuple[str, Place]]] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    series: dict[str, SeriesTerms] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)
    connections: dict[str, ConnectionFile] = field(default_factory=dict)
    fragments: dict[str, FragmentFile] = field(default_factory=dict)
    mappings: dict[str, MappingFile] = field(default_factory=dict)
    policies: dict[str, PolicyFile] = field(default_factory=dict)
    environments: dict[str, EnvironmentFile] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def run(self) -> None:
        """Read and lint everything."""
        for path, content in sorted(self.files.items()):
            self._read(path, content)
        self._add_connector_schemas()
        names = self.declared.get(FileKind.SCHEMA, {}).keys()
        self._load(FileKind.SERIES, self.series, lambda node, lints: load_series(node, lints, names))
        self.registry = registry_of({name: schema.document for name, schema in self.schemas.items()}, self.series)
        known = self._known()
        self._load(FileKind.FRAGMENT, self.fragments, lambda node, lints: load_fragment(node, lints, known))
        lint_fragments(self.fragments, self.nodes.get(FileKind.FRAGMENT, {}), self.lints, known)
        ground = self._ground()
        self._load(FileKind.MAPPING, self.mappings, lambda node, lints: self._mapping(node, lints, known, ground))
        derived = [file.reverse for file in self.mappings.values() if file.reverse is not None]
        self.mappings |= {file.name: file for file in derived}
        known = replace(known, registry=self._relate_schemas())
        self._load(FileKind.POLICY, self.policies, lambda node, lints: load_policy(node, lints, known))
        self._load(FileKind.CONNECTION, self.connections, lambda node, lints: load_connection(node, lints, known))
        self._load(FileKind.ENVIRONMENT, self.environments, lambda node, lints: load_environment(node, lints, known))
        flows = self.nodes.get(FileKind.FLOW, {})
        self.nodes[FileKind.FLOW] = {path: flows[path] for path in callees_first(flows)}
        self._load(FileKind.FLOW, self.flows, lambda node, lints: load_flow(node, lints, known))
        lint_effects(self.flows, self.lints, known)
        self._lint_embedded()
        for path, node in self.nodes.get(FileKind.EXAMPLES, {}).items():
            self.examples += load_examples(node, self.lints[path], known)

    def bundle(self) -> Bundle:
        """Give the bundle of a compilation without errors."""
        compiled = {name: policy.compiled for name, policy in self.policies.items()}
        return Bundle(
            id=bundle_id(self.files),
            files=dict(self.files),
            flows=self.flows,
            mappings={name: mapping.compiled for name, mapping in self.mappings.items()},
            policies={name: policy for name, policy in compiled.items() if isinstance(policy, RulePolicy)},
            retries={name: policy for name, policy in compiled.items() if isinstance(policy, RetryPolicy)},
            matches={name: policy for name, policy in compiled.items() if isinstance(policy, MatchPolicy)},
            schemas=self.schemas,
            connections=self.connections,
            environments=self.environments,
            tables=self.tables,
            registry=self.registry,
            examples=tuple(self.examples),
        )

    def _lint_embedded(self) -> None:
        """Let connectors without a network check the files that they answer by, where any are there or needed."""
        used = {connection.connector for connection in self.connections.values()}
        for connector in self.catalogue.connectors.values():
            own = {} if connector.embedded is None else connector.embedded.own(self.files)
            if connector.embedded is None or not (own or connector.name in used):
                continue
            for flaw in connector.embedded.flaws(own):
                lints = self.lints.setdefault(flaw.path, Lints(flaw.path))
                lints.error(Position(line=flaw.line), "bad-rates", flaw.message, flaw.hint)

    def _ground(self) -> _Ground:
        """Find what was compiled on the same ground before, or begin anew."""
        fragments = self.nodes.get(FileKind.FRAGMENT, {})
        files = {path: content for path, content in self.files.items() if path in fragments or kind_of(path) in _BELOW}
        found = next((ground for ground in tuple(_grounds) if ground.is_of(files, self.catalogue.schemas)), None)
        if found is None:
            found = _Ground(files=files, documents=dict(self.catalogue.schemas))
            _grounds.append(found)
        return found

    def _mapping(self, node: Node, lints: Lints, known: Known, ground: _Ground) -> MappingFile | None:
        """Load a mapping, or give the one that the same file was on the same ground, unless there was a lint."""
        key = (lints.path, self.files[lints.path])
        loaded = ground.mappings.get(key) or load_mapping(node, lints, known)
        if loaded is not None and not lints.found and len(ground.mappings) < _MOST_MAPPINGS:
            ground.mappings[key] = loaded
        return loaded

    def _known(self) -> Known:
        return Known(
            catalogue=self.catalogue,
            files=self.files,
            declared={kind: frozenset(self.declared.get(kind, ())) for kind in FileKind},
            tables=self.tables,
            schemas=self.schemas,
            connections=self.connections,
            fragments=self.fragments,
            mappings=self.mappings,
            policies=self.policies,
            environments=self.environments,
            registry=self.registry,
            flows=flow_heads(self.nodes.get(FileKind.FLOW, {}).values()),
        )

    def _relate_schemas(self) -> Registry:
        """Add the upcasts to the registry, and lint what versions owe each other and those who use them.

        Gives the registry with the upcasts of broken files too: who relies on them is not to blame.
        """
        nodes = self.nodes.get(FileKind.MAPPING, {})
        promised = self.registry.with_upcasts(upcasts_in(nodes))
        lint_promises(promised, self.schemas, self.files, self.lints, self.declared.get(FileKind.SERIES, {}))
        lint_upcasts(nodes, self.lints)
        lint_ends(self.registry, nodes, self.lints, self.today)
        upcasts = [
            Upcast(mapping=name, source=mapping.source, target=mapping.target)
            for name, mapping in self.mappings.items()
            if is_upcast(mapping.source, mapping.target)
        ]
        self.registry = self.registry.with_upcasts(upcasts)
        return promised.with_upcasts((*promised.upcasts, *upcasts))

    def _read(self, path: str, content: bytes) -> None:
        kind = kind_of(path)
        lints = self.lints.setdefault(path, Lints(path))
        stem = path.rpartition("/")[2].rpartition(".")[0]
        if path.endswith(".yml"):
            lints.error(Position(), "wrong-ending", "The file ends in `.yml`.", "Rename it to `.yaml`.")
        elif kind is FileKind.TABLE:
            self._declare(kind, stem, path, Position())
            # An unreadable table is there all the same: those who look something up in it are not to blame.
            self.tables[stem] = load_table(content, lints) or {}
        elif kind is FileKind.SCHEMA:
            self._declare(kind, stem, path, Position())
            schema = load_schema(content, lints)
            if schema is not None:
                self.schemas[schema.name] = schema
        elif kind is not None and kind not in (FileKind.FIXTURE, FileKind.RUNBOOK):
            self._read_yaml(kind, path, content, lints)

    def _read_yaml(self, kind: FileKind, path: str, content: bytes, lints: Lints) -> None:
        node = read_yaml(content, lints)
        kind = next((other for other, beside in BESIDE.items() if beside is kind and _names(node, other)), kind)
        if node is not None:
            self.nodes.setdefault(kind, {})[path] = node
        if kind not in NAMED.values() and kind not in BESIDE:
            return
        named = node.get(kind) if isinstance(node, Keyed) else None
        if isinstance(named, Scalar) and named.value is not None:
            self._declare(kind, named.text, path, named)
            derived = node.get("reverse") if isinstance(node, Keyed) and kind is FileKind.MAPPING else None
            if isinstance(derived, Scalar) and derived.value is not None:
                self._declare(kind, derived.text, path, derived)
        elif node is None:
            # What cannot be read still has its name, and those who use it are not to blame.
            match = re.search(rf"^{kind}:[ ]*[\"']?([A-Za-z0-9_/-]+)".encode(), content, re.MULTILINE)
            if match is not None:
                self.declared.setdefault(kind, {}).setdefault(match.group(1).decode(), (path, Position()))

    def _declare(self, kind: FileKind, name: str, path: str, place: Place) -> None:
        names = self.declared.setdefault(kind, {})
        if name not in names:
            names[name] = (path, place)
            return
        where, first = names[name]
        message = f"The {kind} `{name}` is already defined in {where}:{first.line}:{first.column}."
        self.lints[path].error(place, "duplicate-name", message, "Give one of them another name.")

    def _load(self, kind: FileKind, into: dict[str, _Loaded], load: Callable[[Node, Lints], _Loaded | None]) -> None:
        for path, node in self.nodes.get(kind, {}).items():
            loaded = load(node, self.lints[path])
            if loaded is not None:
                into[self._name_in(kind, path)] = loaded

    def _name_in(self, kind: FileKind, path: str) -> str:
        node = self.nodes[kind][path]
        named = node.get(kind) if isinstance(node, Keyed) else None
        return named.text if isinstance(named, Scalar) else path

    def _add_connector_schemas(self) -> None:
        for name, document in self.catalogue.schemas.items():
            if name in self.declared.get(FileKind.SCHEMA, {}):
                path, place = self.declared[FileKind.SCHEMA][name]
                message = f"The schema `{name}` belongs to an installed connector."
                self.lints[path].error(place, "duplicate-name", message, "Give it another name or version.")
                continue
            try:
                self.schemas[name] = _connector_schema(name, document)
            except FixData as error:
                # Files of a connector are not the author's; the lint is for the one who installed it.
                lints = self.lints.setdefault(f"connectors/{name}", Lints(f"connectors/{name}"))
                lints.error(Position(), "bad-schema", f"A connector's schema cannot be used: {error.detail}")
            self.declared.setdefault(FileKind.SCHEMA, {})[name] = (f"connectors/{name}", Position())


def _connector_schema(name: str, document: JsonSchema) -> Schema:
    """Compile a connector's schema, the same document once: a process compiles many bundles for its connectors."""
    known = _connector_schemas.get((name, id(document)))
    if known is None or known.document is not document:
        if len(_connector_schemas) >= _MOST_SCHEMAS:
            _connector_schemas.clear()
        known = _connector_schemas[name, id(document)] = compile_schema(name, document)
    return known


def _names(node: Node | None, kind: FileKind) -> bool:
    """Tell whether a file names itself as of this kind."""
    return isinstance(node, Keyed) and kind in node.entries
