"""How requests to Stripe are formed, and how far lists are followed, without any network."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.stripe.client import fields, pages
from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import Request, Response


class Repeating:
    """Something that answers every question with the same page, as a cache before Stripe might."""

    settings = CONNECTOR.settings.model_validate(dict(SAMPLES.settings))

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request.url)
        assert len(self.asked) < 5, "the list has no end"
        page = {"object": "list", "data": [{"id": "cus_2"}, {"id": "cus_1"}], "has_more": True}
        return Response(status=200, body=dumps(page))


async def test_a_page_that_comes_again_is_no_list() -> None:
    session = Repeating()
    listed = pages(session, "customers", query={})
    first: Any = await anext(listed)
    assert len(first) == 2
    with pytest.raises(OutcomeUnknown, match="again"):
        await anext(listed)
    assert "starting_after" not in session.asked[0]
    assert session.asked[1].endswith("starting_after=cus_1")


def test_amounts_are_written_without_exponents() -> None:
    form = {
        "amount": Decimal("5E+3"),
        "flag": True,
        "items": [{"price": "p"}],
        "none": None,
        "unit_amount_decimal": Decimal("0.0000001"),
    }
    assert list(fields(form)) == [
        ("amount", "5000"),
        ("flag", "true"),
        ("items[0][price]", "p"),
        ("none", ""),
        ("unit_amount_decimal", "0.0000001"),
    ]
    with pytest.raises(FixData, match="float"):
        list(fields({"amount": 1.5}))
