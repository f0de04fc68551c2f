"""Charts as SVG made on the server; they stretch with their place, and the labels beside them are plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup, escape

from hub.queries.overview import Minute
from ui.words import count, duration, tone

_WIDTH, _HEIGHT = 600, 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing with the labels of its upright axis from top to bottom, and whether there is anything to see."""

    svg: Markup
    labels: tuple[str, ...]
    empty: bool


def bars(minutes: Sequence[Minute]) -> Chart:
    """Draw what was settled and what became an exception, minute by minute, with what came in as a line."""
    top = _ceiling(max((max(minute.accepted, minute.succeeded + minute.opened) for minute in minutes), default=0))
    pitch = _WIDTH / max(len(minutes), 1)
    marks = [_grid()]
    for number, minute in enumerate(minutes):
        x, base = number * pitch + pitch * 0.16, float(_HEIGHT)
        words = (
            f"{minute.at:%H:%M} UTC: {minute.accepted} accepted, {minute.succeeded} settled, "
            f"{count(minute.opened, 'exception')}"
        )
        pieces = [f'<rect class="hover" x="{number * pitch:.1f}" y="0" width="{pitch:.1f}" height="{_HEIGHT}"/>']
        for value, name in ((minute.succeeded, "good"), (minute.opened, "bad")):
            height = value / top * _HEIGHT
            if height:
                base -= height
                pieces.append(
                    f'<rect class="fill-{name}" x="{x:.1f}" y="{base:.1f}" width="{pitch * 0.68:.1f}" '
                    f'height="{height:.1f}" rx="2"/>'
                )
        marks.append(f"<g><title>{words}</title>{''.join(pieces)}</g>")
    # The last minute is not over yet, so the line ends before it.
    incoming = [
        ((number + 0.5) * pitch, _HEIGHT - minute.accepted / top * _HEIGHT)
        for number, minute in enumerate(minutes[:-1])
    ]
    marks.append(f'<path class="line line-accent" d="{_path(incoming)}"/>')
    total = sum(minute.succeeded for minute in minutes)
    name = f"Runs settled in each of the last {len(minutes)} minutes, {total} in all"
    return Chart(
        svg=_svg(marks, name),
        labels=(f"{top:g}", f"{top / 2:g}", "0"),
        empty=not any(minute.accepted or minute.succeeded or minute.opened for minute in minutes),
    )


def lines(minutes: Sequence[Minute]) -> Chart:
    """Draw the time from acceptance to success, median and 95th percentile, minute by minute."""
    known = [value for minute in minutes for value in (minute.p50, minute.p95) if value is not None]
    top = _ceiling(max(known, default=0.0))
    pitch = _WIDTH / max(len(minutes), 1)
    marks = [_grid()]
    for name, values in (("accent", [m.p95 for m in minutes]), ("good", [m.p50 for m in minutes])):
        points = [
            ((number + 0.5) * pitch, _HEIGHT - value / top * _HEIGHT)
            for number, value in enumerate(values)
            if value is not None
        ]
        if len(points) == 1:
            # A minute alone is shown as wide as it lasted, because a point would not be seen.
            ((x, y),) = points
            points = [(x - pitch / 2, y), (x + pitch / 2, y)]
        if points:
            marks.append(f'<path class="area area-{name}" d="{_area(points)}"/>')
            marks.append(f'<path class="line line-{name}" d="{_path(points)}"/>')
    for number, minute in enumerate(minutes):
        if minute.p95 is not None:
            words = f"{minute.at:%H:%M} UTC: half within {duration(minute.p50)}, 95 % within {duration(minute.p95)}"
            marks.append(
                f'<rect class="hover" x="{number * pitch:.1f}" y="0" width="{pitch:.1f}" height="{_HEIGHT}">'
                f"<title>{escape(words)}</title></rect>"
            )
    return Chart(
        svg=_svg(marks, "Time from acceptance to success, by minute"),
        labels=(duration(top), duration(top / 2), "0"),
        empty=not known,
    )


def spark(values: Sequence[float | None], name: str) -> Markup:
    """Draw a small line without axes; `name` is the tone that colours it."""
    known = [value or 0.0 for value in values]
    top = max(known, default=0.0) or 1.0
    step = 100 / max(len(known) - 1, 1)
    points = [(number * step, 28 - value / top * 24) for number, value in enumerate(known)]
    drawing = (
        f'<svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<path class="area area-{name}" d="{_area(points, base=30)}"/>'
        f'<path class="line line-{name}" d="{_path(points)}"/></svg>'
    )
    return Markup(drawing)  # noqa: S704 - numbers and names of our own


def shares(states: Mapping[str, int]) -> Markup:
    """Draw one bar that is divided as the states are, the settled ones first."""
    total = sum(states.values())
    order = ("succeeded", "running", "compensating", "queued", "waiting", "parked", "compensated", "cancelled")
    pieces, x = [], 0.0
    for state in order:
        number = states.get(state, 0)
        if number:
            # A few among thousands must still be seen.
            width = max(number / total * 100, 1.2)
            pieces.append(
                f'<rect class="fill-{tone(state)}" x="{x:.2f}%" y="0" width="{width:.2f}%" height="8">'
                f"<title>{number:,} {state}</title></rect>"
            )
            x += width
    words = ", ".join(f"{states[state]:,} {state}" for state in order if states.get(state)) or "no runs yet"
    drawing = f'<svg class="shares" role="img" aria-label="{words}" height="8">{"".join(pieces)}</svg>'
    return Markup(drawing)  # noqa: S704 - numbers and names of our own


def _svg(marks: Sequence[str], name: str) -> Markup:
    drawing = (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(name)}">{"".join(marks)}</svg>'
    )
    return Markup(drawing)  # noqa: S704 - numbers and escaped words of our own


def _grid() -> str:
    heights = (0.5, _HEIGHT / 2, _HEIGHT - 0.5)
    return "".join(f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{y:g}" y2="{y:g}"/>' for y in heights)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points))


def _area(points: Sequence[tuple[float, float]], base: int = _HEIGHT) -> str:
    return f"{_path(points)} L{points[-1][0]:.1f} {base} L{points[0][0]:.1f} {base} Z" if points else ""


def _ceiling(value: float) -> float:
    """Round up to 1, 2, 4, 5 or 10 times a power of ten, so that the labels are round."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(float(factor * power) for factor in (1, 2, 4, 5, 10) if value <= factor * power * (1 + 1e-9))
