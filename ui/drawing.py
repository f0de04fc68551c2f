"""Pictures of flows and runs as SVG made on the server: the graph of a flow, the bars of a run's steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from hub.queries.flows import StepPlan
from hub.queries.graph import NODE_HEIGHT, NODE_WIDTH, Edge, Graph, Node
from hub.queries.timeline import RunDetail, StepView
from ui.icons import STEP_ICONS, icon
from ui.words import attempt_tone, count, duration, tone

_TITLE_LENGTH, _SUBTITLE_LENGTH = 12, 15
#: A wider graph shrinks with its place, down to this; a smaller one is never blown up.
_SHRINKS = 960

#: Gives where a moment stands on the axis, in percent.
Place = Callable[[datetime], float]


def draw_graph(graph: Graph, plans: Sequence[StepPlan], link: str = "") -> Markup:
    """Draw a flow; each step leads to `link` and its anchor, and shows the open exceptions that stopped in it."""
    stuck = {plan.id: plan.open_cases for plan in plans}
    hints = {plan.id: plan.sentence for plan in plans}
    parts = [_edge(edge) for edge in graph.edges]
    parts += [_node(node, stuck.get(node.id, 0), hints.get(node.id, node.subtitle), link) for node in graph.nodes]
    words = f"Graph of the flow: {count(len(graph.nodes) - 1, 'step')}; the steps are listed in words below"
    wide = " graph-wide" if graph.width > _SHRINKS else ""
    drawing = (
        f'<svg class="graph{wide}" width="{graph.width}" height="{graph.height}" '
        f'viewBox="0 0 {graph.width} {graph.height}" role="group" aria-label="{words}">'
        '<defs><pattern id="dots" width="16" height="16" patternUnits="userSpaceOnUse">'
        '<circle class="dot" cx="1.5" cy="1.5" r="1"/></pattern></defs>'
        f'<rect width="{graph.width}" height="{graph.height}" fill="url(#dots)"/>{"".join(parts)}</svg>'
    )
    return Markup(drawing)  # noqa: S704 - every name in it was escaped


def _edge(edge: Edge) -> str:
    path = [f"M{edge.points[0][0]} {edge.points[0][1]}"]
    for number, ((x0, y0), (x1, y1)) in enumerate(zip(edge.points, edge.points[1:], strict=False)):
        if number % 2:
            path.append(f"L{x1} {y1}")
        else:
            bend = (x1 - x0) // 2
            path.append(f"C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}")
    end_x, end_y = edge.points[-1]
    return (
        f'<path class="edge" d="{" ".join(path)}"/>'
        f'<path class="tip" d="M{end_x - 7} {end_y - 4} L{end_x} {end_y} L{end_x - 7} {end_y + 4} Z"/>'
    )


def _node(node: Node, stuck: int, hint: str, link: str) -> str:
    title, subtitle = escape(_cut(node.title, _TITLE_LENGTH)), escape(_cut(node.subtitle, _SUBTITLE_LENGTH))
    label = f"{node.number}. {node.title}: {hint}" if node.number else f"Starts with {node.subtitle}"
    if stuck:
        label += f" {count(stuck, 'open exception')}."
    shape = f"node node-{node.kind}{' node-bad' if stuck else ''}"
    drawn = [
        f'<g transform="translate({node.x} {node.y})"><title>{escape(label)}</title>',
        f'<rect class="{shape}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="10"/>',
        f'<g class="node-icon icon-{node.kind}" transform="translate(10 17)">{icon(STEP_ICONS[node.kind])}</g>',
        f'<text class="node-title" x="35" y="23">{title}</text>',
        f'<text class="node-subtitle" x="35" y="39">{subtitle}</text>',
    ]
    if node.number:
        drawn.append(f'<text class="node-number" x="{NODE_WIDTH - 8}" y="16" text-anchor="end">{node.number}</text>')
    if stuck:
        drawn.append(
            f'<g transform="translate({NODE_WIDTH - 14} {NODE_HEIGHT})"><rect class="node-badge" x="-13" y="-9" '
            f'width="26" height="18" rx="9"/><text class="node-count" y="4" text-anchor="middle">{stuck}</text></g>'
        )
    drawn.append("</g>")
    whole = "".join(drawn)
    if not node.number:
        return whole
    return f'<a href="{escape(link)}#step-{escape(node.id)}" aria-label="{escape(label)}">{whole}</a>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The bars of a run: one drawing a step (by path), and the labels of the axis above them."""

    bars: dict[str, Markup]
    labels: tuple[str, ...]


def draw_spans(detail: RunDetail, now: datetime) -> Spans:
    """Draw each step's time as one bar, whatever number of attempts it took; the attempts are marked in it."""
    own = [step for step in detail.steps if not step.reused]
    if not own:
        return Spans(bars={}, labels=())
    begin = min(step.started_at for step in own)
    end = max([_end(step, now) for step in own] + [attempt.finished_at for step in own for attempt in step.attempts])
    whole = max((end - begin).total_seconds(), 0.000_001)

    def place(moment: datetime) -> float:
        # Round ends need a little room at both sides.
        return 1 + min(max((moment - begin).total_seconds() / whole, 0.0), 1.0) * 98

    bars = {step.path: _bar(step, place, now) for step in own}
    return Spans(bars=bars, labels=("0", duration(whole / 2), duration(whole)))


def _bar(step: StepView, place: Place, now: datetime) -> Markup:
    first = min([step.started_at, *(attempt.started_at for attempt in step.attempts)])
    name = tone(step.state)
    tries = len(step.attempts)
    words = f"{step.path}: {duration((_end(step, now) - first).total_seconds())}"
    if tries > 1:
        words += f" in {count(tries, 'attempt')}"
    last = max([_end(step, now), *(attempt.finished_at for attempt in step.attempts)])
    parts = [_line(f"span-bar span-{name}{' span-tried' if tries > 1 else ''}", place(first), place(last))]
    if tries > 1:
        parts += [
            _line(
                f"span-attempt span-{attempt_tone(attempt.outcome)}",
                place(attempt.started_at),
                place(attempt.finished_at),
            )
            for attempt in step.attempts
        ]
    drawing = f'<svg class="span" role="img" aria-label="{escape(words)}">{"".join(parts)}</svg>'
    return Markup(drawing)  # noqa: S704 - numbers and escaped words


def _line(name: str, start: float, end: float) -> str:
    return f'<line class="{name}" x1="{start:.2f}%" x2="{max(end, start + 0.01):.2f}%" y1="9" y2="9"/>'


def _end(step: StepView, now: datetime) -> datetime:
    return step.finished_at if step.finished_at is not None else now
