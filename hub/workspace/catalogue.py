"""What the workspace must know of the installed connectors, as one value; of their code, what checks their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from hub.model.effect import Idempotency
from hub.sdk.connector import Connector, JsonSchema, Operation, ReadOperation, Stream, named_schema
from hub.sdk.embedded import Embedded
from hub.sdk.settings import Telltale, secret_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEntry:
    """One operation: whether it writes, how a repeated write is told from a new one, and its schemas.

    `erases` says that it deletes something, so that it can take nothing back. `pinned` says that a connection's
    settings choose the version of what a read gives; `output` names the newest.
    """

    name: str
    title: str
    writes: bool
    input: JsonSchema
    output: JsonSchema
    idempotency: Idempotency | None = None
    undo: str | None = None
    erases: bool = False
    pinned: bool = False

    @property
    def declared(self) -> str | None:
        """Name the schema of `output`; None when it is described in place."""
        return named_schema(self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEntry:
    """One stream: how late its events may come to light, and how long the vendor gives them (None: for ever)."""

    name: str
    title: str
    overlap: timedelta = timedelta()
    keeps: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorEntry:
    """One connector: operations by name, its schemas, and the fields of its settings.

    `settings` holds every field and whether a connection must give it; `secrets` are those that live in the vault.
    `telltales` are the signs in settings of what kind an account is.
    `embedded` says which files of the workspace a connector without a network reads, and what may be wrong with them.
    """

    name: str
    title: str
    operations: Mapping[str, OperationEntry] = field(default_factory=dict)
    schemas: Mapping[str, JsonSchema] = field(default_factory=dict)
    settings: Mapping[str, bool] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    webhook: bool = False
    embedded: Embedded | None = None
    streams: Mapping[str, StreamEntry] = field(default_factory=dict)
    telltales: Sequence[Telltale] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All installed connectors by name."""

    connectors: Mapping[str, ConnectorEntry] = field(default_factory=dict)

    @property
    def schemas(self) -> dict[str, JsonSchema]:
        """Give every connector's schemas by name."""
        return {name: schema for entry in self.connectors.values() for name, schema in entry.schemas.items()}

    def of_event(self, event_type: str) -> ConnectorEntry | None:
        """Find the connector whose events have this type (`stripe.invoice.finalized` → stripe)."""
        return self.connectors.get(event_type.partition(".")[0])


def catalogue_of(connectors: Sequence[Connector]) -> Catalogue:
    """Describe these connectors."""
    entries = {connector.name: _connector(connector) for connector in connectors}
    return Catalogue(connectors=MappingProxyType(entries))


def _connector(connector: Connector) -> ConnectorEntry:
    fields = connector.settings.model_fields
    return ConnectorEntry(
        name=connector.name,
        title=connector.title,
        operations={operation.name: _operation(operation) for operation in connector.operations},
        schemas=dict(connector.schemas),
        settings={name: field.is_required() for name, field in fields.items()},
        secrets=secret_fields(connector.settings),
        webhook=connector.webhook is not None,
        embedded=connector.embedded,
        streams={stream.name: _stream(stream) for stream in connector.streams},
        telltales=tuple(connector.settings.telltales),
    )


def _stream(stream: Stream) -> StreamEntry:
    return StreamEntry(name=stream.name, title=stream.title, overlap=stream.overlap, keeps=stream.keeps)


def _operation(operation: Operation) -> OperationEntry:
    reads = isinstance(operation, ReadOperation)
    return OperationEntry(
        name=operation.name,
        title=operation.title,
        writes=not reads,
        input=operation.input,
        output=operation.output,
        idempotency=None if isinstance(operation, ReadOperation) else operation.idempotency,
        undo=None if isinstance(operation, ReadOperation) else operation.undo,
        erases=not isinstance(operation, ReadOperation) and operation.erases,
        pinned=isinstance(operation, ReadOperation) and operation.gives is not None,
    )
