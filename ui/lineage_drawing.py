"""The picture of lineage as SVG made on the server, for a page of the console or as a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from markupsafe import Markup, escape

from hub.queries.lineage_picture import BOX_WIDTH, Box, Line, Picture, Row
from hub.queries.stacks import HEADER, ROW
from hub.workspace.lineage.edges import Field

_NAME_LENGTH = 33
#: The look of a picture that stands alone; in the console the stylesheet has it, in its own colours.
_STYLE = """
svg { background: #f8f9fc; --card: #fff; --line: #cdd2e1; --text: #12162a; --soft: #565e78; --accent: #5a4ff0;
  --wash: #eeedff; --edge: #8a93b0; --use: #8f5200; }
@media (prefers-color-scheme: dark) { svg { background: #12151f; --card: #181c29; --line: #353c52; --text: #eceef8;
  --soft: #a0a8c0; --accent: #968fff; --wash: #29275a; --edge: #6b7594; --use: #f6b74a; } }
text { font-family: "Inter", "Segoe UI", system-ui, "Helvetica Neue", "Liberation Sans", sans-serif; }
.record { fill: var(--card); stroke: var(--line); stroke-width: 1.2; }
.record-name { font-size: 13px; font-weight: 650; fill: var(--text); }
.record-version { font-size: 11px; fill: var(--soft); }
.field { font-size: 12px; fill: var(--text); }
.field-mark { fill: var(--wash); }
.field-use { font-size: 10px; font-weight: 600; fill: var(--use); }
.flow-line { fill: none; stroke: var(--edge); stroke-width: 1.4; }
.flow-line-decides { stroke-dasharray: 4 4; }
.flow-line:hover { stroke: var(--accent); stroke-width: 2.4; }
"""

#: Gives where a field leads to in the console; None: nowhere.
Link = Callable[[Field], str]


def draw_alone(picture: Picture, title: str) -> str:
    """Draw a picture as an SVG document, light or dark as its reader likes."""
    body = _body(picture, None)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width}" height="{picture.height}" '
        f'viewBox="0 0 {picture.width} {picture.height}" role="img"><title>Lineage of {escape(title)}</title>'
        f"<style>{_STYLE}</style>{body}</svg>\n"
    )


def draw_lineage(picture: Picture, link: Link) -> Markup:
    """Draw a picture for the console; each field leads to its own lineage."""
    drawing = (
        f'<svg class="lineage" width="{picture.width}" height="{picture.height}" '
        f'viewBox="0 0 {picture.width} {picture.height}" role="group" '
        f'aria-label="Picture of the lineage; the same is listed in words below">{_body(picture, link)}</svg>'
    )
    return Markup(drawing)  # noqa: S704 - every name in it was escaped


def _body(picture: Picture, link: Link | None) -> str:
    return "".join([*map(_line, picture.lines), *(_box(box, link) for box in picture.boxes)])


def _line(line: Line) -> str:
    words = escape("\n".join([f"{line.source} \N{RIGHTWARDS ARROW} {line.target}", *line.sentences]))
    kind = "flow-line" if line.direct else "flow-line flow-line-decides"
    path = [f"M{line.points[0][0]} {line.points[0][1]}"]
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(line.points)):
        if number % 2:
            path.append(f"L{x1} {y1}")
        else:
            # A line back, or within a column, bends out further than one to the next column.
            bend = max((x1 - x0) // 2, 60)
            path.append(f"C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}")
    return f'<path class="{kind}" d="{" ".join(path)}"><title>{words}</title></path>'


def _box(box: Box, link: Link | None) -> str:
    name, _, version = box.record.partition("@")
    parts = [
        f'<rect class="record" x="{box.x}" y="{box.y}" width="{BOX_WIDTH}" height="{box.height}" rx="10"/>',
        f'<text class="record-name" x="{box.x + 12}" y="{box.y + 22}">{escape(_cut(name, 30))}',
        f'<tspan class="record-version" dx="6">{escape(version)}</tspan></text>',
        f'<path class="record" d="M{box.x} {box.y + HEADER - 3} H{box.x + BOX_WIDTH}"/>',
        *(_row(box, row, link) for row in box.rows),
    ]
    return "".join(parts)


def _row(box: Box, row: Row, link: Link | None) -> str:
    purposes = list(dict.fromkeys(use.purpose.value for use in row.uses))
    words = [str(row.field), row.meaning, *dict.fromkeys(f"{use.purpose}: {use.text}" for use in row.uses)]
    told = escape("\n".join(word for word in words if word))
    mark = (
        f'<rect class="field-mark" x="{box.x + 4}" y="{row.y - ROW // 2 + 1}" width="{BOX_WIDTH - 8}" '
        f'height="{ROW - 2}" rx="5"/>'
        if row.wanted
        else ""
    )
    used = purposes[0] if purposes else ""
    length = _NAME_LENGTH - len(used) if used else _NAME_LENGTH + 2
    name = _cut_within(row.field.path or "the whole record", length)
    drawn = f'{mark}<text class="field" x="{box.x + 12}" y="{row.y + 4}">{escape(name)}</text>'
    if used:
        more = "+" if len(purposes) > 1 else ""
        drawn += (
            f'<text class="field-use" x="{box.x + BOX_WIDTH - 10}" y="{row.y + 4}" text-anchor="end">'
            f"{escape(used)}{more}</text>"
        )
    drawn = f"<g><title>{told}</title>{drawn}</g>"
    if link is None:
        return drawn
    return f'<a href="{escape(link(row.field))}" aria-label="{escape(row.field)}">{drawn}</a>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _cut_within(path: str, length: int) -> str:
    """Shorten a path in its middle: where it begins and its last name tell most."""
    if len(path) <= length:
        return path
    end = length // 2 + 2
    return f"{path[: length - end - 1]}\N{HORIZONTAL ELLIPSIS}{path[-end:]}"
