"""Lineage: where the fields of a flow's records come from and go to, drawn and in words."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import NotFound
from hub.queries.flow_lineage import flow_lineage
from hub.workspace.lineage.edges import Field
from ui.doors import Door
from ui.lineage_drawing import draw_lineage
from ui.visits import Visit


def detail(visit: Visit) -> Response:
    """Show one record of a flow, or one field of it."""
    console, name = visit.console, visit.place("name")
    bundle = console.bundle()
    flow = bundle.flows.get(name)
    if flow is None:
        raise NotFound("The workspace has no such flow.", flow=name)

    def link(field: Field) -> str:
        return f"/flows/{name}/lineage?{urlencode({'of': str(field)})}"

    asked = visit.query("of")
    found = flow_lineage(console.traced.of(bundle), flow, asked)
    drawing = draw_lineage(found.picture, link)
    return visit.page("lineage.html", flow=flow, found=found, asked=asked, link=link, drawing=drawing)


DOORS = (Door(method="GET", path="/flows/{name}/lineage", needs=Permission.VIEW, handler=detail),)
