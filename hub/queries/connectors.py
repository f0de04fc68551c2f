"""The connectors that are installed: what they can do, how far their quality goes, and what certification showed."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hub.connections.registry import BrokenPlugin, Registry, connector_of
from hub.sdk.connector import Connector, WriteOperation
from hub.sdk.testing.manifests import Certification, read_manifest, sources_of


class Standing(StrEnum):
    """Whether a connector is certified, and as it is now."""

    CERTIFIED = "certified"
    CHANGED = "changed since it was certified"
    NOT_CERTIFIED = "not certified"


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
    last one came to, and `standing` tells whether the package is still the one that was certified.
    """

    name: str
    title: str
    vendor: str
    api_versions: Sequence[str]
    operations: Sequence[OperationView]
    streams: Sequence[str]
    listings: Sequence[str]
    webhook: bool
    quality: Mapping[str, str | None]
    certification: Certification | None
    standing: Standing

    @property
    def reads(self) -> Sequence[OperationView]:
        """Give the operations that change nothing."""
        return [operation for operation in self.operations if operation.idempotency is None]

    @property
    def writes(self) -> Sequence[OperationView]:
        """Give the operations that write."""
        return [operation for operation in self.operations if operation.idempotency is not None]

    @property
    def kept(self) -> int:
        """Count the rules of the quality list that are kept."""
        return sum(reason is None for reason in self.quality.values())


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
        listings=[listing.name for listing in connector.listings],
        webhook=connector.webhook is not None,
        quality={} if manifest is None else manifest.quality,
        certification=certification,
        standing=_standing(certification, folder),
    )


def _standing(certification: Certification | None, folder: Path) -> Standing:
    if certification is None:
        return Standing.NOT_CERTIFIED
    return Standing.CERTIFIED if certification.sources == sources_of(folder) else Standing.CHANGED


def find(connectors: Mapping[str, Connector], name: str) -> ConnectorView:
    """Describe the connector of this name; raises `NotFound`, with the reason where its package cannot be loaded."""
    return connector_view(connector_of(connectors, name))


def not_loaded(connectors: Mapping[str, Connector]) -> Sequence[BrokenPlugin]:
    """Give the packages that name a connector and cannot give it."""
    return connectors.broken if isinstance(connectors, Registry) else ()


def plugin_as_json(plugin: BrokenPlugin) -> dict[str, str]:
    """Give a package that could not be loaded as JSON values."""
    return {"name": plugin.name, "package": plugin.package, "reason": plugin.reason}


def view_as_json(view: ConnectorView) -> dict[str, Any]:
    """Give a connector as JSON values, for programs."""
    found = view.certification
    return {
        "name": view.name,
        "title": view.title,
        "vendor": view.vendor,
        "api_versions": [*view.api_versions],
        "operations": [
            {"name": one.name, "title": one.title, "idempotency": one.idempotency} for one in view.operations
        ],
        "streams": [*view.streams],
        "listings": [*view.listings],
        "webhook": view.webhook,
        "quality": {rule: "done" if reason is None else {"exempt": reason} for rule, reason in view.quality.items()},
        "standing": view.standing.value,
        "certification": None
        if found is None
        else {
            "on": found.on,
            "concord": found.concord,
            "tried": found.tried,
            "faults": found.faults,
            "trials": found.trials,
            "exempt": {name: {**reasons} for name, reasons in found.exempt.items()},
        },
    }


def folder_of(connector: Connector) -> Path:
    """Give the folder of a connector's package: the one that its settings live in."""
    package = importlib.import_module(connector.settings.__module__.rpartition(".")[0])
    return Path(str(package.__file__)).parent
