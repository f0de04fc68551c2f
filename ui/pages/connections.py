"""Connections: how each does, a test of it, the switch that stops its work, and the form that makes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.connections import form
from hub.connections.registry import connector_of
from hub.errors import HubError, NotFound
from hub.operate.connecting import Wish
from hub.queries import connections
from hub.queries.connections import ConnectionHealth
from hub.sdk.connector import Connector
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """Show every connection of this environment."""
    values = {
        "connections": connections.listing(visit.console.view, visit.console.accounts),
        "tests": visit.console.connecting.tests,
    }
    return visit.show("connections.html", values)


def one(visit: Visit) -> Response:
    """Show one connection, and what its last test found."""
    name = visit.place("name")
    health = _health(visit, name)
    test = visit.console.connecting.tests.get(name)
    if health is None and test is None and name not in visit.console.connecting.names():
        raise NotFound("There is no such connection in this environment.", connection=name)
    values = {"name": name, "each": health, "test": test, "settings": _settings(visit, name)}
    return visit.show("connection.html", values)


async def test(visit: Visit) -> Response:
    """Test a connection, and show what was found."""
    name = visit.place("name")
    await visit.console.connecting.test(name)
    return visit.go(f"/connections/{name}")


async def pause(visit: Visit) -> Response:
    """Let a connection take no more work."""
    reason = visit.form.get("reason", "").strip()
    await visit.console.orders.set_connection(visit.place("name"), active=False, reason=reason, actor=visit.actor)
    return visit.go(_back(visit), said="paused")


async def resume(visit: Visit) -> Response:
    """Let a connection take work again."""
    await visit.console.orders.set_connection(visit.place("name"), active=True, reason="", actor=visit.actor)
    return visit.go(_back(visit), said="resumed")


def choose(visit: Visit) -> Response:
    """Show the systems that can be connected."""
    found = visit.console.connecting.connectors.values()
    return visit.page("connect.html", connectors=[(each, form.about(each)) for each in found])


def ask(visit: Visit) -> Response:
    """Show the form of one system, with what the files have of a connection that is there already."""
    connector, name = _connector(visit), visit.query("name")
    known = {} if name is None else visit.console.connecting.known(name)
    return _form(visit, connector, name or connector.name, {key: _text(value) for key, value in known.items()})


async def connect(visit: Visit) -> Response:
    """Connect what the form says; where something is wrong, the form comes back with it, and without the secrets."""
    connector = _connector(visit)
    fields = form.fields_of(connector)
    given = {field.name: visit.form.get(f"of.{field.name}", "") for field in fields}
    values, secret = form.read(connector, given), {field.name for field in fields if field.secret}
    wish = Wish(
        connector=connector.name,
        name=visit.form.get("name", "").strip(),
        settings={name: value for name, value in values.items() if name not in secret},
        secrets={name: value for name, value in values.items() if name in secret},
    )
    try:
        made = await visit.console.connecting.connect(wish, actor=visit.actor)
    except HubError as error:
        shown = {name: text for name, text in given.items() if name not in secret}
        return _form(visit, connector, wish.name, shown, error=error)
    said = "connected" if made.serves else "connected-to-publish" if made.governed else "connected-to-start"
    return visit.go(f"/connections/{made.connection}", said=said)


def _form(
    visit: Visit, connector: Connector, name: str, given: Mapping[str, str], *, error: HubError | None = None
) -> Response:
    faults = error.facts if error is not None and error.code == "bad-settings" else {}
    return visit.page(
        "connect_form.html",
        status=200 if error is None else 422,
        connector=connector,
        about=form.about(connector),
        fields=form.fields_of(connector),
        name=name,
        given=given,
        error=error,
        faults=faults,
        exists=name in visit.console.connecting.names(),
    )


def _connector(visit: Visit) -> Connector:
    return connector_of(visit.console.connecting.connectors, visit.place("connector"))


def _health(visit: Visit, name: str) -> ConnectionHealth | None:
    found = connections.listing(visit.console.view, visit.console.accounts)
    return next((each for each in found if each.name == name), None)


def _settings(visit: Visit, name: str) -> dict[str, str]:
    """Give the settings in use that somebody has set, without the secrets."""
    account = visit.console.accounts.get(name)
    if account is None:
        return {}
    open_fields = {field.name for field in form.fields_of(account.connector) if not field.secret}
    values: dict[str, Any] = account.settings.model_dump(include=open_fields & account.settings.model_fields_set)
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _back(visit: Visit) -> str:
    return visit.local(visit.form.get("back") or "/connections")


DOORS = (
    Door(method="GET", path="/connections", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/connections/{name}", needs=Permission.VIEW, handler=one),
    Door(method="POST", path="/connections/{name}/test", needs=Permission.CONTROL_CONNECTION, handler=test),
    Door(method="POST", path="/connections/{name}/pause", needs=Permission.CONTROL_CONNECTION, handler=pause),
    Door(method="POST", path="/connections/{name}/resume", needs=Permission.CONTROL_CONNECTION, handler=resume),
    Door(method="GET", path="/connect", needs=Permission.STORE_SECRET, handler=choose),
    Door(method="GET", path="/connect/{connector}", needs=Permission.STORE_SECRET, handler=ask),
    Door(method="POST", path="/connect/{connector}", needs=Permission.STORE_SECRET, handler=connect),
)
