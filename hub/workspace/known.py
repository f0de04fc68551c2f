"""What files may name; filled kind by kind while a workspace is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.schemas.registry import Registry
from hub.schemas.shape import ANYTHING, Shape
from hub.workspace.catalogue import Catalogue
from hub.workspace.checks.flow_heads import FlowHead
from hub.workspace.compiled_files import ConnectionFile, EnvironmentFile, FragmentFile, MappingFile, PolicyFile
from hub.workspace.files.schemas import Schema
from hub.workspace.kinds import FileKind
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.terms import Tables
from hub.workspace.source.yaml_source import Node, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that is there by name.

    `declared` also has the names of files that could not be compiled: they have lints of their own, and those who
    name them are not to blame.
    """

    catalogue: Catalogue
    files: Mapping[str, bytes]
    declared: Mapping[FileKind, frozenset[str]]
    tables: Tables
    schemas: Mapping[str, Schema]
    connections: Mapping[str, ConnectionFile]
    fragments: Mapping[str, FragmentFile]
    mappings: Mapping[str, MappingFile]
    policies: Mapping[str, PolicyFile]
    environments: Mapping[str, EnvironmentFile] = field(default_factory=dict)
    #: All schemas in their series, still without the upcasts between them.
    registry: Registry = field(default_factory=Registry)
    #: What every file that calls itself a flow says of itself, right or not.
    flows: Mapping[str, FlowHead] = field(default_factory=dict)
    #: What flows that others run give; filled flow by flow, those first that are run.
    given: dict[str, Shape] = field(default_factory=dict)

    def shape(self, name: str) -> Shape:
        """Give the shape of a schema; of one that is not there, nothing is known."""
        return self.registry.shape(name) if name in self.registry else ANYTHING

    def started_by(self, event: str) -> list[FlowHead]:
        """Give the flows that an event of this type starts."""
        return [head for _, head in sorted(self.flows.items()) if event in {head.event, *head.further_events}]

    def lint_name(self, kind: FileKind, node: Node, lints: Lints) -> bool:
        """Add a lint when there is nothing of this kind with the name in `node`; True when there is."""
        name = text_of(node)
        if name in self.declared[kind]:
            return True
        lints.error(node, f"unknown-{kind}", f"There is no {kind} `{name}`.", nearest(name, self.declared[kind]))
        return False
