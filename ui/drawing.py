"""Pictures of flows and runs as SVG made on the server: the graph of a flow, the bars of a run's steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from hub.queries.flows import StepPlan, anchor_of, every_plan
from hub.queries.graph import Edge, Graph, Lane, Node
from hub.queries.step_views import StepView
from ui.icons import STEP_ICONS, icon
from ui.words import attempt_tone, count, duration, tone

_TITLE_LENGTH, _SUBTITLE_LENGTH = 12, 15
#: A wider graph shrinks with its place, down to this; a smaller one is never blown up.
_SHRINKS = 960

#: How the node that starts a flow is told, before its subtitle.
_STARTS = {
    "event": "Starts with",
    "schedule": "Starts by itself:",
    "called": "Started by other flows with",
}
#: Gives where a moment stands on the axis, in percent.
Place = Callable[[datetime], float]


def draw_graph(graph: Graph, plans: Sequence[StepPlan], link: str = "") -> Markup:
    """Draw a flow; each step leads to `link` and its anchor, and shows the open exceptions that stopped in it."""
    known = {plan.place: plan for plan in every_plan(plans)}
    parts = [_frame(frame, known.get(frame.id), link) for frame in graph.frames]
    parts += [_lane(lane) for lane in graph.lanes]
    parts += [_edge(edge) for edge in graph.edges]
    parts += [_node(node, known.get(node.id), link) for node in graph.nodes]
    steps = len(graph.nodes) + len(graph.frames) - 1
    words = f"Graph of the flow: {count(steps, 'step')}; the steps are listed in words below"
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


def _frame(frame: Node, plan: StepPlan | None, link: str) -> str:
    """Draw the frame around the steps within a step, with a line that says what they are."""
    label = _label(frame, plan)
    title, subtitle = escape(frame.title), escape(_cut(frame.subtitle, max(8, (frame.width - 150) // 7)))
    drawn = (
        f'<g transform="translate({frame.x} {frame.y})"><title>{escape(label)}</title>'
        f'<rect class="node node-frame" width="{frame.width}" height="{frame.height}" rx="14"/>'
        f'<g class="node-icon icon-{frame.kind}" transform="translate(12 9)">{icon(STEP_ICONS[frame.kind])}</g>'
        f'<text class="node-title" x="36" y="22">{title} <tspan class="node-subtitle" dx="4">{subtitle}</tspan></text>'
        f'<text class="node-number" x="{frame.width - 10}" y="20" text-anchor="end">{frame.number}</text></g>'
    )
    return _linked(drawn, frame, label, link)


def _lane(lane: Lane) -> str:
    """Draw the line that begins the way of an arm."""
    words = _cut(f"{lane.name} \N{MIDDLE DOT} {lane.words}", max(12, lane.width // 6))
    return (
        f'<g transform="translate({lane.x} {lane.y})"><title>{escape(f"{lane.name}: {lane.words}")}</title>'
        f'<line class="arm-line" x1="0" x2="{lane.width}" y1="2" y2="2"/>'
        f'<text class="node-subtitle" y="17">{escape(words)}</text></g>'
    )


def _node(node: Node, plan: StepPlan | None, link: str) -> str:
    title, subtitle = escape(_cut(node.title, _TITLE_LENGTH)), escape(_cut(node.subtitle, _SUBTITLE_LENGTH))
    stuck = plan.open_cases if plan is not None else 0
    label = _label(node, plan)
    shape = f"node node-{node.kind}{' node-bad' if stuck else ''}"
    drawn = [
        f'<g transform="translate({node.x} {node.y})"><title>{escape(label)}</title>',
        f'<rect class="{shape}" width="{node.width}" height="{node.height}" rx="10"/>',
    ]
    if node.kind == "subflow":
        # What is behind it is a flow of its own.
        drawn.append(
            f'<rect class="node-inset" x="3" y="3" width="{node.width - 6}" height="{node.height - 6}" rx="7"/>'
        )
    drawn += [
        f'<g class="node-icon icon-{node.kind}" transform="translate(10 17)">{icon(STEP_ICONS[node.kind])}</g>',
        f'<text class="node-title" x="35" y="23">{title}</text>',
        f'<text class="node-subtitle" x="35" y="39">{subtitle}</text>',
    ]
    if node.number:
        drawn.append(f'<text class="node-number" x="{node.width - 8}" y="16" text-anchor="end">{node.number}</text>')
    if node.undone:
        drawn.append(
            f'<g class="node-mark" transform="translate(21 {node.height})"><circle r="9"/>'
            f'<g transform="translate(-6 -6) scale(0.66)">{icon("undo-2")}</g></g>'
        )
    if stuck:
        drawn.append(
            f'<g transform="translate({node.width - 14} {node.height})"><rect class="node-badge" x="-13" y="-9" '
            f'width="26" height="18" rx="9"/><text class="node-count" y="4" text-anchor="middle">{stuck}</text></g>'
        )
    drawn.append("</g>")
    return _linked("".join(drawn), node, label, link)


def _label(node: Node, plan: StepPlan | None) -> str:
    """Give in words what a node is."""
    if plan is None:
        return (
            f"Starts with the {node.title} {node.subtitle}"
            if node.kind == "event"
            else f"{node.title}: {node.subtitle}"
        )
    words = [f"{node.number}. {node.title}: {plan.sentence}"]
    if node.undone:
        words.append("It can be taken back.")
    if plan.open_cases:
        words.append(f"{count(plan.open_cases, 'open exception')}.")
    return " ".join(words)


def _linked(drawn: str, node: Node, label: str, link: str) -> str:
    if not node.number:
        return drawn
    return f'<a href="{escape(link)}#{escape(anchor_of(node.id))}" aria-label="{escape(label)}">{drawn}</a>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The bars of a run: one drawing a step (by path), and the labels of the axis above them."""

    bars: dict[str, Markup]
    labels: tuple[str, ...]


def draw_spans(steps: Sequence[StepView], now: datetime) -> Spans:
    """Draw each step's time as one bar, whatever number of attempts it took; the attempts are marked in it."""
    own = [step for step in steps if not step.reused]
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
