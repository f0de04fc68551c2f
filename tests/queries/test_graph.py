"""Flows laid out as graphs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some

from hub.model.flow import Flow, Map, Step
from hub.queries.graph import NODE_HEIGHT, NODE_WIDTH, TRIGGER, dependencies, layout
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


@settings(max_examples=60)
@given(some.lists(some.sets(some.integers(0, 11), max_size=4), min_size=1, max_size=12))
def test_nodes_never_overlap_and_lines_go_to_the_right(wishes: list[set[int]]) -> None:
    texts = [f"[{', '.join(f's{number}' for number in wish)}]" for wish in wishes]

    graph = layout(flow(*texts))

    places = [(node.x, node.y) for node in graph.nodes]
    for number, (x, y) in enumerate(places):
        assert 0 <= x <= graph.width - NODE_WIDTH and 0 <= y <= graph.height - NODE_HEIGHT
        for other_x, other_y in places[number + 1 :]:
            assert abs(x - other_x) >= NODE_WIDTH or abs(y - other_y) >= NODE_HEIGHT
    for edge in graph.edges:
        assert [x for x, _ in edge.points] == sorted(x for x, _ in edge.points)


def test_the_shipped_flows_can_be_drawn() -> None:
    for shipped in shipped_bundle().flows.values():
        graph = layout(shipped)
        assert [node.number for node in graph.nodes] == list(range(len(shipped.steps) + 1))
