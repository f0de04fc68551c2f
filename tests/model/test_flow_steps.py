"""Paths of steps within steps: what they name, from where they are read, and how they are taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.flow import Arm, Branch, Call, Foreach, Parallel, Step, Wait
from hub.model.flow_steps import every_step, name_from, parts_of, place_of, placed_steps, step_at
from hub.workspace.source.terms import Literal

LIST = Literal(value=[], text="[]")


def waiting(id: str) -> Step:
    return Step(id=id, action=Wait())


STEPS = (
    waiting("first"),
    Step(
        id="way",
        action=Branch(
            arms=(
                Arm(
                    name="one",
                    steps=(waiting("post"), Step(id="lines", action=Foreach(each=LIST, steps=(waiting("x"),)))),
                ),
                Arm(name="two", steps=(waiting("other"),)),
            )
        ),
    ),
    Step(id="both", action=Parallel(steps=(waiting("a"), waiting("b")))),
    Step(id="posts", action=Call(connection=LIST, operation="invoice.upsert", each=LIST)),
)
PLACES = ["first", "way", "way.post", "way.lines", "way.lines[].x", "way.other", "both", "both.a", "both.b", "posts"]


def test_every_step_has_its_place_in_the_order_of_the_file() -> None:
    assert [place for place, _ in placed_steps(STEPS)] == PLACES
    assert [step.id for step in every_step(STEPS)] == [place.rpartition(".")[2] for place in PLACES]


@pytest.mark.parametrize("place", PLACES)
def test_a_place_names_its_step(place: str) -> None:
    assert step_at(STEPS, place) is dict(placed_steps(STEPS))[place]


@pytest.mark.parametrize(
    ("path", "place", "id"),
    [
        ("way.lines[0].x", "way.lines[].x", "x"),
        ("way.lines[il_1.2].x", "way.lines[].x", "x"),
        ("way.lines[il_1.2]", "way.lines[]", "lines"),
        ("posts[CON-0003]", "posts[]", "posts"),
        ("way.lines[a].y", "way.lines[].y", None),
        ("first[a]", "first[]", None),
        ("nothing", "nothing", None),
    ],
)
def test_a_path_of_an_item_has_the_place_of_its_loop(path: str, place: str, id: str | None) -> None:
    assert place_of(path) == place
    found = step_at(STEPS, path)
    assert (found.id if found is not None else None) == id


@pytest.mark.parametrize(
    ("place", "reader", "name"),
    [
        ("first", "way.lines[].x", "first"),
        ("way.post", "way.other", "post"),
        ("way.post", "both.a", "way.post"),
        ("way.post", "way.lines[].x", "post"),
        ("way.lines[].x", "way.lines[].y", "x"),
        ("way.lines[].x", "posts", None),
        ("way.lines", "posts", "way.lines"),
        ("both.a", "both.b", "a"),
        ("a.b.c", "a.d.e", "b.c"),
    ],
)
def test_a_step_is_read_through_those_around_it_that_the_reader_is_not_in(
    place: str, reader: str, name: str | None
) -> None:
    assert name_from(place, reader) == name


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True),
            st.none() | st.text(st.characters(exclude_characters="[]"), min_size=1, max_size=9),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_items_are_called_a_path_comes_apart_as_it_was_put_together(
    parts: list[tuple[str, str | None]],
) -> None:
    written = [id if item is None else f"{id}[{item}]" for id, item in parts]
    assert parts_of(".".join(written)) == written
    assert place_of(".".join(written)) == ".".join(id if item is None else f"{id}[]" for id, item in parts)
