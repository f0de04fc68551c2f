"""The connectors that are installed: found by entry point, one of each name, a broken one set apart with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import pluggy

from hub.errors import NotFound, Refused
from hub.sdk import hooks
from hub.sdk.connector import Connector


class DuplicateConnector(Refused):
    """Two packages offer a connector of one name; uninstall one of them."""

    code = "duplicate-connector"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """A package that names a connector and cannot give it; the other connectors work without it."""

    name: str
    package: str
    reason: str


class Registry(Mapping[str, Connector]):
    """Gives connectors by name, in the order of their names."""

    def __init__(self, connectors: Iterable[Connector], broken: Sequence[BrokenPlugin] = ()) -> None:
        """Take connectors whose names differ, and what could not be loaded."""
        self._connectors = {connector.name: connector for connector in sorted(connectors, key=lambda one: one.name)}
        self._broken = tuple(broken)

    def __getitem__(self, name: str) -> Connector:
        return self._connectors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._connectors)

    def __len__(self) -> int:
        return len(self._connectors)

    @property
    def broken(self) -> Sequence[BrokenPlugin]:
        """Give the plugins that could not be loaded, for health and the command line."""
        return self._broken

    def connector(self, name: str) -> Connector:
        """Give a connector; raises `NotFound`, with the reason when its plugin is broken."""
        found = self._connectors.get(name)
        if found is not None:
            return found
        for plugin in self._broken:
            if plugin.name == name:
                raise NotFound(
                    "The connector could not be loaded.",
                    code="broken-connector",
                    connector=name,
                    package=plugin.package,
                    reason=plugin.reason,
                )
        raise NotFound(
            "No such connector is installed.",
            code="unknown-connector",
            connector=name,
            installed=", ".join(self),
        )


def connector_of(connectors: Mapping[str, Connector], name: str) -> Connector:
    """Give a connector of a registry, or of a mapping that stands for one; raises `NotFound`."""
    registry = connectors if isinstance(connectors, Registry) else Registry(connectors.values())
    return registry.connector(name)


def load_connectors(points: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every plugin of the group `concord.connectors` (or the entry points given).

    Raises `DuplicateConnector` when two plugins give one name, since it would be chance which of them gets the
    credentials.
    """
    found = entry_points(group=hooks.ENTRY_POINTS) if points is None else points
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    origins: dict[str, str] = {}
    connectors: list[Connector] = []
    broken: list[BrokenPlugin] = []
    for point in sorted(set(found), key=lambda point: (point.name, _package(point))):
        package = _package(point)
        try:
            connector = _connector(manager, point)
        except Exception as error:  # noqa: BLE001 - a plugin is others' code: whatever it raises stays its own
            broken.append(BrokenPlugin(name=point.name, package=package, reason=f"{type(error).__name__}: {error}"))
            continue
        if connector.name in origins:
            raise DuplicateConnector(connector=connector.name, first=origins[connector.name], second=package)
        origins[connector.name] = package
        connectors.append(connector)
    return Registry(connectors, broken)


def _connector(manager: pluggy.PluginManager, point: EntryPoint) -> Connector:
    plugin = point.load()
    manager.register(plugin, name=f"{_package(point)}:{point.name}")
    # Each plugin is asked alone, so that one that fails does not take the others' answers with it.
    others = [other for other in manager.get_plugins() if other is not plugin]
    answers = manager.subset_hook_caller("concord_connector", remove_plugins=others)()
    if len(answers) != 1 or not isinstance(answers[0], Connector):
        raise TypeError("the package must implement the hook `concord_connector` and return one Connector")
    connector: Connector = answers[0]
    if connector.name != point.name:
        raise ValueError(f"the entry point is named {point.name!r}, its connector {connector.name!r}")
    return connector


def _package(point: EntryPoint) -> str:
    """Name the installed distribution, or the module where there is none."""
    return point.dist.name if point.dist is not None else point.value
