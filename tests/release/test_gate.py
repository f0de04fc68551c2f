"""What must be confirmed before a revision serves, by the limits of the environment as it serves now."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hub.release.gate import Worry, concerns
from hub.release.report import Difference, Example, Found, Shadow
from hub.workspace.compiled_files import EnvironmentFile

NOW = EnvironmentFile(
    name="test", title="Test", connections={}, governed=True, approvals=1, max_money_difference={"EUR": Decimal(5)}
)
NOTHING = Shadow(events=1, runs=1, differing=0, records=0, seconds=Decimal(0), stopped=None)


def told(
    shadow: Shadow | None = None, now: EnvironmentFile = NOW, then: EnvironmentFile = NOW
) -> list[tuple[Worry, str]]:
    found = concerns(breaks=(), shadow=shadow, environment=now, wanted=then, publishing=False)
    return [(one.worry, one.sentence) for one in found]


def found(what: str, before: object) -> Found:
    return Found(flow="f", step="s", what=what, count=2, example=Example(about="a", before=before, after="x"))


def test_nothing_is_no_concern() -> None:
    assert told(NOTHING) == told(None) == []


def test_the_limit_of_each_currency_counts_and_none_is_nothing() -> None:
    money = tuple(Difference(currency=code, amount=Decimal(5), runs=1) for code in ("EUR", "USD"))
    assert told(replace(NOTHING, money=money)) == [(Worry.MONEY, "5 USD move in 1 run; the limit of test is 0.")]
    above = (Difference(currency="EUR", amount=Decimal("5.01"), runs=2),)
    assert told(replace(NOTHING, money=above)) == [(Worry.MONEY, "5.01 EUR move in 2 runs; the limit of test is 5.")]


def test_a_run_that_stops_or_cannot_begin_any_more_is_told() -> None:
    stops = replace(
        NOTHING,
        failures=(found("None → a", None), found("a → b", "a"), found("a → None", "a")),
        routing=(
            found("starts → cannot begin (invalid-type)", "k"),
            found("cannot begin (invalid-type) → starts", "k"),
            found("starts → does not start", "k"),
        ),
    )
    assert told(stops) == [(Worry.STOPS, "4 runs would stop for a person that did not before.")]


def test_what_cannot_be_told_is_a_concern() -> None:
    ((worry, sentence),) = told(replace(NOTHING, unknown=3))
    assert worry is Worry.UNKNOWN
    assert sentence.startswith("Of 3 runs it cannot be told")


def test_a_revision_that_loosens_the_limits_of_those_to_come_is_told() -> None:
    looser = replace(NOW, approvals=0, max_money_difference={"EUR": Decimal(6), "USD": Decimal(1)})
    assert told(then=looser) == [
        (Worry.LIMITS, "The limit of test for EUR is raised from 5 to 6."),
        (Worry.LIMITS, "The limit of test for USD is raised from 0 to 1."),
        (Worry.LIMITS, "test asks for fewer people to agree: 0 instead of 1."),
    ]
    ((worry, sentence),) = told(then=replace(NOW, governed=False))
    assert worry is Worry.LIMITS
    assert "`publish` is taken out of test" in sentence
    tighter = replace(NOW, approvals=2, max_money_difference={})
    assert told(then=tighter) == []
    assert told(now=replace(NOW, governed=False), then=looser) == []
