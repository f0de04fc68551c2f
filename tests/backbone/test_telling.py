"""How facts are named and told: subjects that any consumer can ask for, and CloudEvents of a bounded size."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.backbone.envelope import envelope_of, name_of
from hub.backbone.following import Wish
from hub.backbone.names import PARTITIONS, all_of, partition_of, stream_of, subject_of, wanted
from hub.sdk import exact_json

ROW: dict[str, Any] = {
    "environment": "production",
    "position": 42,
    "id": "evt_1",
    "type": "stripe.invoice.finalized",
    "subject": "in_1",
    "key": "in_1",
    "at": 1_767_225_600_000_000,
    "event_id": "event_1",
    "data": None,
    "connection": "stripe",
    "occurred_at": 1_767_225_599_123_456,
    "schema": "stripe.invoice@2025-09-30",
    "pruned_at": None,
    "size": 18,
    "payload": '{"total":10.10000}',
}


def test_an_event_is_told_with_all_that_it_came_with() -> None:
    assert exact_json.loads(envelope_of(ROW)) == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/concord/production/stripe",
        "type": "stripe.invoice.finalized",
        "time": "2025-12-31T23:59:59.123456Z",
        "recordedtime": "2026-01-01T00:00:00.000000Z",
        "sequence": "00000000000000000042",
        "partitionkey": "in_1",
        "eventid": "event_1",
        "subject": "in_1",
        "dataschema": "urn:concord:schema:stripe.invoice@2025-09-30",
        "datacontenttype": "application/json",
        "data": {"total": Decimal("10.10000")},
    }
    # Not a digit of an amount is lost.
    assert b'"data":{"total":10.10000}' in envelope_of(ROW)


def test_what_the_hub_itself_says_has_no_connection() -> None:
    row = {**ROW, "event_id": None, "connection": None, "occurred_at": None, "schema": None, "payload": None}
    told = exact_json.loads(envelope_of({**row, "data": '{"state":"succeeded"}'}))
    assert (told["source"], told["time"]) == ("/concord/production", told["recordedtime"])
    assert told["data"] == {"state": "succeeded"} and "dataschema" not in told and "dataref" not in told


def test_a_large_payload_is_to_be_fetched() -> None:
    """By the claim check of CloudEvents: the message says where it is."""
    large = {**ROW, "payload": '{"text":"' + "x" * 2000 + '"}'}
    told = exact_json.loads(envelope_of(large, largest=1000))
    assert told["dataref"] == "/api/events/event_1" and "data" not in told and told["subject"] == "in_1"
    assert exact_json.loads(envelope_of({**ROW, "payload": None}))["dataref"] == "/api/events/event_1"


def test_a_payload_that_retention_took_away_is_nowhere() -> None:
    told = exact_json.loads(envelope_of({**ROW, "pruned_at": 5}))
    assert "data" not in told and "dataref" not in told


def test_no_name_makes_an_envelope_too_large() -> None:
    huge = "y" * 5000
    told = envelope_of({**ROW, "subject": huge, "key": huge, "type": huge}, largest=2000)
    assert len(told) <= 2000 and exact_json.loads(told)["id"] == "evt_1"


@given(st.text(max_size=200), st.text(max_size=60))
def test_a_name_stands_in_a_header_and_is_like_no_other(id: str, connection: str) -> None:
    name = name_of({**ROW, "id": id, "connection": connection})
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]*/[A-Za-z0-9_.~%-]*", name) and len(name) < 3200
    assert name != name_of({**ROW, "id": id + "/", "connection": connection})
    assert name != name_of({**ROW, "id": id, "connection": connection + "/"})


def test_a_subject_says_environment_partition_and_type() -> None:
    subject = subject_of("production", "in_1", "stripe.invoice.finalized")
    assert subject == "concord.production.feed.11.stripe.invoice.finalized"
    assert stream_of("production") == "concord-production" and all_of("production") == "concord.production.feed.>"


def test_a_key_stays_in_its_partition_for_good() -> None:
    """What consumers have built on it would be wrong otherwise."""
    assert [partition_of(key) for key in ("in_1", "in_2", "", "Ünï")] == [11, 3, 2, 2]
    assert {partition_of(f"in_{number}") for number in range(500)} == set(range(PARTITIONS))


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_type_makes_a_subject_that_nats_takes(type: str, key: str) -> None:
    subject = subject_of("production", key, type)
    assert re.fullmatch(r"concord\.production\.feed\.\d+(\.[A-Za-z0-9_=-]+)+", subject)
    assert len(subject) < 2600


@pytest.mark.parametrize(
    ("wish", "subjects"),
    [
        ({}, "concord.e.feed.*.>"),
        ({"type": "*"}, "concord.e.feed.*.>"),
        ({"type": "stripe.invoice.*"}, "concord.e.feed.*.stripe.invoice.>"),
        ({"type": "stripe.invoice.paid"}, "concord.e.feed.*.stripe.invoice.paid"),
        ({"type": "a b.*"}, "concord.e.feed.*.a=20b.>"),
        ({"key": "in_1"}, f"concord.e.feed.{partition_of('in_1')}.>"),
    ],
)
def test_a_part_of_a_feed_has_subjects_of_its_own(wish: dict[str, str], subjects: str) -> None:
    assert wanted("e", **wish) == subjects


def test_a_wish_is_looked_at_once_more_at_each_fact() -> None:
    fact = {"type": "stripe.invoice.paid", "partitionkey": "in_1"}
    assert Wish().fits(fact) and Wish(type="*").fits(fact) and Wish(type="stripe.invoice.*", key="in_1").fits(fact)
    assert not Wish(key="in_2").fits(fact) and not Wish(type="stripe.inv.*").fits(fact)
    assert not Wish(type="stripe.invoice").fits(fact)
