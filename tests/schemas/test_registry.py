"""The registry: which version is newer, as which one a claimed one is read, and by which upcasts."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import NotFound
from hub.model.kinds import Kind
from hub.schemas.registry import Registry, Resolved, Upcast, registry_of
from hub.schemas.series import Mode, SeriesTerms, VersionTerms
from hub.schemas.versions import join, rank, split, version_key

OLD: dict[str, Any] = {"type": "object", "properties": {"tax": {"type": "integer"}}}
NEW: dict[str, Any] = {"type": "object", "properties": {"taxes": {"type": "array"}}}
MORE: dict[str, Any] = {"type": "object", "properties": {"taxes": {"type": "array"}, "note": {"type": "string"}}}
NAMES = ("bill.invoice@2025-03-31", "bill.invoice@2025-09-30", "bill.invoice@2026-01-01")
FIRST, SECOND, THIRD = NAMES


def registry(*upcasts: tuple[str, str, str]) -> Registry:
    """Give three versions of one series, the last two of which are alike but for a new field."""
    documents = {THIRD: MORE, FIRST: OLD, SECOND: NEW, "other@1": {}}
    made = (Upcast(mapping=mapping, source=source, target=target) for mapping, source, target in upcasts)
    return registry_of(documents, upcasts=made)


ORDER = [
    ["1", "2", "10", "11"],
    ["v1", "v2", "v10"],
    ["2025.2", "2026.1", "2026.1.1", "2026.2", "2026.10"],
    ["2024-12-18", "2025-03-31", "2025-09-30", "2025-09-30.clover", "2025-10-01", "2026-01-01"],
    ["1.0-beta", "1.0-rc1", "1.0", "1.0.1", "1.1"],
    ["2020-08-27", "9999999999999999999999999", "99999999999999999999999999"],
]


@pytest.mark.parametrize("versions", ORDER)
def test_versions_have_their_order(versions: list[str]) -> None:
    backwards = versions[::-1]
    assert sorted(backwards, key=version_key) == versions


@given(st.lists(st.text(st.sampled_from("0129vab.-"), max_size=8), unique=True))
def test_any_two_versions_have_an_order(versions: list[str]) -> None:
    assert len({version_key(version) for version in versions}) == len(versions)
    backwards = versions[::-1]
    assert sorted(versions, key=version_key) == sorted(backwards, key=version_key)


def test_versions_written_differently_have_one_place() -> None:
    assert rank("v2") == rank("2") == rank("02")
    assert rank("9" * 10_000) > rank("1")


@pytest.mark.parametrize(
    ("name", "parts"), [("a.b@1", ("a.b", "1")), ("a@b@2", ("a@b", "2")), ("a", ("a", "")), ("", ("", ""))]
)
def test_a_name_is_split_at_its_version(name: str, parts: tuple[str, str]) -> None:
    assert split(name) == parts
    assert name in {join(*parts), parts[0]}


def test_versions_are_listed_from_the_oldest_on() -> None:
    assert registry().versions("bill.invoice") == NAMES
    assert registry().series(FIRST).latest.name == THIRD
    assert registry().versions("nothing") == ()
    assert FIRST in registry()
    assert registry().document(FIRST) is OLD
    taxes = registry().shape(SECOND).fields["taxes"]
    assert taxes.kinds == {Kind.ARRAY}


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="nothing"):
        registry().series("nothing")
    with pytest.raises(NotFound, match=r"bill\.invoice@1"):
        registry().document("bill.invoice@1")


@pytest.mark.parametrize(
    ("claimed", "name", "registered"),
    [
        (SECOND, SECOND, True),
        ("bill.invoice@2025-09-30.clover", SECOND, False),
        ("bill.invoice@2025-12-15", SECOND, False),
        ("bill.invoice@2030-01-01", THIRD, False),
        ("bill.invoice@2019-01-01", FIRST, False),
        ("bill.invoice@", FIRST, False),
        ("bill.invoice@" + "9" * 5_000, THIRD, False),
    ],
)
def test_a_claimed_version_is_read_as_a_registered_one(claimed: str, name: str, registered: bool) -> None:  # noqa: FBT001
    assert registry().resolve(claimed) == Resolved(name=name, registered=registered)


def test_a_version_that_is_only_written_differently_is_the_same() -> None:
    made = registry_of({"x@v1": OLD, "x@v2": NEW})
    assert made.resolve("x@2") == Resolved(name="x@v2", registered=False)


def test_a_claim_of_an_unknown_series_is_read_as_nothing() -> None:
    assert registry().resolve("nobody@1") is None
    assert registry().path("nobody@1", FIRST) is None


UP = ("bill/up", FIRST, SECOND)
DOWN = ("bill/down", SECOND, FIRST)
ON = ("bill/on", SECOND, THIRD)
ACROSS = ("bill/across", FIRST, THIRD)


@pytest.mark.parametrize(
    ("upcasts", "source", "target", "path"),
    [
        ([], FIRST, FIRST, ()),
        # Only a field came: the newer is read as the older, and the other way round.
        ([], THIRD, SECOND, ()),
        ([], SECOND, THIRD, ()),
        # A field moved: nobody may read nothing for it.
        ([], SECOND, FIRST, None),
        ([], FIRST, SECOND, None),
        ([UP], FIRST, SECOND, ("bill/up",)),
        ([UP], SECOND, FIRST, None),
        ([UP, DOWN], SECOND, FIRST, ("bill/down",)),
        ([UP, ON], FIRST, THIRD, ("bill/up", "bill/on")),
        ([UP, ON, ACROSS], FIRST, THIRD, ("bill/across",)),
        ([UP], "bill.invoice@2025-04-30", SECOND, ("bill/up",)),
        ([], "bill.invoice@2027-01-01", THIRD, ()),
        ([], "bill.invoice@2027-01-01", SECOND, ()),
        ([], FIRST, "other@1", None),
        ([], FIRST, "bill.invoice@2019", None),
    ],
)
def test_the_way_from_one_version_to_another(
    upcasts: list[tuple[str, str, str]], source: str, target: str, path: tuple[str, ...] | None
) -> None:
    made = registry(*upcasts)
    assert made.path(source, target) == path
    assert made.path(source, target) == path


def test_new_upcasts_open_a_way_that_was_closed() -> None:
    closed = registry()
    assert closed.path(FIRST, SECOND) is None
    assert closed.with_upcasts([Upcast(mapping="up", source=FIRST, target=SECOND)]).path(FIRST, SECOND) == ("up",)
    assert closed.path(FIRST, SECOND) is None


def test_a_series_file_says_more_of_a_series() -> None:
    said = SeriesTerms(
        title="Invoice", owner="team:x", mode=Mode.FULL, versions={"2025-03-31": VersionTerms(sunset=date(2027, 1, 1))}
    )
    made = registry_of({FIRST: OLD, SECOND: NEW}, {"bill.invoice": said})
    assert (made.series("bill.invoice").title, made.series("bill.invoice").mode) == ("Invoice", Mode.FULL)
    assert made.version(FIRST).terms.sunset == date(2027, 1, 1)
    assert made.version(SECOND).terms == VersionTerms()
