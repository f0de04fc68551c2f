"""Moments of schedules as people read them."""

from __future__ import annotations

from datetime import datetime

import pytest

from hub.queries.schedules import local


@pytest.mark.parametrize(
    ("moment", "zone", "shown"),
    [
        ("2026-03-29T00:59:00+00:00", "Europe/Vienna", "2026-03-29 01:59 CET"),
        ("2026-03-29T01:00:00+00:00", "Europe/Vienna", "2026-03-29 03:00 CEST"),
        ("2026-01-05T12:00:02+00:00", "UTC", "2026-01-05 12:00:02 UTC"),
        ("2026-01-05T12:00:00+00:00", "Nowhere/Else", "2026-01-05 12:00 UTC"),
    ],
)
def test_a_moment_is_shown_by_the_clocks_of_its_zone(moment: str, zone: str, shown: str) -> None:
    """With seconds where there are any: one that is due every two of them is told apart from the next."""
    assert local(datetime.fromisoformat(moment), zone) == shown
