"""Which rules decide, what they give together, and what is kept of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from hub.errors import FixData, NotMapped
from hub.expressions.mistakes import InvalidDocument
from hub.policy.compiler import compile_policy
from hub.policy.decision import decide
from hub.policy.kinds import KINDS
from hub.policy.rules import RulePolicy

TABLES = {"books": {"DE01": "3"}}


def made(kind: str, *rules: dict[str, Any], match: str = "first", **more: Any) -> RulePolicy:
    document = {"policy": "erp", "kind": kind, "version": 7, "match": match, "rules": list(rules), **more}
    policy = compile_policy(document, TABLES)
    assert isinstance(policy, RulePolicy)
    return policy


def route(*rules: dict[str, Any], **more: Any) -> RulePolicy:
    return made("route", *rules, **more)


JAPAN = {"name": "Japan", "when": "invoice.entity == 'JP01'", "then": {"connection": "sap", "code": 7}}
OTHERS = {
    "name": "others",
    "then": {"connection": "netsuite", "book": "=table('books', invoice.entity)", "deep": {"a": ["=invoice.id", "="]}},
}


def test_the_first_rule_that_matches_decides() -> None:
    policy = route(JAPAN, {**JAPAN, "name": "too late"}, {"name": "rest", "then": {}})
    decision = decide(policy, {"invoice": {"entity": "JP01"}})
    assert (decision.rule, decision.output) == ("Japan", {"connection": "sap", "code": 7})
    assert decide(policy, {}).rule == "rest"


def test_a_decision_says_by_what_and_from_what() -> None:
    decision = decide(route(JAPAN), {"invoice": {"entity": "JP01", "id": "in_1"}, "secret": "x"})
    assert (decision.policy, decision.kind, decision.version, decision.rules) == ("erp", "route", 7, ("Japan",))
    assert decision.inputs == {"invoice.entity": "JP01"}


def test_inputs_are_kept_in_bounds() -> None:
    policy = route({"name": "one", "when": "length(lines[].id) > `3` && memo != 'x' && root.a", "then": {}})
    lines = [{"id": str(number)} for number in range(80)]
    decision = decide(policy, {"lines": lines, "memo": "m" * 2000, "root": {"a": {"b": {"c": {"d": {"e": 1}}}}}})
    assert len(decision.inputs["lines[].id"]) == 51
    assert decision.inputs["memo"].endswith("… (2000 characters)")
    assert decision.inputs["root.a"] == {"b": {"c": {"d": {"e": 1}}}}


def test_values_after_an_equals_sign_are_worked_out() -> None:
    others = {**OTHERS, "then": {**OTHERS["then"], "deep": {"a": ["=invoice.id", "x"]}}}  # type: ignore[dict-item]
    decision = decide(route(JAPAN, others), {"invoice": {"entity": "DE01", "id": "in_1"}})
    assert decision.output == {"connection": "netsuite", "book": "3", "deep": {"a": ["in_1", "x"]}}
    assert decision.inputs == {"invoice.entity": "DE01", "invoice.id": "in_1"}


@pytest.mark.parametrize(("value", "matches"), [(0, True), ("", False), ([], False), (None, False), ("no", True)])
def test_truth_is_that_of_expressions(value: Any, matches: bool) -> None:  # noqa: FBT001 - a table's column
    policy = route({"name": "one", "when": "value", "then": {}}, {"name": "two", "then": {}})
    assert decide(policy, {"value": value}).rule == ("one" if matches else "two")


def test_a_route_needs_a_rule() -> None:
    with pytest.raises(FixData) as caught:
        decide(route(JAPAN), {"invoice": {"entity": "US01"}})
    assert (caught.value.code, caught.value.facts["policy"]) == ("no-rule-matched", "erp")


@pytest.mark.parametrize("kind", ["throttle", "approve", "hold", "drift"])
@pytest.mark.parametrize("match", ["first", "all"])
def test_of_the_others_nothing_is_asked_when_no_rule_matches(kind: str, match: str) -> None:
    then = {
        "throttle": {"rate": 1},
        "approve": {"approvals": 1},
        "hold": {"reason": "x"},
        "drift": {"action": "accept"},
    }
    decision = decide(made(kind, {"name": "one", "when": "`false`", "then": then[kind]}, match=match), {})
    assert (decision.rules, decision.output) == ((), {})


def test_a_failure_names_policy_and_rule() -> None:
    policy = route({"name": "books", "then": {"book": "=table('books', entity)"}})
    with pytest.raises(NotMapped) as caught:
        decide(policy, {"entity": "FR01"})
    facts = caught.value.facts
    assert (facts["policy"], facts["rule"], facts["key"]) == ("erp", "books", "FR01")
    assert facts["expression"] == "table('books', entity)"


@pytest.mark.parametrize(
    ("kind", "then", "value"),
    [
        ("throttle", {"rate": "=value"}, Decimal(0)),
        ("throttle", {"concurrency": "=value"}, Decimal("1.5")),
        ("approve", {"approvals": "=value"}, "two"),
        ("approve", {"approvals": "=value"}, None),
        ("approve", {"approvals": 1, "role": "=value"}, "viewer"),
        ("approve", {"approvals": 1, "within": "=value"}, "2 days"),
        ("approve", {"approvals": 1, "within": "=value"}, "PT0S"),
        ("hold", {"reason": "=value"}, " "),
        ("hold", {"reason": "x", "until": "=value"}, "tomorrow"),
        ("hold", {"reason": "x", "until": "=value"}, "2026-01-31T10:00:00"),
        ("drift", {"action": "=value"}, "ignore"),
    ],
)
def test_an_output_that_does_not_fit_is_an_error(kind: str, then: dict[str, Any], value: Any) -> None:
    with pytest.raises(FixData) as caught:
        decide(made(kind, {"name": "one", "then": then}), {"value": value})
    assert (caught.value.code, caught.value.facts["rule"]) == ("bad-output", "one")


def test_an_optional_output_may_come_to_nothing() -> None:
    policy = made("hold", {"name": "one", "then": {"reason": "x", "until": "=input.ends"}})
    assert decide(policy, {"input": {}}).output == {"reason": "x"}


#: Kind, the outputs of rules that all match, and what they give together in whatever order.
TOGETHER: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("throttle", [{"rate": 5}, {"rate": Decimal("0.5"), "concurrency": 3}, {"concurrency": 2}],
     {"rate": Decimal("0.5"), "concurrency": 2}),
    ("approve", [{"approvals": 1, "role": "approver"}, {"approvals": 2, "role": "controller"}, {"approvals": 0}],
     {"approvals": 2, "role": "controller"}),
    ("approve", [{"approvals": 1, "deadline": "2026-02-01"}, {"approvals": 2, "deadline": "2026-01-31T22:00:00-05:00"}],
     {"approvals": 2, "deadline": "2026-02-01"}),
    ("approve", [{"approvals": 1, "within": "P2D", "escalate_after": "PT36H", "valid": "P1D"},
                 {"approvals": 2, "within": "PT47H", "escalate_after": "P1D", "escalate_to": "controller"}],
     {"approvals": 2, "within": "PT47H", "escalate_after": "P1D", "escalate_to": "controller", "valid": "P1D"}),
    ("hold", [{"reason": "a", "until": "2026-01-05"}, {"reason": "a", "until": "2026-01-04T23:00:00-03:00"}],
     {"reason": "a", "until": "2026-01-04T23:00:00-03:00"}),
    ("hold", [{"reason": "a", "until": "2026-01-05"}, {"reason": "a"}], {"reason": "a"}),
    ("drift", [{"action": "accept"}, {"action": "reject"}, {"action": "quarantine"}], {"action": "reject"}),
    ("drift", [{"action": "accept"}, {"action": "quarantine"}], {"action": "quarantine"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "outputs", "together"), TOGETHER)
def test_all_matching_rules_together(kind: str, outputs: list[dict[str, Any]], together: dict[str, Any]) -> None:
    for order in permutations(outputs):
        rules = [{"name": f"rule {number}", "then": then} for number, then in enumerate(order)]
        decision = decide(made(kind, *rules, match="all"), {})
        assert decision.output == together
        assert len(decision.rules) == len(outputs)


def test_the_reasons_of_all_holds_are_told() -> None:
    policy = made(
        "hold",
        {"name": "freeze", "then": {"reason": "A freeze."}},
        {"name": "closed", "then": {"reason": "A closed period."}},
        match="all",
    )
    decision = decide(policy, {})
    assert decision.output == {"reason": "A freeze; A closed period"}
    assert decision.rule == "freeze, closed"


@pytest.mark.parametrize(
    ("kind", "rules", "more", "where", "position"),
    [
        ("route", [], {}, ("rules",), None),
        ("route", ["x"], {}, ("rules", 0), None),
        ("route", [JAPAN], {"match": "all"}, ("match",), None),
        ("route", [JAPAN], {"match": None}, ("match",), None),
        ("route", [JAPAN], {"version": None}, ("version",), None),
        ("route", [JAPAN], {"version": True}, ("version",), None),
        ("route", [JAPAN], {"matc": "first"}, ("matc",), None),
        ("route", [{**JAPAN, "wen": "x"}], {}, ("rules", 0, "wen"), None),
        ("route", [{"then": {}}], {}, ("rules", 0, "name"), None),
        ("route", [{"name": "x", "then": "netsuite"}], {}, ("rules", 0, "then"), None),
        ("route", [{**JAPAN, "when": "a =="}], {}, ("rules", 0, "when"), 4),
        ("route", [{**JAPAN, "when": True}], {}, ("rules", 0, "when"), None),
        ("route", [{"name": "x", "then": {"a": ["=b."]}}], {}, ("rules", 0, "then", "a", 0), 3),
        ("route", [{"name": "x", "then": {"a": "=table('book', b)"}}], {}, ("rules", 0, "then", "a"), 7),
        ("route", [JAPAN, JAPAN], {}, ("rules", 1, "name"), None),
        ("drift", [{"name": "x", "then": {}}], {}, ("rules", 0, "then"), None),
        ("drift", [{"name": "x", "then": {"action": "ignore"}}], {}, ("rules", 0, "then", "action"), None),
        ("throttle", [{"name": "x", "then": {"rate": 0}}], {}, ("rules", 0, "then", "rate"), None),
        ("throttle", [{"name": "x", "then": {"speed": 1}}], {}, ("rules", 0, "then", "speed"), None),
        ("hold", [{"name": "x", "then": {"reason": "x", "until": "soon"}}], {}, ("rules", 0, "then", "until"), None),
        ("approve", [{"name": "x", "then": {"approvals": 11}}], {}, ("rules", 0, "then", "approvals"), None),
        ("approve", [{"name": "x", "then": {"approvals": 1, "valid": "2D"}}], {}, ("rules", 0, "then", "valid"), None),
        ("approve", [{"name": "x", "then": {"approvals": 1, "role": "admin"}}], {}, ("rules", 0, "then", "role"), None),
        (
            "approve",
            [{"name": "x", "then": {"approvals": 1, "escalate_to": "controller"}}],
            {},
            ("rules", 0, "then", "escalate_to"),
            None,
        ),
    ],
)
def test_one_mistake(
    kind: str, rules: list[Any], more: dict[str, Any], where: tuple[str | int, ...], position: int | None
) -> None:
    document = {"policy": "erp", "kind": kind, "version": 1, "match": "first", "rules": rules, **more}
    with pytest.raises(InvalidDocument) as caught:
        compile_policy(document, TABLES)
    (mistake,) = caught.value.mistakes
    assert (mistake.where, mistake.position) == (where, position)


def test_an_unknown_kind() -> None:
    with pytest.raises(InvalidDocument, match=", ".join(f"`{name}`" for name in KINDS)):
        compile_policy({"policy": "p", "kind": "rout"}, {})
