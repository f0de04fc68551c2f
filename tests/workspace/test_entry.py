"""A connection is written into an environment's file, and nothing else of the file changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Refused
from hub.workspace.entry import with_connection
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import plain, read_yaml

EXAMPLE = (Path(__file__).parents[2] / "environments/example.yaml").read_text()


def meant(text: str) -> Any:
    node = read_yaml(text.encode(), Lints(path="x"))
    assert node is not None
    return plain(node)


def test_a_new_one_comes_behind_the_others_and_comments_stay() -> None:
    made = with_connection(EXAMPLE, "books", {"base_url": "https://books.example", "account": "77"}, "vault:books")
    lines = '\n\n  books:\n    base_url: https://books.example\n    account: "77"\n    secret: vault:books\n'
    before, after = made.split(lines)
    assert before + "\n" + after == EXAMPLE
    assert before.endswith("# it has no account: its rates are files")
    assert after.startswith("\n# Hosts outside")


def test_what_changes_changes_where_it_stands() -> None:
    made = with_connection(
        EXAMPLE, "netsuite", {"account": "7654321_SB2", "client_id": "a-new-one", "timeout": 5}, "vault:netsuite"
    )
    changed = [(old, new) for old, new in zip(EXAMPLE.splitlines(), made.splitlines(), strict=False) if old != new]
    assert changed[0] == (
        '    account: "1234567_SB1"                # as NetSuite shows it; quoted, so that it stays text',
        '    account: "7654321_SB2"                # as NetSuite shows it; quoted, so that it stays text',
    )
    assert changed[1][1] == "    client_id: a-new-one"
    assert "    timeout: 5\n" in made
    assert len(made.splitlines()) == len(EXAMPLE.splitlines()) + 1


def test_nothing_changes_where_nothing_is_new() -> None:
    assert with_connection(EXAMPLE, "stripe", {"base_url": "https://api.stripe.com"}, "vault:stripe") == EXAMPLE


def test_the_first_of_a_file() -> None:
    made = with_connection(
        "environment: x\nconnections: {}  # none yet\ncolour: red\n", "a", {"base_url": "https://a"}, None
    )
    assert made == "environment: x\nconnections:  # none yet\n  a:\n    base_url: https://a\ncolour: red\n"


@pytest.mark.parametrize(
    "text",
    [
        "environment: x\nconnections: { a: { base_url: https://a } }\n",
        "environment: x\nconnections:\n  b: { base_url: https://b }\n",
        "environment: x\n",
        "environment: x\nconnections:\n  b:\n    base_url: >-\n      https://b\n",
    ],
)
def test_what_cannot_be_changed_safely_is_told_with_its_lines(text: str) -> None:
    with pytest.raises(Refused, match="secret: vault:b") as caught:
        with_connection(text, "b", {"base_url": "https://c"}, "vault:b")
    assert caught.value.code == "write-by-hand"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name != "secret"),
        st.one_of(
            st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=20),
            st.booleans(),
            st.integers(0, 10**9),
            st.lists(st.from_regex(r"[a-z0-9 .*:-]{1,8}", fullmatch=True), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["books", "stripe", "tax"]),
)
def test_whatever_is_written_is_read_again(settings: dict[str, Any], name: str) -> None:
    try:
        made = with_connection(EXAMPLE, name, settings, f"vault:{name}")
    except Refused:
        return
    before, after = meant(EXAMPLE), meant(made)
    assert after["connections"].pop(name).items() >= settings.items()
    before["connections"].pop(name, None)
    assert after == before
