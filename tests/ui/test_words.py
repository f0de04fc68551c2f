"""Values as words: durations, ages, amounts, payloads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hub.model.flow import Action
from hub.queries.amounts import Amount
from ui import payloads, words
from ui.icons import STEP_ICONS, icon
from ui.rendering import markdown

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "\N{EN DASH}"),
        (0.0002, "<1 ms"),
        (0.0384, "38 ms"),
        (1.24, "1.2 s"),
        (42.0, "42 s"),
        (200.0, "3 min 20 s"),
        (7200.0, "2 h"),
        (187_200.0, "2 d 4 h"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("gap", "shown"),
    [(0, "now"), (5, "5 s ago"), (65, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago"), (-90, "in 1 min")],
)
def test_ages(gap: int, shown: str) -> None:
    assert words.age(NOW - timedelta(seconds=gap), NOW) == shown


def test_amounts_are_grouped_and_keep_their_digits() -> None:
    shown = words.amount(Amount(value=Decimal("-1234567.890"), currency="KWD"))
    assert "\N{MINUS SIGN}1,234,567.890\N{NO-BREAK SPACE}" in shown and "KWD" in shown


def test_sentences_show_names_as_code_and_minor_units_as_money() -> None:
    shown = words.ticked("`a<b`: 128410 minor EUR, expected -5 minor KWD & more")
    assert shown.startswith("<code>a&lt;b</code>: ")
    assert "1,284.10" in shown and "\N{MINUS SIGN}0.005" in shown and "&amp; more" in shown
    assert words.ticked("an odd ` tick") == "an odd ` tick"


def test_codes_read_as_words() -> None:
    assert words.sentence("customer-not-mapped") == "Customer not mapped"
    assert words.sentence("erp_id") == "ERP id"
    assert words.sentence(None) == ""


@given(some.text(max_size=60))
def test_nothing_in_a_payload_becomes_markup(text: str) -> None:
    shown = payloads.payload({text: [text, 1, None, True]})
    assert "<" not in shown.replace('<span class="j-', "").replace("</span>", "")
    assert "<" not in payloads.body(text).replace('<span class="j-', "").replace("</span>", "")


def test_payloads_keep_every_digit() -> None:
    assert "12345678901234567890.10" in payloads.payload({"amount": Decimal("12345678901234567890.10")})


def test_runbooks_bring_no_markup_of_their_own() -> None:
    shown = markdown("# Title\n<script>alert(1)</script> [x](javascript:alert(1)) ![i](/x.png) [ok](https://e.example)")
    assert "<script" not in shown and 'href="javascript' not in shown and "<img" not in shown
    assert 'href="https://e.example"' in shown


def test_icons_decorate_or_speak() -> None:
    for name in STEP_ICONS.values():
        assert 'aria-hidden="true"' in icon(name) and "placeholder" not in icon(name)
    assert "<title>a &lt; b</title>" in icon("inbox", "a < b")


def test_every_kind_of_step_has_an_icon() -> None:
    kinds = {kind.__name__.lower() for kind in get_args(Action)}
    assert kinds <= STEP_ICONS.keys()
