"""Holds: what stands still because somebody said so, and the switches for it on every page that shows such a thing."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData
from hub.model.hold import HoldKind
from hub.operate.holds import Held
from hub.queries import holds
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List what is held, with what waits for it, and what was held lately."""
    return visit.show("holds.html", {"held": holds.listing(visit.console.view)})


async def hold(visit: Visit) -> Response:
    """Let something stand still."""
    what = _meant(visit)
    await visit.console.hold_orders.hold(what, reason=visit.form.get("reason", ""), actor=visit.actor)
    return _back(visit, "paused" if what.kind is HoldKind.CONNECTION else "held")


async def resume(visit: Visit) -> Response:
    """Let it go on."""
    what = _meant(visit)
    await visit.console.hold_orders.resume(what, reason=visit.form.get("reason", ""), actor=visit.actor)
    return _back(visit, "resumed" if what.kind is HoldKind.CONNECTION else "let-go")


def _meant(visit: Visit) -> Held:
    """Give what a form means; on a run's page it may be the run, its key or its flow."""
    kind, _, flow = visit.form.get("kind", "").partition(":")
    try:
        meant = HoldKind(kind)
    except ValueError:
        raise FixData("Say what is to be held.", code="nothing-meant") from None
    if meant is HoldKind.CONNECTION and visit.principal is not None:
        visit.principal.require(Permission.CONTROL_CONNECTION)
    name = flow or visit.form.get("name", "")
    return Held(kind=meant, name=name, key=visit.form.get("key", "") if meant is HoldKind.KEY else "")


def _back(visit: Visit, said: str) -> Response:
    return visit.go(visit.local(visit.form.get("back") or "/holds"), said=said)


DOORS = (
    Door(method="GET", path="/holds", needs=Permission.VIEW, handler=listing),
    Door(method="POST", path="/holds", needs=Permission.HOLD, handler=hold),
    Door(method="POST", path="/holds/resume", needs=Permission.HOLD, handler=resume),
)
