"""When a storm's kill comes: the writes that it finds under way must still be so when it strikes."""

from __future__ import annotations

import pytest

from hub.proof.conductor import worth_a_kill

POSTING = ("intent", "invoice.post", "stripe:in_1")
FORGOTTEN = ("unknown", "payment.post", "stripe:inpay_1")
MOVING, MOVED_TOO = ("unknown", "invoice.upsert", "stripe:in_2"), ("unknown", "invoice.upsert", "stripe:in_3")
KEYS = ("stripe:in_2", "stripe:in_3")


@pytest.mark.parametrize(
    ("under_way", "moving", "sent", "worth"),
    [
        ([FORGOTTEN], (), True, False),
        # Both may be answered before the kill strikes.
        ([POSTING, POSTING], (), True, False),
        ([POSTING, POSTING], (), False, True),
        ([POSTING, FORGOTTEN], (), True, True),
        ([POSTING, FORGOTTEN, FORGOTTEN], KEYS, True, False),
        ([MOVING, FORGOTTEN], KEYS, True, False),
        ([MOVING, MOVED_TOO], KEYS, True, True),
        ([MOVING, FORGOTTEN], KEYS, False, True),
    ],
)
def test_a_kill_waits_for_writes_that_nobody_knows_of(
    under_way: list[tuple[str, str, str]], moving: tuple[str, ...], *, sent: bool, worth: bool
) -> None:
    told = [dict(zip(("state", "operation", "business_key"), each, strict=True)) for each in under_way]
    assert worth_a_kill(told, moving, sent=sent) is worth


def test_where_there_is_little_to_do_one_write_is_worth_a_kill() -> None:
    told = [dict(zip(("state", "operation", "business_key"), FORGOTTEN, strict=True))]
    assert worth_a_kill(told, (), sent=True, least=1)
    assert not worth_a_kill([], (), sent=False, least=1)
