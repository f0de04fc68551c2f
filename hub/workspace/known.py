"""What files may name; filled kind by kind while a workspace is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.schemas.shape import ANYTHING, Shape, shape_of
from hub.workspace.catalogue import Catalogue
from hub.workspace.compiled_files import ConnectionFile, FragmentFile, MappingFile, PolicyFile
from hub.workspace.kinds import FileKind
from hub.workspace.lint import Lints, nearest
from hub.workspace.schemas import Schema
from hub.workspace.terms import Tables
from hub.workspace.yaml_source import Node, text_of


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
    _shapes: dict[str, Shape] = field(default_factory=dict)

    def shape(self, name: str) -> Shape:
        """Give the shape of a schema; of one that is not there, nothing is known."""
        if name not in self._shapes:
            schema = self.schemas.get(name)
            self._shapes[name] = ANYTHING if schema is None else shape_of(schema.document)
        return self._shapes[name]

    def lint_name(self, kind: FileKind, node: Node, lints: Lints) -> bool:
        """Add a lint when there is nothing of this kind with the name in `node`; True when there is."""
        name = text_of(node)
        if name in self.declared[kind]:
            return True
        lints.error(node, f"unknown-{kind}", f"There is no {kind} `{name}`.", nearest(name, self.declared[kind]))
        return False
