"""Flows laid out as graphs."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as some

from hub.model.flow import Action, Approve, Arm, Branch, Flow, Foreach, Map, Parallel, Step, Wait
from hub.model.flow_steps import placed_steps
from hub.queries.graph import NODE_HEIGHT, NODE_WIDTH, TRIGGER, Graph, dependencies, layout
from tests.ui.stage import shipped_bundle


class Named:
    """A term that is only its text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, scope: object) -> object:
        return scope


def flow(*uses: str) -> Flow:
    steps = tuple(Step(id=f"s{number}", action=Map(mapping="m", of=Named(text))) for number, text in enumerate(uses))
    return Flow(
        name="f",
        title="F",
        owner="team:x",
        event="stripe.x",
        key=Named("data.id"),
        business_key=Named("data.id"),
        steps=steps,
    )


def test_a_step_uses_what_its_expressions_name() -> None:
    found = dependencies(flow("data.object", "s0.total", "join(':', ['s0', s1.id])", "x.s1"))

    assert found == {TRIGGER: set(), "s0": {TRIGGER}, "s1": {"s0"}, "s2": {"s1"}, "s3": {TRIGGER}}


def test_what_is_implied_is_not_drawn() -> None:
    edges = {(edge.start, edge.end) for edge in layout(flow("data", "s0", "[s0, s1]")).edges}

    assert edges == {(TRIGGER, "s0"), ("s0", "s1"), ("s1", "s2")}


@settings(max_examples=20)
@given(some.lists(some.sets(some.integers(0, 11), max_size=4), min_size=1, max_size=12))
def test_nodes_never_overlap_and_lines_go_to_the_right(wishes: list[set[int]]) -> None:
    texts = [f"[{', '.join(f's{number}' for number in wish)}]" for wish in wishes]

    graph = layout(flow(*texts))

    assert {(node.width, node.height) for node in graph.nodes} == {(NODE_WIDTH, NODE_HEIGHT)}
    _keeps_apart(graph)


def _keeps_apart(graph: Graph) -> None:
    """Nothing overlaps but what is within a frame, that is within it, and lines go to the right."""
    boxes = [*graph.nodes, *graph.frames]
    for number, box in enumerate(boxes):
        assert box.x >= 0 and box.x + box.width <= graph.width
        assert box.y >= 0 and box.y + box.height <= graph.height
        for other in boxes[number + 1 :]:
            inner, outer = (box, other) if len(box.id) > len(other.id) else (other, box)
            if re.match(rf"{re.escape(outer.id)}(\[\])?\.", inner.id):
                assert outer.x < inner.x and inner.x + inner.width < outer.x + outer.width
                assert outer.y + 20 < inner.y and inner.y + inner.height < outer.y + outer.height
            else:
                apart = inner.x + inner.width <= outer.x or outer.x + outer.width <= inner.x
                assert apart or inner.y + inner.height <= outer.y or outer.y + outer.height <= inner.y
    spots = {box.id: box for box in boxes}
    for edge in graph.edges:
        assert [x for x, _ in edge.points] == sorted(x for x, _ in edge.points)
        start, end = spots[edge.start], spots[edge.end]
        assert edge.points[0] == (start.x + start.width, start.y + start.height // 2)
        assert edge.points[-1] == (end.x, end.y + end.height // 2)
    for lane in graph.lanes:
        assert any(
            frame.x < lane.x and lane.x + lane.width <= frame.x + frame.width and frame.y < lane.y
            for frame in graph.frames
        )


def _uses(draw: some.DrawFn, ids: list[str]) -> Named:
    return Named(f"[{', '.join(draw(some.lists(some.sampled_from([*ids, 'data']), max_size=3)))}]")


@some.composite
def _steps(draw: some.DrawFn, depth: int, around: str) -> tuple[Step, ...]:
    """Give steps of all kinds that have steps within them, and simple ones."""
    made: list[Step] = []
    for number in range(draw(some.integers(1, 4))):
        id = f"{around}{number}"
        kind = draw(some.sampled_from(["map", "wait", "foreach", "branch", "parallel"] if depth else ["map", "wait"]))
        before = [step.id for step in made]
        action: Action = Map(mapping="m", of=_uses(draw, before))
        if kind == "wait":
            action = Wait(until=_uses(draw, before))
        elif kind == "foreach":
            action = Foreach(each=_uses(draw, before), steps=draw(_steps(depth - 1, id)))
        elif kind == "branch":
            arms = [draw(_steps(depth - 1, f"{id}{arm}")) for arm in "ab"]
            whens = (_uses(draw, before), None)
            action = Branch(arms=tuple(Arm(name=n, steps=a, when=w) for n, a, w in zip("ab", arms, whens, strict=True)))
        elif kind == "parallel":
            inner = draw(_steps(depth - 1, id))
            action = Parallel(
                steps=tuple(
                    replace(
                        step, needs=tuple(draw(some.sets(some.sampled_from([e.id for e in inner[:at]])))) if at else ()
                    )
                    for at, step in enumerate(inner)
                )
            )
        made.append(Step(id=id, action=action))
    return tuple(made)


@settings(max_examples=20, deadline=None)
@given(_steps(2, "s"))
def test_steps_within_steps_stand_in_the_frame_of_theirs_and_nothing_else_does(steps: tuple[Step, ...]) -> None:
    graph = layout(replace(flow(), steps=steps))

    _keeps_apart(graph)
    places = {place for place, _ in placed_steps(steps)}
    assert {node.id for node in (*graph.nodes, *graph.frames)} == places | {TRIGGER}
    assert len({node.number for node in (*graph.nodes, *graph.frames)}) == len(places) + 1


def test_an_approval_or_a_wait_stands_between_what_is_before_and_what_is_after_it() -> None:
    steps = (*flow("data.a", "data.b").steps, Step(id="ok", action=Approve(policy="large")), *flow("data.c").steps[:1])
    after = replace(steps[3], id="after")
    found = dependencies(replace(flow(), steps=(*steps[:3], after)))

    assert found["ok"] == {"s0", "s1", TRIGGER} - {TRIGGER}
    assert found["after"] == {"ok", TRIGGER}


def test_steps_at_the_same_time_are_drawn_by_what_they_need() -> None:
    one, two, three = flow("data", "data", "data").steps
    both = Step(id="both", action=Parallel(steps=(replace(one, needs=("s2",)), two, three)))
    graph = layout(replace(flow(), steps=(both,)))

    assert {(edge.start, edge.end) for edge in graph.edges} == {(TRIGGER, "both"), ("both.s2", "both.s0")}


def test_the_shipped_flows_can_be_drawn() -> None:
    for shipped in shipped_bundle().flows.values():
        graph = layout(shipped)
        own = [node.number for node in (*graph.nodes, *graph.frames) if "." not in node.number]
        assert sorted(own, key=lambda number: int(number or 0)) == ["", *map(str, range(1, len(shipped.steps) + 1))]
        _keeps_apart(graph)
