"""Routing: which rule decides, and what it gives."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import FixData, NotMapped
from hub.expressions.mistakes import InvalidDocument
from hub.policy.compiler import compile_policy
from hub.policy.route import RoutePolicy, decide

TABLES = {"books": {"DE01": "3"}}


def route(*rules: dict[str, Any], **more: Any) -> RoutePolicy:
    policy = compile_policy({"policy": "erp", "kind": "route", "match": "first", "rules": list(rules), **more}, TABLES)
    assert isinstance(policy, RoutePolicy)
    return policy


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


def test_values_after_an_equals_sign_are_worked_out() -> None:
    others = {**OTHERS, "then": {**OTHERS["then"], "deep": {"a": ["=invoice.id", "x"]}}}  # type: ignore[dict-item]
    decision = decide(route(JAPAN, others), {"invoice": {"entity": "DE01", "id": "in_1"}})
    assert decision.output == {"connection": "netsuite", "book": "3", "deep": {"a": ["in_1", "x"]}}


@pytest.mark.parametrize(("value", "matches"), [(0, True), ("", False), ([], False), (None, False), ("no", True)])
def test_truth_is_that_of_expressions(value: Any, matches: bool) -> None:  # noqa: FBT001 - a table's column
    policy = route({"name": "one", "when": "value", "then": {}}, {"name": "two", "then": {}})
    assert decide(policy, {"value": value}).rule == ("one" if matches else "two")


def test_no_rule() -> None:
    with pytest.raises(FixData) as caught:
        decide(route(JAPAN), {"invoice": {"entity": "US01"}})
    assert (caught.value.code, caught.value.facts["policy"]) == ("no-rule-matched", "erp")


def test_a_failure_names_policy_and_rule() -> None:
    policy = route({"name": "books", "then": {"book": "=table('books', entity)"}})
    with pytest.raises(NotMapped) as caught:
        decide(policy, {"entity": "FR01"})
    facts = caught.value.facts
    assert (facts["policy"], facts["rule"], facts["key"]) == ("erp", "books", "FR01")
    assert facts["expression"] == "table('books', entity)"


@pytest.mark.parametrize(
    ("rules", "more", "where", "position"),
    [
        ([], {}, ("rules",), None),
        (["x"], {}, ("rules", 0), None),
        ([JAPAN], {"match": "all"}, ("match",), None),
        ([JAPAN], {"matc": "first"}, ("matc",), None),
        ([{**JAPAN, "wen": "x"}], {}, ("rules", 0, "wen"), None),
        ([{"then": {}}], {}, ("rules", 0, "name"), None),
        ([{"name": "x", "then": "netsuite"}], {}, ("rules", 0, "then"), None),
        ([{**JAPAN, "when": "a =="}], {}, ("rules", 0, "when"), 4),
        ([{**JAPAN, "when": True}], {}, ("rules", 0, "when"), None),
        ([{"name": "x", "then": {"a": ["=b."]}}], {}, ("rules", 0, "then", "a", 0), 3),
        ([{"name": "x", "then": {"a": "=table('book', b)"}}], {}, ("rules", 0, "then", "a"), 7),
        ([JAPAN, JAPAN], {}, ("rules", 1, "name"), None),
        ([{"name": "all", "then": {}}, JAPAN], {}, ("rules", 0), None),
    ],
)
def test_one_mistake(
    rules: list[Any], more: dict[str, Any], where: tuple[str | int, ...], position: int | None
) -> None:
    with pytest.raises(InvalidDocument) as caught:
        route(*rules, **more)
    (mistake,) = caught.value.mistakes
    assert (mistake.where, mistake.position) == (where, position)


def test_an_unknown_kind() -> None:
    with pytest.raises(InvalidDocument, match="`route` and `retry`"):
        compile_policy({"policy": "p", "kind": "rout"}, {})
