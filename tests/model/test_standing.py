"""What of earlier runs a replay would leave standing."""

from __future__ import annotations

from typing import Any

import pytest

from hub.model.flow import Step
from hub.model.standing import Made, around, beside, elsewhere, gone, is_formed_alike, of_others
from tests.engine.house import bundle
from tests.engine.test_lanes import flow
from tests.engine.test_once import FILES


def made(*paths: str) -> list[Made]:
    return [Made(path=path, key=f"key of {path}", what="vendor write") for path in paths]


def paths(found: list[Made]) -> list[str]:
    return [each.path for each in found]


def steps() -> tuple[Step, ...]:
    return (
        bundle(
            flow("""
  - id: post
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
  - id: mapped
    map: vendor/thing
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      steps:
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
  - id: many
    call: { connection: vendor, operation: native.write, each: data.lines, item: id, with: vendor/thing }
"""),
            **FILES,
        )
        .flows["tested"]
        .steps
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("post", ["post"]),
        ("way.post", ["way", "way.post"]),
        ("lines[a.b].way.post", ["lines", "lines[a.b]", "lines[a.b].way", "lines[a.b].way.post"]),
    ],
)
def test_what_is_around_a_path(path: str, found: list[str]) -> None:
    assert around(path) == found


def test_a_step_meets_only_what_has_its_key() -> None:
    assert paths(elsewhere(made("post"), "post", "key of post")) == []
    assert paths(elsewhere(made("post"), "post", "another")) == ["post"]
    # What stands inside of it was made by a step that has become another one.
    assert paths(elsewhere(made("post", "post[1]"), "post", "key of post")) == ["post[1]"]


def test_another_arm_is_what_is_not_taken() -> None:
    all = made("way.a", "way.lines[1].x", "way.b", "way")
    assert paths(beside(all, "way", {"a", "lines"})) == ["way.b", "way"]
    assert paths(beside(all, "way", ())) == paths(all)


def test_items_are_known_by_name_and_where_they_are_a_write_by_key() -> None:
    all = made("lines[1].write", "lines[a.b].write", "lines")
    assert paths(of_others(all, "lines", {"1": None, "a.b": None})) == ["lines"]
    assert paths(of_others(all, "lines", {"1": None})) == ["lines[a.b].write", "lines"]
    many = made("many[1]", "many[2]")
    assert paths(of_others(many, "many", {"1": "key of many[1]", "2": "another"})) == ["many[2]"]


def test_what_no_step_writes_any_more_is_gone() -> None:
    all = made("post", "lines[7].write", "many[x]", "renamed", "mapped", "lines[7].other", "lines", "post.inner")
    assert paths(gone(all, steps())) == ["renamed", "mapped", "lines[7].other", "lines", "post.inner"]


RUN: dict[str, Any] = {"event_id": "e", "bundle": "b", "created_at": 10}


@pytest.mark.parametrize(
    ("maker", "at", "alike"),
    [
        (RUN, 10, True),
        # It has taken over what was formed before it began.
        (RUN, 9, False),
        ({**RUN, "event_id": "edited"}, 10, False),
        ({**RUN, "bundle": "newer"}, 10, False),
    ],
)
def test_what_the_same_event_and_files_have_formed_is_recognised(
    maker: dict[str, Any], at: int, *, alike: bool
) -> None:
    assert is_formed_alike(maker, {**RUN, "created_at": 20}, at) is alike
