"""Lucide icons, inlined: they follow the text's colour and size, and screen readers pass them over."""

from __future__ import annotations

from functools import cache
from html import escape

from lucide import lucide_icon
from markupsafe import Markup


@cache
def icon(name: str, title: str = "") -> Markup:
    """Give an icon as SVG; with a `title` it speaks for itself, without one it only decorates."""
    svg = " ".join(str(lucide_icon(name, cls="icon", width=18, height=18)).split()).replace("> <", "><")
    # The library's own way of adding attributes fails on a dict, so they are set in the text.
    if title:
        words = escape(title)
        svg = svg.replace("<svg ", f'<svg role="img" aria-label="{words}" ', 1).replace(
            ">", f"><title>{words}</title>", 1
        )
    else:
        svg = svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    return Markup(svg)  # noqa: S704 - drawn by the library, with an escaped title


#: The icon of each kind of step.
STEP_ICONS = {
    "event": "zap",
    "schedule": "calendar-clock",
    "called": "workflow",
    "map": "shuffle",
    "decide": "split",
    "lookup": "key-round",
    "match": "git-compare",
    "call": "plug",
    "link": "link",
    "approve": "badge-check",
    "wait": "hourglass",
    "foreach": "repeat",
    "branch": "git-fork",
    "parallel": "columns-2",
    "emit": "megaphone",
    "subflow": "workflow",
    "item": "box",
    "undo": "undo-2",
}
