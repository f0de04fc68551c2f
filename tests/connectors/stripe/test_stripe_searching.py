"""Objects are found by their metadata, to the letter, and nothing else is taken for what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from hub.sandbox.server import Running
from hub.sdk.connector import ReadOperation
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import Request, Response
from tests.connectors.stripe.test_stripe_billing import hand

SEARCH = CONNECTOR.operation("customer.search")
WANTED = {"metadata": {"crm_account": "001A"}}


async def test_a_customer_is_found_by_all_that_is_asked_of_its_metadata(sandbox: Running) -> None:
    odd = '" OR name:"A\\'
    async with hand(sandbox) as stripe:
        made = await stripe.write("customer.create", name="A", metadata={"crm_account": "001A", "note": odd})
        await stripe.write("customer.create", name="B", metadata={"crm_account": "001a", "note": odd})
        both = await stripe.read("customer.search", metadata={"note": odd})
        (one,) = (await stripe.read("customer.search", **WANTED))["data"]
        assert one["id"] == made["id"]
        assert len(both["data"]) == 2
        assert both["has_more"] is False
        first = await stripe.read("customer.search", metadata={"note": odd}, limit=1)
        assert [first["has_more"], [found["name"] for found in first["data"]]] == [True, ["B"]]
        (one,) = (await stripe.read("customer.search", metadata={"note": odd, "crm_account": "001a"}))["data"]
        assert one["name"] == "B"
        assert (await stripe.read("customer.search", metadata={"note": "A"}))["data"] == []


class Answering:
    """A session of which every request has the same answer."""

    settings = CONNECTOR.settings.model_validate(SAMPLES.settings)

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def send(self, _request: Request) -> Response:
        return Response(status=200, headers={}, body=dumps(self._answer))


CUSTOMER = {"id": "cus_1", "object": "customer", "metadata": {"crm_account": "001A"}}


@pytest.mark.parametrize(
    "answer",
    [
        {"object": "list", "data": [CUSTOMER], "has_more": False},
        {"object": "search_result", "has_more": False},
        {"object": "search_result", "data": [CUSTOMER]},
        {"object": "search_result", "data": ["cus_1"], "has_more": False},
        {"object": "search_result", "data": [{**CUSTOMER, "object": "product"}], "has_more": False},
        {"object": "search_result", "data": [{**CUSTOMER, "id": 1}], "has_more": False},
        {"object": "search_result", "data": [{**CUSTOMER, "metadata": None}], "has_more": False},
        {"object": "search_result", "data": [{**CUSTOMER, "metadata": {}}], "has_more": False},
        {"object": "search_result", "data": [{**CUSTOMER, "metadata": {"crm_account": "001B"}}], "has_more": False},
    ],
)
async def test_what_was_not_asked_for_is_not_believed(answer: Any) -> None:
    assert isinstance(SEARCH, ReadOperation)
    with pytest.raises(OutcomeUnknown):
        await SEARCH.read(Answering(answer), WANTED)
