"""SOQL in the sandbox: what it finds, in what order and pages, and what it says of queries that make no sense."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.saving import Manner
from connectors.salesforce.sandbox.soql.conditions import _pattern
from connectors.salesforce.sandbox.soql.running import Found, run
from hub.sandbox.world import World

ROWS: list[dict[str, Any]] = [
    {"Name": "Alder", "Region__c": "EMEA", "AnnualRevenue": "1000", "Segments__c": "Startup;Enterprise"},
    {"Name": "birch", "Region__c": "AMER", "AnnualRevenue": "250.4", "On_Credit_Hold__c": True},
    {"Name": "Cedar_100%", "Region__c": "EMEA", "Segments__c": "Enterprise", "Billing_Id__c": "c1"},
    {"Name": "Dog's", "AnnualRevenue": "250"},
]
CONTACTS = [("Ash", "Alder", "2000-05-01"), ("Bo", "Alder", "1990-01-31"), ("Cy", "birch", None), ("Di", None, None)]


@pytest.fixture(scope="module")
def org() -> Org:
    made = Org(World(name="salesforce", seed=1))
    manner = Manner(user=made.user_id)
    ids = {row["Name"]: made.saver.insert(made.schema.get("Account"), row, manner).id for row in ROWS}
    for last, account, born in CONTACTS:
        body = {"LastName": last, "AccountId": ids.get(account or ""), "Birthdate": born}
        made.saver.insert(made.schema.get("Contact"), body, manner)
    return made


_NAMES = "SELECT Name FROM Account WHERE {} {}"


def names(org: Org, condition: str, *, order: str = "ORDER BY Name") -> list[str]:
    found = run(org, _NAMES.format(condition, order))
    return [str(record.get("Name")) for record in found.records]


def shown(org: Org, soql: str) -> list[dict[str, Any]]:
    found = run(org, soql)
    if found.rows is not None:
        rows: list[dict[str, Any]] = list(found.rows)
    else:
        assert found.shape is not None
        rows = org.cursors.first(found.records, found.shape, base="", rows=2000)["records"]
    return [_bare(row) for row in rows]


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if name != "attributes"}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Name = 'ALDER'", ["Alder"]),
        ("Name != 'alder' AND Name != 'Birch'", ["Cedar_100%", "Dog's"]),
        ("Name = 'Dog\\'s'", ["Dog's"]),
        ("Name LIKE '%R'", ["Alder"]),
        ("Name LIKE '_edar\\_100\\%'", ["Cedar_100%"]),
        ("Name LIKE 'A_der'", ["Alder"]),
        ("(NOT Name LIKE '%d%') OR Region__c = null", ["birch", "Dog's"]),
        ("Region__c = null", ["Dog's"]),
        ("Region__c != null AND AnnualRevenue != null", ["Alder", "birch"]),
        ("Region__c != 'EMEA'", ["birch", "Dog's"]),
        ("Region__c IN ('emea', 'APAC')", ["Alder", "Cedar_100%"]),
        ("Region__c NOT IN ('EMEA', null)", ["birch"]),
        ("Region__c IN (null)", ["Dog's"]),
        ("AnnualRevenue > 250", ["Alder"]),
        ("AnnualRevenue >= 250 AND AnnualRevenue < 1E3", ["birch", "Dog's"]),
        ("AnnualRevenue = 250.0", ["birch", "Dog's"]),
        ("AnnualRevenue IN (1000, 7)", ["Alder"]),
        ("On_Credit_Hold__c = true", ["birch"]),
        ("On_Credit_Hold__c = FALSE AND Billing_Id__c = 'c1'", ["Cedar_100%"]),
        ("Billing_Id__c = 'C1'", []),
        ("Segments__c INCLUDES ('Startup;Enterprise', 'Mid-Market')", ["Alder"]),
        ("Segments__c INCLUDES ('Enterprise')", ["Alder", "Cedar_100%"]),
        ("Segments__c EXCLUDES ('Startup')", ["birch", "Cedar_100%", "Dog's"]),
        ("CreatedDate = TODAY", ["Alder", "birch", "Cedar_100%", "Dog's"]),
        ("CreatedDate < TODAY OR CreatedDate > LAST_N_DAYS:3", []),
        ("CreatedDate >= LAST_N_DAYS:3 AND CreatedDate <= THIS_YEAR", ["Alder", "birch", "Cedar_100%", "Dog's"]),
        ("CreatedDate > 2020-01-01T00:00:00+02:00", ["Alder", "birch", "Cedar_100%", "Dog's"]),
        ("Id IN (SELECT AccountId FROM Contact WHERE LastName IN ('Ash', 'Cy'))", ["Alder", "birch"]),
        ("Id NOT IN (SELECT AccountId FROM Contact)", ["Cedar_100%", "Dog's"]),
        ("Owner.Username LIKE 'integration@%' AND Account.Name > 'c'", ["Cedar_100%", "Dog's"]),
        ("Name > 'b' AND Name <= 'cedar_100%'", ["birch", "Cedar_100%"]),
        ("NOT (Name = 'Alder' OR Name = 'birch')", ["Cedar_100%", "Dog's"]),
        ("Name = 'Alder' AND (Region__c = 'EMEA' OR (Region__c = 'AMER' AND Name = 'x'))", ["Alder"]),
    ],
)
def test_conditions(org: Org, condition: str, found: list[str]) -> None:
    assert names(org, condition) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("ORDER BY Name DESC", ["Dog's", "Cedar_100%", "birch", "Alder"]),
        ("ORDER BY Region__c, Name", ["Dog's", "birch", "Alder", "Cedar_100%"]),
        ("ORDER BY Region__c ASC NULLS LAST, Name DESC", ["birch", "Cedar_100%", "Alder", "Dog's"]),
        ("ORDER BY AnnualRevenue DESC NULLS LAST, Name", ["Alder", "birch", "Dog's", "Cedar_100%"]),
        ("ORDER BY AnnualRevenue DESC NULLS FIRST, Name", ["Cedar_100%", "Alder", "birch", "Dog's"]),
        ("ORDER BY Name LIMIT 2 OFFSET 1", ["birch", "Cedar_100%"]),
        ("ORDER BY Owner.Name, Name LIMIT 1", ["Alder"]),
        ("LIMIT 0", []),
    ],
)
def test_orders(org: Org, order: str, found: list[str]) -> None:
    assert names(org, "Id != null", order=order) == found


def test_paths_to_parents_and_lists_of_children(org: Org) -> None:
    found = shown(org, "SELECT LastName, Account.Name, Account.Owner.Alias FROM Contact ORDER BY LastName DESC LIMIT 2")
    assert found[0] == {"LastName": "Di", "Account": None}
    assert found[1]["Account"] == {"Name": "birch", "Owner": {"Alias": "integrat"}}
    found = shown(org, "SELECT a.Name, (SELECT LastName FROM Contacts ORDER BY LastName DESC LIMIT 1) FROM Account a")
    assert [row["Contacts"] and row["Contacts"]["records"] for row in found] == [
        [{"LastName": "Bo"}],
        [{"LastName": "Cy"}],
        None,
        None,
    ]
    found = shown(org, "SELECT Name, (SELECT Name, (SELECT LastName FROM Contacts) FROM ChildAccounts) FROM Account")
    assert [row["ChildAccounts"] for row in found] == [None] * 4
    with pytest.raises(Refusal, match="at most 5 levels"):
        run(org, "SELECT Id, " + "(SELECT Id, " * 5 + "Name" + " FROM ChildAccounts)" * 5 + " FROM Account")
    born = shown(org, "SELECT LastName FROM Contact WHERE Birthdate < 1995-01-01")
    assert born == [{"LastName": "Bo"}]


def test_aggregates(org: Org) -> None:
    assert run(org, "SELECT COUNT() FROM Account WHERE Region__c = 'EMEA'").total == 2
    (row,) = shown(
        org,
        "SELECT COUNT(Id), COUNT(Region__c) regions, COUNT_DISTINCT(Region__c), SUM(AnnualRevenue), "
        "AVG(AnnualRevenue), MIN(Name), MAX(AnnualRevenue) FROM Account",
    )
    assert (row["expr0"], row["regions"], row["expr1"], row["expr2"]) == (4, 3, 2, 1500)
    assert (row["expr3"], row["expr4"], row["expr5"]) == (500, "Alder", 1000)
    grouped = shown(
        org,
        "SELECT Region__c region, COUNT(Id) n FROM Account GROUP BY Region__c "
        "HAVING COUNT(Id) >= 1 AND Region__c != null ORDER BY COUNT(Id) DESC, Region__c",
    )
    assert grouped == [{"region": "EMEA", "n": 2}, {"region": "AMER", "n": 1}]
    by_parent = shown(org, "SELECT Account.Name, COUNT(Id) FROM Contact GROUP BY Account.Name ORDER BY Account.Name")
    assert by_parent[1] == {"Name": "Alder", "expr0": 2}
    assert shown(org, "SELECT SUM(AnnualRevenue) s FROM Account WHERE Name = 'x'") == [{"s": None}]
    assert shown(org, "SELECT Name FROM Account GROUP BY Name ORDER BY Name LIMIT 1") == [{"Name": "Alder"}]


def test_all_fields_at_once(org: Org) -> None:
    (row,) = shown(org, "SELECT FIELDS(ALL) FROM Account LIMIT 1")
    assert {"Id", "Billing_Id__c", "BillingAddress", "SystemModstamp"} <= set(row)
    (row,) = shown(org, "SELECT FIELDS(STANDARD) FROM Account WHERE Name = 'Alder'")
    assert "Name" in row and "Billing_Id__c" not in row
    (row,) = shown(org, "SELECT FIELDS(CUSTOM), Id FROM Account LIMIT 1")
    assert "Billing_Id__c" in row and "Name" not in row


@pytest.mark.parametrize(
    ("soql", "code", "part"),
    [
        ("", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FORM Account", "MALFORMED_QUERY", "ERROR at Row:1:Column:16"),
        ("SELECT Id\nFROM Account\nWHERE Name == 'x'", "MALFORMED_QUERY", "ERROR at Row:3:Column:13"),
        ("SELECT * FROM Account", "MALFORMED_QUERY", "unexpected token: '*'"),
        ('SELECT Id FROM Account WHERE Name = "x"', "MALFORMED_QUERY", "no viable alternative at character '\"'"),
        ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Account WHERE Name = 'a\\qb'", "MALFORMED_QUERY", "invalid escape"),
        ("SELECT Id FROM Account WHERE A = 1 AND B = 2 OR C = 3", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id FROM Account WHERE Name = :name", "MALFORMED_QUERY", "unexpected token: ':'"),
        ("SELECT Id FROM Account WHERE Name IS NULL", "MALFORMED_QUERY", "unexpected token: 'IS'"),
        ("SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-1'"),
        ("SELECT Id FROM Account;", "MALFORMED_QUERY", "';'"),
        ("SELECT Id FROM Account ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"),
        ("SELECT Id FROM Account FOR UPDATE", "MALFORMED_QUERY", "not supported by this sandbox"),
        ("SELECT toLabel(Region__c) FROM Account", "MALFORMED_QUERY", "not supported by this sandbox"),
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'"),
        ("SELECT Foo.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Foo'"),
        ("SELECT Id FROM Accounts", "INVALID_TYPE", "sObject type 'Accounts' is not supported"),
        (
            "SELECT Id, (SELECT Id FROM Contact) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'Contact'",
        ),
        ("SELECT Id, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id n FROM Account", "MALFORMED_QUERY", "aliasing"),
        (
            "SELECT Id FROM Account WHERE AnnualRevenue = '1'",
            "INVALID_FIELD",
            "must be of type double and should not be",
        ),
        ("SELECT Id FROM Account WHERE Name = 1", "INVALID_FIELD", "must be of type string and should be enclosed"),
        ("SELECT Id FROM Account WHERE Name = TODAY", "INVALID_FIELD", "must be of type string"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Contact WHERE Birthdate > 2026-01-01T00:00:00Z", "INVALID_FIELD", "must be of type date "),
        ("SELECT Id FROM Contact WHERE Birthdate > 2026-02-30", "MALFORMED_QUERY", "Invalid date"),
        ("SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_FIELD", "invalid operator on id field"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
        ("SELECT Id FROM Account WHERE Region__c INCLUDES ('EMEA')", "INVALID_FIELD", "multi-select"),
        ("SELECT Id FROM Account WHERE AnnualRevenue > USD5000", "INVALID_FIELD", "unexpected token"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "not allowed in a WHERE clause"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)", "INVALID_FIELD", "neither an id"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "must be grouped or aggregated: Name"),
        ("SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", "does not support aggregate operator SUM"),
        ("SELECT COUNT(Id) a, MAX(Name) a FROM Account", "MALFORMED_QUERY", "duplicate alias: a"),
        ("SELECT Id FROM Account HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "HAVING"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT convertCurrency(AnnualRevenue) FROM Account", "MALFORMED_QUERY", "several currencies"),
        ("SELECT A.B.C.D.E.F.G FROM Account", "MALFORMED_QUERY", "at most 5 parents"),
        ("SELECT Id FROM Account WHERE " + "(" * 200 + "Id = null" + ")" * 200, "MALFORMED_QUERY", "nested too deeply"),
        ("SELECT Id FROM Account WHERE Name = '" + "x" * 100_001 + "'", "MALFORMED_QUERY", "cannot be longer"),
    ],
)
def test_queries_that_make_no_sense(org: Org, soql: str, code: str, part: str) -> None:
    with pytest.raises(Refusal) as refused:
        run(org, soql)
    assert (refused.value.code, refused.value.status) == (code, 400)
    assert part in refused.value.message


WORDS = st.sampled_from(
    "SELECT FROM WHERE AND OR NOT IN LIKE ORDER BY GROUP HAVING LIMIT OFFSET NULLS LAST COUNT SUM FIELDS ( ) , = != < "
    "> Id Name Account Contact Contacts Account.Name AnnualRevenue TODAY LAST_N_DAYS : 5 5.5 'x' '%' 2026-01-01 null "
    "true INCLUDES Segments__c USD5 CreatedDate 2026-01-01T00:00:00Z ALL a".split()
)


@given(st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=60)))
@example("SELECT Id FROM Account WHERE CreatedDate = LAST_N_YEARS:9999")
@example("SELECT Id FROM Account WHERE CreatedDate = NEXT_N_YEARS:99999")
@example("SELECT COUNT() FROM Account ORDER BY Name")
@example("SELECT Id FROM Account WHERE Name LIKE '\\\\'")
def test_whatever_is_asked_is_answered_or_refused(org: Org, soql: str) -> None:
    outcome: Found | Refusal
    try:
        outcome = run(org, soql)
    except Refusal as refusal:
        outcome = refusal
    assert (outcome.status == 400 and outcome.message) if isinstance(outcome, Refusal) else outcome.total >= 0


@given(st.lists(st.sampled_from("%_\\ab."), max_size=6).map("".join), st.text("ab.%_\\", max_size=6))
def test_a_pattern_matches_what_a_slow_reading_of_it_matches(pattern: str, name: str) -> None:
    assert (re.compile(_pattern(pattern), re.DOTALL).fullmatch(name) is not None) is _slow(pattern, name)


def _slow(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "%":
        return any(_slow(pattern[1:], name[place:]) for place in range(len(name) + 1))
    if pattern[0] == "_":
        return bool(name) and _slow(pattern[1:], name[1:])
    escaped = pattern[0] == "\\"
    letter, rest = (pattern[1:2] or "\\", pattern[2:]) if escaped else (pattern[0], pattern[1:])
    return name[:1] == letter and _slow(rest, name[1:])
