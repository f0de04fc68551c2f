"""What a stream has lost is suspected where it is so, and nowhere else; names of millions are known again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.backbone.lost import Present, published, suspicion
from hub.backbone.stream import Seen
from hub.store.outbox import Published

DAY = 86_400_000_000
NOW = 100 * DAY
BEFORE = Published(position=50, made="m1", last=100, first=11, first_at=NOW - DAY, holes=2, publisher="w", at=NOW - 9)
SEEN = Seen(made="m1", messages=88, size=1, first=11, last=100, first_at=NOW - DAY, config={}, copies=1)
EMPTY = replace(SEEN, messages=0, first=101, first_at=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"last": 105, "messages": 93}, None),
        ({"made": "m2"}, "made anew"),
        ({"made": "m2", "last": 0, "messages": 0, "first": 0}, "made anew"),
        ({"last": 99, "messages": 87}, "ends at 99"),
        ({"messages": 87}, "1 are missing"),
        ({"last": 110, "messages": 97}, "1 are missing"),
        ({"first": 12, "messages": 87}, "begins at 12"),
        ({"messages": 0, "first": 101}, "begins at 101"),
    ],
)
def test_a_loss_is_suspected_by_what_the_stream_says_of_itself(
    change: dict[str, int | str], reason: str | None
) -> None:
    told = suspicion(BEFORE, replace(SEEN, **change), kept=7 * DAY, bounded=False, at=NOW)  # type: ignore[arg-type]
    assert told is None if reason is None else reason in (told or "")


def test_what_leaves_by_its_age_or_by_the_size_of_the_stream_is_not_lost() -> None:
    old = replace(BEFORE, first_at=NOW - 7 * DAY + 59_000_000)
    later = replace(SEEN, first=90, messages=9)
    assert suspicion(old, later, kept=7 * DAY, bounded=False, at=NOW) is None
    assert suspicion(old, EMPTY, kept=7 * DAY, bounded=False, at=NOW) is None
    assert suspicion(BEFORE, later, kept=7 * DAY, bounded=True, at=NOW) is None
    # The size takes the oldest, never all.
    assert suspicion(BEFORE, EMPTY, kept=7 * DAY, bounded=True, at=NOW) is not None


def test_a_stream_that_was_never_looked_at_has_lost_nothing_if_it_is_empty() -> None:
    assert suspicion(Published(), EMPTY, kept=DAY, bounded=False, at=NOW) is None
    assert suspicion(Published(), SEEN, kept=DAY, bounded=False, at=NOW) is not None


def test_what_was_mended_is_not_suspected_again() -> None:
    holed = replace(SEEN, messages=80)
    assert holed.holes == 10 and EMPTY.holes == 0
    mended = published(holed, position=50)
    assert suspicion(mended, holed, kept=7 * DAY, bounded=False, at=NOW) is None
    emptied = published(EMPTY, position=50)
    assert suspicion(emptied, EMPTY, kept=7 * DAY, bounded=False, at=NOW) is None


def test_names_are_known_again() -> None:
    present = Present(f"event_{number}" for number in range(0, 1000, 2))
    assert all((f"event_{number}" in present) is (number % 2 == 0) for number in range(1000))
    present.add("event_1")
    assert "event_1" in present and "event_3" not in present and "" not in Present()
