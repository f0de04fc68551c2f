"""Whatever is sent to the sandbox is answered or refused in Salesforce's words; nothing breaks it or half happens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.sandbox.app import router_of
from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.wire import Call, Reply, Router
from hub.sandbox.world import World

IDS = st.sampled_from(["001010000000001AAA", "003010000000001AAA", "001010000000099AAA", "x", "001010000000001"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    IDS,
    st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z", "EMEA", "a@b.example", "@{a.id}", "Activated", "1e5"]),
)
NAMES = st.sampled_from(
    "attributes Name LastName id Id AccountId Account ParentId Billing_Id__c AnnualRevenue CreatedDate "
    "Region__c records allOrNone type referenceId Contacts Quantity__c Metric__c Key__c Account__r Status "
    "EffectiveDate ids fields compositeRequest method url body graphs graphId batchRequests operation "
    "object query externalIdFieldName".split()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
PLAIN = st.dictionaries(NAMES, VALUES, max_size=6)
PATHS = st.sampled_from(
    [
        "/sobjects/Account",
        "/sobjects/Account/001010000000001AAA",
        "/sobjects/Contact",
        "/sobjects/Order",
        "/sobjects/Usage__c/Key__c/u1",
        "/sobjects/Account/Billing_Id__c/c1",
        "/sobjects/Account/updated",
        "/sobjects/Account/describe",
        "/composite",
        "/composite/graph",
        "/composite/batch",
        "/composite/tree/Account",
        "/composite/sobjects",
        "/composite/sobjects/Account",
        "/composite/sobjects/Account/Billing_Id__c",
        "/jobs/ingest",
        "/jobs/query",
        "/query",
        "/query/0r8010000000001AAA-5",
        "/limits",
    ]
)
METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"])
ATTRIBUTES = st.one_of(VALUES, st.fixed_dictionaries({"type": st.sampled_from(["Account", "Contact", "Order", "x"])}))
RECORDS = st.lists(st.builds(lambda body, said: {**body, "attributes": said}, PLAIN, ATTRIBUTES), max_size=4)
PARTS = st.lists(
    st.fixed_dictionaries(
        {
            "method": METHODS,
            "url": PATHS.map("/services/data/v68.0{}".format),
            "referenceId": st.sampled_from(["a", "b", "c"]),
            "body": st.one_of(PLAIN, VALUES),
            "richInput": PLAIN,
        }
    ),
    max_size=3,
)
#: Bodies of no shape, and of the shapes that the addresses with many records or calls want.
BODIES = st.one_of(
    PLAIN,
    st.fixed_dictionaries({"records": RECORDS, "allOrNone": VALUES}),
    st.fixed_dictionaries({"compositeRequest": PARTS, "allOrNone": st.booleans()}),
    st.fixed_dictionaries({"batchRequests": PARTS, "haltOnError": st.booleans()}),
    st.fixed_dictionaries({"graphs": st.lists(st.fixed_dictionaries({"graphId": VALUES, "compositeRequest": PARTS}))}),
)
QUERIES = st.dictionaries(
    st.sampled_from(["q", "fields", "ids", "allOrNone", "start", "end", "updateOnly"]),
    st.one_of(IDS, st.text(max_size=10), st.sampled_from(["true", "Name,Id", "SELECT Id FROM Account"])),
    max_size=2,
)


@pytest.fixture(scope="module")
def served() -> tuple[Org, Router]:
    org = Org(World(name="salesforce", seed=1))
    org.settings.bulk_seconds = 0.0
    return org, router_of(org)


def _ask(org: Org, router: Router, call: Call) -> Reply:
    try:
        with org.store.all_or_nothing():
            return router.dispatch(call)
    except Refusal as refusal:
        return Reply(status=refusal.status, body=refusal.body())


@given(METHODS, PATHS, QUERIES, BODIES)
def test_any_call_is_answered_or_refused(
    served: tuple[Org, Router], method: str, path: str, query: dict[str, str], body: dict[str, Any]
) -> None:
    org, router = served
    before = len(org.accepted)
    call = Call(method=method, path=path, version=68, query=query, headers={}, user=org.user_id, given=body)
    reply = _ask(org, router, call)
    assert reply.status in {200, 201, 204, 300, 304, 400, 403, 404, 405, 409, 415}
    if reply.status >= 400:
        assert isinstance(reply.body, dict) or reply.body[0]["errorCode"]
        assert len(org.accepted) == before


def _check_places(org: Org) -> None:
    for kind in org.schema:
        table = org.store.table(kind.name)
        for record in table.live.values():
            for name, value in record.values.items():
                field = kind.fields.get(name.lower())
                if field is not None and isinstance(value, Decimal):
                    assert value == value.quantize(Decimal(1).scaleb(-field.scale))


@given(st.lists(st.tuples(st.sampled_from(["POST", "PATCH", "DELETE"]), PLAIN), max_size=6))
def test_what_is_kept_can_always_be_shown(served: tuple[Org, Router], calls: list[tuple[str, dict[str, Any]]]) -> None:
    org, router = served
    for method, body in calls:
        path = "/sobjects/Account" if method == "POST" else "/sobjects/Account/001010000000001AAA"
        headers: dict[str, str] = {}
        sent = {**body, "Name": body.get("Name") or "Name"}
        _ask(org, router, Call(method=method, path=path, version=68, query={}, headers=headers, user="", given=sent))
    everything = "SELECT Id, Name, AnnualRevenue, BillingAddress, (SELECT Id FROM ChildAccounts) FROM Account"
    query = {"q": everything}
    shown = _ask(org, router, Call(method="GET", path="/query", version=68, query=query, headers={}, user=""))
    assert shown.status == 200
    _check_places(org)
    assert org.snapshot()["records"]["Account"] is not None
