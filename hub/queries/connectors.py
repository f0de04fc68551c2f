"""The connectors that are installed: what they can do, how far their quality goes, and what certification showed."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.sdk.connector import Connector, WriteOperation
from hub.sdk.testing.manifests import Certification, read_manifest, sources_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """One operation: its name and title, and how a repeated write is told from a new one (None for a read)."""

    name: str
    title: str
    idempotency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorView:
    """One connector as people see it.

    `quality` maps each rule to None where it is done, or to why the connector is exempt. `certification` is what the
    last one came to, and `changed_since` says that the package is no longer the one that was certified.
    """

    name: str
    title: str
    vendor: str
    api_versions: Sequence[str]
    operations: Sequence[OperationView]
    streams: Sequence[str]
    webhook: bool
    quality: Mapping[str, str | None]
    certification: Certification | None
    changed_since: bool

    @property
    def standing(self) -> str:
        """Say in a few words whether it is certified."""
        if self.certification is None:
            return "not certified"
        return "changed since it was certified" if self.changed_since else "certified"


def connector_views(connectors: Iterable[Connector]) -> list[ConnectorView]:
    """Describe connectors, in the order given."""
    return [connector_view(connector) for connector in connectors]


def connector_view(connector: Connector) -> ConnectorView:
    """Describe one connector; one whose package has no manifest has no quality to show."""
    folder = folder_of(connector)
    path = folder / "manifest.yaml"
    manifest = read_manifest(path) if path.is_file() else None
    certification = None if manifest is None else manifest.certification
    return ConnectorView(
        name=connector.name,
        title=connector.title,
        vendor="" if manifest is None else manifest.vendor,
        api_versions=() if manifest is None else manifest.api_versions,
        operations=[
            OperationView(
                name=operation.name,
                title=operation.title,
                idempotency=operation.idempotency.value if isinstance(operation, WriteOperation) else None,
            )
            for operation in connector.operations
        ],
        streams=[stream.name for stream in connector.streams],
        webhook=connector.webhook is not None,
        quality={} if manifest is None else manifest.quality,
        certification=certification,
        changed_since=certification is not None and certification.sources != sources_of(folder),
    )


def folder_of(connector: Connector) -> Path:
    """Give the folder of a connector's package: the one that its settings live in."""
    package = importlib.import_module(connector.settings.__module__.rpartition(".")[0])
    return Path(str(package.__file__)).parent
