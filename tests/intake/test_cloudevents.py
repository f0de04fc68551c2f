"""Reading CloudEvents: whatever comes, an event is taken whole and exactly, or refused with a reason in its place."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hub.errors import FixData
from hub.intake.cloudevents import MAX_ATTRIBUTE, MAX_EVENT, Reader, Received, Refusal, values_of
from hub.model.ambient import to_micros
from hub.model.sender import Patterns, Sender
from hub.sdk import exact_json
from tests.intake.sending import SOURCE, body_of, usage

ANYTHING = Sender(
    name="any", title="Any", tokens={}, sources=Patterns.of(["*"]), types=Patterns.of(["*"]), schemas={"a.b": "a.b@1"}
)
#: Text that JSON can carry; halves of characters cannot be sent in UTF-8.
TEXT = some.text(some.characters(codec="utf-8"), max_size=20)
NUMBERS = some.integers() | some.decimals(allow_nan=False, allow_infinity=False)
JSON = some.recursive(
    some.none() | some.booleans() | NUMBERS | TEXT,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ATTRIBUTES = some.sampled_from(
    ["specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "data", "data_base64"]
)


def read(body: bytes, *, batch: bool = True, sender: Sender = ANYTHING) -> list[Received | Refusal]:
    return [Reader(sender).receive(value) for value in values_of(body, batch=batch)]


def one(event: object, sender: Sender = ANYTHING) -> Received | Refusal:
    (found,) = read(body_of(event), sender=sender)
    return found


def taken(event: object, sender: Sender = ANYTHING) -> Received:
    found = one(event, sender)
    assert isinstance(found, Received), found
    return found


def refused(event: object, sender: Sender = ANYTHING) -> Refusal:
    found = one(event, sender)
    assert isinstance(found, Refusal), found
    return found


def test_an_event_is_kept_whole_and_named_by_source_and_id() -> None:
    event = taken(usage("u1", region="eu", tries=3, final=True))
    assert (event.id, event.external_id, event.type) == ("u1", f"{SOURCE} u1", "usage.recorded")
    assert (event.subject, event.has_data, event.schema) == ("customer-7", True, None)
    assert event.occurred_at == to_micros(datetime(2026, 1, 5, 10, tzinfo=UTC))
    assert exact_json.loads(event.text) == usage("u1", region="eu", tries=3, final=True)


@given(JSON)
def test_data_is_kept_to_the_last_digit(data: Any) -> None:
    """Whatever it is; numbers that no float could hold come back as they were sent."""
    try:
        body = body_of(usage("u1", data=data))
        expected = exact_json.loads(body)[0]["data"]
    except (FixData, OverflowError):
        return
    found = taken(usage("u1", data=data))
    assert exact_json.loads(found.text)["data"] == expected


@pytest.mark.parametrize("number", ["0.10", "1e400", "-0.0", "123456789012345678901234567890.123456789012345678901"])
def test_a_number_keeps_its_digits(number: str) -> None:
    body = b'[{"specversion":"1.0","id":"n","source":"/m","type":"a","data":{"amount":%s}}]' % number.encode()
    (found,) = read(body)
    assert isinstance(found, Received)
    kept = exact_json.loads(found.text)["data"]["amount"]
    assert (type(kept), kept, str(kept)) == (Decimal, Decimal(number), str(Decimal(number)))


@given(some.dictionaries(ATTRIBUTES | TEXT, JSON, max_size=12), some.permutations(list(usage("x"))))
def test_whatever_is_sent_is_taken_or_refused_by_itself(changes: dict[str, Any], order: list[str]) -> None:
    """Never an error of another kind, and the good one beside it is taken."""
    event = {**usage("u1"), **changes}
    event = {name: event[name] for name in [*order, *(event.keys() - set(order))]}
    try:
        body = body_of(event, usage("good"))
        exact_json.loads(body)
    except (FixData, OverflowError):
        return
    first, second = read(body)
    assert isinstance(second, Received)
    if isinstance(first, Received):
        assert first.text.encode() == exact_json.canonical(exact_json.loads(first.text))
        assert all(part.isprintable() or part for part in (first.id, first.type))
    else:
        assert first.code
        assert first.detail.endswith(".")
        assert "Traceback" not in first.detail


@given(some.binary(max_size=60), some.booleans())
def test_whatever_bytes_come_they_are_read_or_refused(body: bytes, batch: bool) -> None:  # noqa: FBT001 - drawn
    found: list[Received | Refusal] = []
    with contextlib.suppress(FixData):
        found = read(body, batch=batch)
    assert all(isinstance(each, Received | Refusal) for each in found)


@given(some.permutations(list(usage("u1", region="eu"))), some.integers(0, 3))
def test_the_same_event_in_other_words_is_the_same(order: list[str], indent: int) -> None:
    """Blanks and the order of keys are the sender's own."""
    event = usage("u1", region="eu")
    written = json.dumps([{name: event[name] for name in order}], indent=indent).encode()
    (found,) = read(written)
    assert isinstance(found, Received)
    assert (found.content, found.text) == (taken(event).content, taken(event).text)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "usage.corrected"},
        {"subject": "customer-8"},
        {"time": "2026-01-05T10:00:01Z"},
        {"data": {"meter": "calls", "quantity": 4}},
        {"dataschema": "https://example.com/usage"},
        {"region": "us"},
        {"subject": ...},
    ],
)
def test_whatever_an_event_says_belongs_to_its_content(changes: dict[str, Any]) -> None:
    assert taken(usage("u1", **changes)).content != taken(usage("u1")).content


def test_what_tells_of_the_way_does_not_belong_to_it() -> None:
    """Who passes an event on may mark it, each time otherwise; null stands for what is not there."""
    marked = usage("u1", traceparent="00-1", tracestate="a=b", knativearrivaltime="2026", region=None, dataschema=None)
    assert taken(marked).content == taken(usage("u1")).content


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (5, "not-an-event"),
        ([], "not-an-event"),
        ("text", "not-an-event"),
        (None, "not-an-event"),
        ({}, "wrong-specversion"),
        (usage("u", specversion="0.3"), "wrong-specversion"),
        (usage("u", specversion=1), "wrong-specversion"),
        (usage("u", id=...), "invalid-attribute"),
        (usage(""), "invalid-attribute"),
        (usage("u", id=7), "invalid-attribute"),
        (usage("u", id=["u"]), "invalid-attribute"),
        (usage("u" * (MAX_ATTRIBUTE + 1)), "invalid-attribute"),
        (usage("a\0b"), "invalid-attribute"),
        (usage("a\nb"), "invalid-attribute"),
        (usage("a\ufffe"), "invalid-attribute"),
        (usage("u", source=...), "invalid-attribute"),
        (usage("u", source="a b"), "invalid-attribute"),
        (usage("u", source="a\u00a0b"), "invalid-attribute"),
        (usage("u", source={}), "invalid-attribute"),
        (usage("u", type=None), "invalid-attribute"),
        (usage("u", type=["usage.recorded"]), "invalid-attribute"),
        (usage("u", type="ü"), "invalid-attribute"),
        (usage("u", type=".usage"), "invalid-attribute"),
        (usage("u", type="usage recorded"), "invalid-attribute"),
        (usage("u", type="u" * 192), "invalid-attribute"),
        (usage("u", subject=""), "invalid-attribute"),
        (usage("u", subject=5), "invalid-attribute"),
        (usage("u", time="yesterday"), "invalid-attribute"),
        (usage("u", time="2026-01-05"), "invalid-attribute"),
        (usage("u", time="2026-01-05T10:00:00"), "invalid-attribute"),
        (usage("u", time="2026-W01-1T10:00:00Z"), "invalid-attribute"),
        (usage("u", time="2026-13-05T10:00:00Z"), "invalid-attribute"),
        (usage("u", time="2026-01-05T10:00:60Z"), "invalid-attribute"),
        (usage("u", time=1767607200), "invalid-attribute"),
        (usage("u", time="\uff12026-01-05T10:00:00Z"), "invalid-attribute"),
        (usage("u", datacontenttype=5), "invalid-attribute"),
        (usage("u", dataschema=""), "invalid-attribute"),
        (usage("u", Region="eu"), "invalid-extension"),
        (usage("u", re_gion="eu"), "invalid-extension"),
        (usage("u", region={"a": 1}), "invalid-extension"),
        (usage("u", region=[1]), "invalid-extension"),
        (usage("u", region=Decimal("1.5")), "invalid-extension"),
        (usage("u", region=2**31), "invalid-extension"),
        (usage("u", region="a\0"), "invalid-extension"),
        (usage("u", **{"": "x"}), "invalid-extension"),
        (usage("u", data_base64="aGk="), "invalid-data"),
        (usage("u", data=..., data_base64="not base64!"), "invalid-data"),
        (usage("u", data=..., data_base64="aGk"), "invalid-data"),
        (usage("u", data=..., data_base64=5), "invalid-data"),
        (usage("u", data="x" * MAX_EVENT), "event-too-large"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(event: object, code: str) -> None:
    found = refused(event)
    assert (found.code, found.detail[-1]) == (code, ".")


@pytest.mark.parametrize(
    "identity", ["ü", "日本語", "a b", "👩‍👩‍👧", "a#b", "'; DROP TABLE events; --", "é", "e\u0301"]
)
def test_ids_may_be_in_any_language(identity: str) -> None:
    assert taken(usage(identity)).external_id == f"{SOURCE} {identity}"


def test_no_two_events_have_one_name() -> None:
    """A source has no blank in it, so that the first blank ends it."""
    one, other = taken(usage("b c", source="a")), taken(usage("c", source="a/b"))
    assert one.external_id != other.external_id
    assert isinstance(refused(usage("c", source="a b")), Refusal)


def test_bytes_are_kept_as_they_were_sent() -> None:
    event = taken(usage("u", data=..., data_base64="AP8="))
    assert (event.has_data, exact_json.loads(event.text)["data_base64"]) == (False, "AP8=")


@pytest.mark.parametrize(
    ("data", "has"), [({"a": 1}, True), ([1], True), ("text", True), (0, True), (None, False), (..., False)]
)
def test_data_may_be_anything_or_not_be_there(data: object, has: bool) -> None:  # noqa: FBT001 - a column
    assert taken(usage("u", data=data)).has_data is has


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2026-01-05t10:00:00z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2026-01-05T12:00:00+02:00", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2026-01-05T10:00:00.5Z", datetime(2026, 1, 5, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2026-01-05T10:00:00.123456789Z", datetime(2026, 1, 5, 10, 0, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00+12:00", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_moments_are_read_as_rfc_3339_writes_them(time: str, moment: datetime) -> None:
    found = taken(usage("u", time=time)).occurred_at
    assert found is not None
    assert found == to_micros(moment) - (12 * 3_600_000_000 if "+12" in time else 0)


def test_the_schema_is_the_connections_word_and_then_the_events() -> None:
    claimed = "urn:concord:schema:usage.recorded@2"
    assert taken(usage("u", type="a.b", dataschema=claimed)).schema == "a.b@1"
    assert taken(usage("u", dataschema=claimed)).schema == "usage.recorded@2"
    for other in ("https://example.com/schema", "urn:concord:schema:", "urn:concord:schema:a b@1", claimed + "\u00fc"):
        assert taken(usage("u", dataschema=other)).schema is None


def test_a_sender_sends_what_it_may_and_nothing_else() -> None:
    narrow = Sender(
        name="n", title="N", tokens={}, sources=Patterns.of(["/m", "/n/*"]), types=Patterns.of(["a", "b.*"])
    )
    for source, kind in (("/m", "a"), ("/n/", "b."), ("/n/x", "b.c")):
        assert taken(usage("u", source=source, type=kind), narrow).type == kind
    for source, kind, code in (
        ("/m/x", "a", "source-not-allowed"),
        ("/n", "a", "source-not-allowed"),
        ("/m", "ab", "type-not-allowed"),
        ("/m", "b", "type-not-allowed"),
        ("/m", "stripe.invoice.finalized", "type-not-allowed"),
    ):
        assert refused(usage("u", source=source, type=kind), narrow).code == code


def test_one_that_cannot_be_read_keeps_no_other_from_being_read() -> None:
    good = exact_json.dumps(usage("good"))
    for bad in (b'{"data": 1e999}', b'"\\ud800"', b'{"n": %s}' % (b"1" * 5000), b"[NaN]"):
        first, second, third = read(b"[" + good + b"," + bad + b"," + good + b"]")
        assert isinstance(second, Refusal)
        assert (type(first), type(third)) == (Received, Received)


def test_what_is_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(250):
        deep = [deep]
    assert refused(usage("u", data=deep)).code == "too-deep"
    assert taken(usage("u", data=[[]] * 250)).has_data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[",
        b"[1,]",
        b"[1,1e999,]",
        b"[1e999",
        b"[1e999]]",
        b"[" * 5000,
        b"null",
        b"\xff",
        b"[1] 2",
        b"{}",
        b'"[]"',
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(body: bytes) -> None:
    with pytest.raises(FixData):
        values_of(body, batch=True)


def test_an_empty_batch_is_one() -> None:
    assert read(b" [] ") == []
