"""A key or a time that is gone or is another thing is named, with its set, wherever an answer is refused for it."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.s4hana.connector import CONNECTOR
from hub.schemas.drift import compile_drift
from hub.sdk.connector import ReadOperation
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import Request, Response
from tests.connectors.s4hana.test_s4hana_streams import LONG_AGO

#: Which read, what of its answer holds the record, and the name and place of its key in what is compared.
READS = {
    "one": ("sales_order.read", "d", "SalesOrder", ""),
    "one of v4": ("sales_order_v4.read", "", "SalesOrder", ""),
    "found": ("business_partner.find", "results", "BusinessPartner", ""),
    "found of v4": ("sales_order_v4.find", "value", "SalesOrder", ""),
    "account": ("gl_account.read", "d", "GLAccount", ""),
    "listed": ("contact_person.list", "results", "BusinessPartnerPerson", "contacts[]."),
}
OTHERS = {
    "SalesOrder": {"SoldToParty": "1"},
    "BusinessPartner": {"Customer": "1"},
    "GLAccount": {"ChartOfAccounts": "YCOA", "GLAccountGroup": "X"},
    "BusinessPartnerPerson": {
        "RelationshipNumber": "1",
        "BusinessPartnerCompany": "1",
        "ValidityEndDate": "/Date(253402214400000)/",
    },
}


def answered(record: Any, wrapped: str) -> Response:
    body = {"": record, "d": {"d": record}, "results": {"d": {"results": [record]}}, "value": {"value": [record]}}
    return Response(status=200, body=dumps(body[wrapped]))


def claimed(name: str, response: Response) -> set[tuple[str, str]]:
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, ReadOperation)
    assert operation.claim is not None
    schema, record = operation.claim(response)
    return {(one.kind.value, one.path) for one in compile_drift(CONNECTOR.schemas[str(schema)])(record)}


@pytest.mark.parametrize("name", sorted(READS))
def test_a_key_that_is_gone_or_is_another_thing_is_named(name: str) -> None:
    operation, wrapped, key, place = READS[name]
    assert ("missing-field", f"{place}{key}") in claimed(operation, answered(OTHERS[key], wrapped))
    assert ("changed-type", f"{place}{key}") in claimed(operation, answered({**OTHERS[key], key: 7}, wrapped))


@pytest.mark.parametrize("name", sorted(READS))
def test_what_is_nothing_of_the_set_is_compared_with_nothing(name: str) -> None:
    operation, wrapped, _, _ = READS[name]
    with pytest.raises(OutcomeUnknown):
        claimed(operation, answered({"message": "gone fishing"}, wrapped))


class Rows:
    """Answers with these rows."""

    settings = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    async def send(self, request: Request) -> Response:
        return Response(status=200, body=dumps({"d": {"results": self.rows, "__count": str(len(self.rows))}}))


NOW = "/Date(1769817600000+0000)/"
DAY = "/Date(1769817600000)/"


@pytest.mark.parametrize(
    ("stream", "row", "field", "what"),
    [
        ("sales_orders", {"SalesOrder": "1"}, "LastChangeDateTime", "missing"),
        ("sales_orders", {"SalesOrder": "1", "LastChangeDateTime": 20260131}, "LastChangeDateTime", "a number"),
        ("sales_orders", {"SalesOrder": "1", "LastChangeDateTime": "soon"}, "LastChangeDateTime", "another text"),
        ("sales_orders", {"SalesOrder": 1, "LastChangeDateTime": NOW}, "SalesOrder", "a number"),
        ("products", {"LastChangeDateTime": NOW}, "Product", "missing"),
        (
            "business_partners",
            {"BusinessPartner": "1", "LastChangeDate": DAY, "LastChangeTime": False},
            "LastChangeTime",
            "true or false",
        ),
        ("business_partners", {"BusinessPartner": "1", "LastChangeDate": 20260131}, "LastChangeDate", "a number"),
        ("business_partners", {"BusinessPartner": "1"}, "CreationDate", "missing"),
    ],
)
async def test_changes_that_cannot_be_read_tell_which_field_and_why(
    stream: str, row: Any, field: str, what: str
) -> None:
    sets = {"sales_orders": "A_SalesOrder", "products": "A_Product", "business_partners": "A_BusinessPartner"}
    pull = next(each for each in CONNECTOR.streams if each.name == stream).pull
    link: Any = Rows(row)
    with pytest.raises(OutcomeUnknown) as refusal:
        [page async for page in pull(link, None, LONG_AGO)]
    facts = refusal.value.facts
    assert (facts["set"], facts["property"], facts["what"]) == (sets[stream], field, what)
