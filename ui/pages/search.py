"""Search by any id or business key, and the theme."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries.search import search
from ui import cookies
from ui.doors import Door, Open
from ui.visits import Visit


def find(visit: Visit) -> Response:
    """Show what a text finds; without a text, the field to write it into."""
    text = visit.query("q") or ""
    hits = search(visit.console.view, text[:200], visit.console.bundle())
    if visit.wants_part:
        return visit.part("hits.html", hits=hits, text=text)
    return visit.page("search.html", hits=hits, text=text)


def choose_theme(visit: Visit) -> Response:
    """Keep the theme that was chosen and go back to where it was chosen."""
    chosen = visit.form.get("theme", "auto")
    response = visit.go(visit.local(visit.form.get("back")))
    cookies.set_theme(response, chosen if chosen in cookies.THEMES else "auto", https=visit.console.https)
    return response


DOORS = (
    Door(method="GET", path="/search", needs=Permission.VIEW, handler=find),
    Door(method="POST", path="/theme", needs=Open.PUBLIC, handler=choose_theme),
)
