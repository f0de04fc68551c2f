"""What may stand in an audit entry, and the bytes that stand for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audit.entry import Entry, Fact, is_plain, plain_id
from hub.audit.kinds import AuditKind

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
plain = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40).filter(is_plain)


def entry(*, actor: str = "local", subjects: dict[str, str] | None = None, **facts: Fact) -> Entry:
    """Make an entry with defaults."""
    return Entry(
        log="hub",
        sequence=7,
        at=NOON,
        kind=AuditKind.EFFECT_DONE,
        actor=actor,
        subjects=subjects or {},
        facts=facts,
    )


def test_a_leaf_is_canonical_json_that_anyone_can_compute() -> None:
    leaf = entry(subjects={"run": "r_1"}, status=200, body="sha256:ab", again=False).leaf()
    assert leaf == (
        b'{"actor":"local","at":"2026-01-02T12:00:00.000000Z","facts":{"again":false,"body":"sha256:ab","status":200},'
        b'"format":1,"kind":"effect.done","log":"hub","sequence":7,"subjects":{"run":"r_1"}}'
    )


def test_equal_times_in_two_zones_give_one_leaf() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=9)))
    there = Entry(log="hub", sequence=7, at=here, kind=AuditKind.EFFECT_DONE, actor="local")
    assert there.leaf() == entry().leaf()


@given(st.dictionaries(plain, plain | st.integers(-(2**60), 2**60) | st.booleans() | st.none(), max_size=6))
def test_the_standard_library_writes_the_same_bytes(facts: dict[str, Fact]) -> None:
    leaf = Entry(log="hub", sequence=1, at=NOON, kind=AuditKind.RUN_QUEUED, actor="local", facts=facts).leaf()
    assert json.dumps(json.loads(leaf), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == leaf


@pytest.mark.parametrize(
    "value", ["Ada Lovelace", "ada@example.com", "invoice:ada@example.com", "Zoë", "line\nbreak", "x" * 201, 1.5, ["a"]]
)
def test_what_could_be_personal_or_inexact_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"actor|fact|only text"):
        Entry(
            log="hub",
            sequence=1,
            at=NOON,
            kind=AuditKind.RUN_QUEUED,
            actor="local",
            facts={"fact": value},  # type: ignore[dict-item]
        )
    if isinstance(value, str):
        with pytest.raises(ValueError, match="actor"):
            entry(actor=value)


def test_a_schema_name_is_plain_although_it_has_an_at_sign() -> None:
    assert is_plain("stripe.invoice@2025-09-30")


def test_times_need_a_zone_and_numbers_start_at_one() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Entry(log="hub", sequence=1, at=NOON.replace(tzinfo=None), kind=AuditKind.RUN_QUEUED, actor="local")
    with pytest.raises(ValueError, match="from 1"):
        Entry(log="hub", sequence=0, at=NOON, kind=AuditKind.RUN_QUEUED, actor="local")


@given(st.text())
def test_any_outside_id_becomes_plain_and_differs_by_key(value: str) -> None:
    one, other = plain_id(value, b"one"), plain_id(value, b"other")
    assert is_plain(one)
    assert (one == value) is is_plain(value)
    assert (one == other) is is_plain(value)
