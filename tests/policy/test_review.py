"""Rules that cannot decide and rules that overlap: found where they are, and never claimed where they are not."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hub.policy.compiler import compile_policy
from hub.policy.decision import decide, holds
from hub.policy.review import Fault, Finding, review
from hub.policy.rules import RulePolicy


def made(*conditions: str | None, kind: str = "route", match: str = "first", then: Any = None) -> RulePolicy:
    given_then = then or [{} for _ in conditions]
    rules: list[dict[str, Any]] = []
    for number, when in enumerate(conditions):
        rule: dict[str, Any] = {"name": f"r{number}", "then": given_then[number]}
        rules.append(rule if when is None else {**rule, "when": when})
    document = {"policy": "p", "kind": kind, "version": 1, "match": match, "rules": rules}
    policy = compile_policy(document, {})
    assert isinstance(policy, RulePolicy)
    return policy


def found(*conditions: str | None, **more: Any) -> list[tuple[str, int, tuple[int, ...]]]:
    return [(finding.fault.value, finding.rule, finding.others) for finding in review(made(*conditions, **more))]


UNREACHABLE = [
    (["a == 'x'", "a == 'x'"], 1, (0,)),
    ([None, "a == 'x'"], 1, (0,)),
    (["contains(['x', 'y'], a)", "a == 'y'"], 1, (0,)),
    (["a == 'x'", "a == 'y'", "contains(['x', 'y'], a)"], 2, (0, 1)),
    (["n > `5`", "n >= `6` && n != `6`"], 1, (0,)),
    (["n > `5`", "n <= `5`", "n == `3` || n == `8`"], 2, (0, 1)),
    (["a", "!a", None], 2, (0, 1)),
    (["a == 'x' || b == 'y'", "a == 'x' && c == 'z'"], 1, (0,)),
    (["a == 'x' && b == 'y'", "a == 'x' && b != 'y'", "a == 'x'"], 2, (0, 1)),
    (["lower(name) == 'a'", "lower(name) == 'a' && b"], 1, (0,)),
    (["`5` < n", "n > `5`"], 1, (0,)),
    (["contains([`1.0`], n)", "n == `1`"], 1, (0,)),
    (["a == 'x' && a == 'y'"], 0, ()),
    (["n > `5` && n < `5`"], 0, ()),
    (["today >= '2026-01-01' && today < '2025-01-01'"], 0, ()),
    (["starts_with(a, 'x') || b", "b && !c"], 1, (0,)),
]


@pytest.mark.parametrize(("conditions", "rule", "others"), UNREACHABLE)
def test_unreachable(conditions: list[str | None], rule: int, others: tuple[int, ...]) -> None:
    assert found(*conditions) == [(Fault.UNREACHABLE, rule, others)]


FINE = [
    ["a == 'x'", "a == 'y'", None],
    ["a == 'x' && b == 'y'", "a == 'x'", None],
    ["n > `5`", "n <= `5`", None],
    # Neither is true of what is no number.
    ["n > `5`", "n <= `5`", "!n"],
    ["starts_with(a, 'x')", "starts_with(a, 'y')"],
    ["a == 'true'", "a == `true`", "a == `1`"],
    ["a.b == 'x'", "a == 'x'"],
    ["lines[0].id == 'x'", "!lines"],
]

#: What may be missing as a whole: neither side of a comparison is true of it.
FINE_OF_NOTHING = [
    ["money.minor > `5`", "money.minor <= `5`", None],
    ["money.currency < 'M'", "money.currency >= 'M'", "!money"],
]


@pytest.mark.parametrize("conditions", FINE_OF_NOTHING)
def test_a_rule_for_what_has_no_amount_is_reached(conditions: list[str | None]) -> None:
    reasons = [{"reason": "x"}] * len(conditions)
    assert found(*conditions, kind="hold", then=reasons) == []
    event = {"money": None}
    assert matching(made(*conditions, kind="hold", then=reasons), event) == [2]


@pytest.mark.parametrize("conditions", FINE)
def test_nothing_is_wrong(conditions: list[str | None]) -> None:
    assert found(*conditions) == []


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (["entity == 'JP01'", "total.minor > `500000`"],
         "`r0` and `r1` both match when entity = 'JP01' and total.minor = 500001; `r0` decides"),
        (["contains(['EUR', 'CHF'], currency) && a", "contains(['CHF', 'JPY'], currency) && b"], "currency = 'CHF'"),
        (["today < '2026-01-10'", "today > '2026-01-05'"], "today = '2026-01-0"),
        (["a != 'x'", "a != 'y'"], " when "),
        (["!a", "b"], "both match when b = 'other'"),
    ],
)  # fmt: skip
def test_overlaps_have_an_example(conditions: list[str], words: str) -> None:
    (finding,) = review(made(*conditions))
    assert (finding.fault, finding.rule, finding.others) == (Fault.OVERLAPPING, 1, (0,))
    assert words in finding.detail


def test_what_may_match_together_must_not_say_different_things() -> None:
    both = [{"approvals": 2, "role": "controller"}, {"approvals": 1, "role": "approver"}]
    conditions = ["money.minor > `100`", "entity == 'JP01'"]
    (finding,) = review(made(*conditions, kind="approve", match="all", then=both))
    assert finding.fault is Fault.CONFLICTING
    assert "entity = 'JP01'" in finding.detail and "`controller` and `approver` as `role`" in finding.detail
    same = [{"approvals": 2, "role": "approver"}, {"approvals": 1, "role": "approver"}]
    assert review(made(*conditions, kind="approve", match="all", then=same)) == []
    assert review(made("entity == 'a'", "entity == 'b'", kind="approve", match="all", then=both)) == []


def test_what_a_kind_knows_of_its_scope_counts() -> None:
    """A finding has one of five kinds, so that rules for all five leave nothing over."""
    kinds = ["unknown-field", "missing-field", "changed-type", "new-value", "unregistered-version"]
    conditions: list[str | None] = [f"finding.kind == '{kind}'" for kind in kinds]
    then = [{"action": "accept"}] * 6
    assert found(*conditions[:-1], None, kind="drift", then=then[:-1]) == []
    assert found(*conditions, None, kind="drift", then=then) == [(Fault.UNREACHABLE, 5, (0, 1, 2, 3, 4))]
    assert found("finding.kind == 'new-vlaue'", kind="drift", then=then) == [(Fault.UNREACHABLE, 0, ())]


def test_a_thousand_rules_are_looked_through_in_time() -> None:
    names = [f"entity == 'E{number}' && money.minor > `{number}`" for number in range(1000)]
    hard = [" || ".join(f"p{each} == 'x{each + number}'" for each in range(12)) for number in range(60)]
    # How long it takes the processor: a machine that has other things to do is not slow.
    started = time.process_time()
    assert found(*names) == []
    review(made(*hard))
    assert time.process_time() - started < 15


# --- against brute force ---

VALUES: dict[str, list[Any]] = {
    "a": ["x", "y", "z", "w", "", None, True, 1],
    "b": ["x", "y", "w", None, False, [], ["x"]],
    "n": [4, 5, Decimal("5.2"), Decimal("5.5"), Decimal("5.8"), 6, 7, 100, -1, None, "5"],
}
SCOPES = [{"a": a, "b": b, "n": n} for a in VALUES["a"] for b in VALUES["b"] for n in VALUES["n"]]

TESTS = some.one_of(
    some.sampled_from(["a", "b", "n", "`true`", "`false`", "!a", "!b"]),
    some.builds(
        "{} {} '{}'".format, some.sampled_from("ab"), some.sampled_from(["==", "!="]), some.sampled_from("xyw")
    ),
    some.builds(
        "n {} `{}`".format,
        some.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        some.sampled_from(["5", "6", "5.5"]),
    ),
    some.builds("`{}` {} n".format, some.sampled_from(["5", "6"]), some.sampled_from(["<", ">=", "=="])),
    some.builds("contains([{}], a)".format, some.sampled_from(["'x'", "'x', 'y'", "'z', `1`"])),
    some.sampled_from(
        ["length(to_string(a)) > `1`", "starts_with(to_string(b), 'x')", "type(n) == 'number'", "a == b"]
    ),
)
CONDITIONS = some.recursive(
    TESTS,
    lambda inner: some.one_of(
        some.builds("({} && {})".format, inner, inner),
        some.builds("({} || {})".format, inner, inner),
        some.builds("!({})".format, inner),
    ),
    max_leaves=4,
)


def matching(policy: RulePolicy, scope: dict[str, Any]) -> list[int]:
    return [index for index, rule in enumerate(policy.rules) if rule.when is None or holds(rule.when(scope))]


@settings(max_examples=120, deadline=None)
@given(some.lists(CONDITIONS, min_size=1, max_size=4), some.sampled_from(["first", "all"]))
def test_no_claim_is_wrong(conditions: list[str], match: str) -> None:
    kind, then = ("route", None) if match == "first" else ("hold", [{"reason": "x"}] * len(conditions))
    policy = made(*conditions, kind=kind, match=match, then=then)
    findings = review(policy)
    seen = [matching(policy, scope) for scope in SCOPES]
    for finding in findings:
        _assert_right(policy, finding, seen)
    # What no sample reaches may still be reached by another value; but where whole conditions are plain tests, the
    # samples have every kind of value that such a test can tell apart, so that nothing may be overlooked.
    if all(name not in text for text in conditions for name in ("length", "starts", "type", "a == b")):
        unreachable = {finding.rule for finding in findings if finding.fault is Fault.UNREACHABLE}
        decides = (
            {rules[0] for rules in seen if rules} if match == "first" else {one for rules in seen for one in rules}
        )
        assert unreachable == set(range(len(conditions))) - decides


def _assert_right(policy: RulePolicy, finding: Finding, seen: list[list[int]]) -> None:
    if finding.fault is Fault.UNREACHABLE:
        for rules in seen:
            assert finding.rule not in rules or (finding.others and set(finding.others) & set(rules))
        return
    assert finding.witness is not None
    scope = finding.witness.scope
    (other,) = finding.others
    assert {other, finding.rule} <= set(matching(policy, scope))
    assert decide(policy, scope).rules[0] in {rule.name for rule in policy.rules[: other + 1]}
