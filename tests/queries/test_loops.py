"""Loops of thousands of items are counted, and shown few at a time: those that failed first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from hub.errors import NotFound
from hub.model.run import StepState
from hub.queries import timeline
from hub.queries.loops import SHOWN, LoopView, shown_of
from hub.queries.run_tree import Node, tree_of
from hub.queries.view import View
from tests.store.asked import listening
from tests.ui.looped import FAILED, WAITING, looped_run, name_of
from tests.ui.stage import Stage, stage

ITEMS = 5000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def set_up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Stage, str]]:
    async with stage(tmp_path_factory.mktemp("looped"), people=False) as made:
        yield made, await looped_run(made, items=ITEMS)


@pytest.fixture(scope="module")
def view(set_up: tuple[Stage, str]) -> View:
    return set_up[0].console.view


@pytest.fixture(scope="module")
def run(set_up: tuple[Stage, str]) -> str:
    return set_up[1]


def loop(loops: tuple[LoopView, ...], path: str) -> LoopView:
    return next(each for each in loops if each.path == path)


def every(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from every(node.inner)


def test_a_large_loop_is_counted_and_shows_what_needs_somebody(view: View, run: str) -> None:
    found = timeline.detail(view, run, payloads=True)
    lines = loop(found.loops, "lines")
    assert lines.total == ITEMS
    assert lines.counts == {
        StepState.FAILED: len(FAILED),
        StepState.WAITING: len(WAITING),
        StepState.SUCCEEDED: ITEMS - len(FAILED) - len(WAITING),
    }
    assert lines.shown == tuple(f"lines[{name_of(number)}]" for number in (*sorted(FAILED), *WAITING))
    assert lines.more == ITEMS - 4
    assert len(found.steps) < 100


def test_a_small_loop_is_shown_whole(view: View, run: str) -> None:
    few = loop(timeline.detail(view, run, payloads=True).loops, "few")
    assert few.shown == tuple(f"few[{number}]" for number in range(11))
    assert (few.total, few.more) == (11, 0)
    assert few.total <= SHOWN


def test_a_loop_within_an_item_is_counted_alone(view: View, run: str) -> None:
    found = timeline.detail(view, run, payloads=True)
    parts = f"lines[{name_of(7)}].parts"
    assert (loop(found.loops, parts).total, loop(found.loops, parts).shown) == (30, ())
    page = timeline.items(view, run, parts, payloads=True)
    assert [step.path for step in page.steps][:2] == [f"{parts}[0]", f"{parts}[1]"]
    assert (page.pages, page.loop.total, len(page.loop.shown)) == (2, 30, 25)


def test_what_was_taken_back_stands_apart(view: View, run: str) -> None:
    found = timeline.detail(view, run, payloads=True)
    tree = tree_of(found.steps, found.loops)
    assert [node.label for node in tree.undone] == [f"lines[{name_of(3)}].kept", "way.sent"]
    assert tree.undoing is not None
    assert tree.undoing.counts == {StepState.WAITING: 1, StepState.SUCCEEDED: 1}
    assert not any(node.path.startswith("undo:") for node in every(tree.steps))


def test_the_tree_has_every_step_within_what_it_stands_in(view: View, run: str) -> None:
    found = timeline.detail(view, run, payloads=True)
    tree = tree_of(found.steps, found.loops)
    nodes = {node.path: node for node in every(tree.steps)}
    assert [node.label for node in nodes["way"].inner] == ["sent"]
    item = nodes[f"lines[{name_of(7)}]"]
    assert (item.label, [node.label for node in item.inner]) == (name_of(7), ["looked", "kept", "parts"])
    assert {step.path for step in found.steps if not step.path.startswith("undo:")} <= nodes.keys()
    assert sum(1 for _ in every(tree.steps)) == len(nodes)


@pytest.mark.parametrize("state", [None, *StepState])
def test_pages_have_every_item_once(view: View, run: str, state: StepState | None) -> None:
    first = timeline.items(view, run, "lines", state=state, payloads=False)
    wanted = [1, first.pages] if state in {None, StepState.SUCCEEDED} else range(1, first.pages + 1)
    pages = {at: timeline.items(view, run, "lines", state=state, number=at, payloads=False) for at in wanted}
    listed = ITEMS if state is None else first.loop.counts.get(state, 0)
    assert first.pages == max(1, -(-listed // 25))
    for number, page in pages.items():
        assert len(page.loop.shown) == min(25, listed - (number - 1) * 25)
    shown = [path for page in pages.values() for path in page.loop.shown]
    assert len(set(shown)) == len(shown)


def test_all_pages_together_are_all_items(view: View, run: str) -> None:
    first = timeline.items(view, run, f"lines[{name_of(7)}].parts", payloads=False)
    second = timeline.items(view, run, f"lines[{name_of(7)}].parts", number=2, payloads=False)
    numbers = [path.rpartition("[")[2] for path in (*first.loop.shown, *second.loop.shown)]
    assert numbers == [f"{number}]" for number in range(30)]


@pytest.mark.parametrize("of", ["", "nothing", "way", "line", "lines[", "%", "lines[il_0000.a%b]"])
def test_what_is_no_loop_is_not_found(view: View, run: str, of: str) -> None:
    with pytest.raises(NotFound):
        timeline.items(view, run, of, payloads=False)


def test_a_run_with_thousands_of_items_asks_as_little_as_one_with_few(view: View, run: str) -> None:
    asked: list[str] = []
    with listening(lambda statement, _rows: asked.append(statement)):
        timeline.detail(view, run, payloads=True)
    assert len(asked) < 90


def test_the_item_where_an_exception_stands_is_shown_whatever_others_failed(view: View, run: str) -> None:
    named = f"lines[{name_of(4500)}].kept"
    with view.database.reading() as connection:
        found = shown_of(connection, run, [named])
        without = shown_of(connection, run)
    assert named in {row["path"] for row in found.rows}
    assert f"lines[{name_of(4500)}]" in {row["path"] for row in found.rows}
    assert len(found.rows) - len(without.rows) == 3
