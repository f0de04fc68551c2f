"""Stripe Tax as a tax engine: recorded once and corrected in Stripe's way, whatever becomes of an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.contract_samples import NEW_YORK, SALE, TODAY
from connectors.stripe.samples import SAMPLES
from connectors.stripe.settings import StripeSettings
from connectors.stripe.tax_documents import calculation
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import Conflict, FixData, OutcomeParked, RetryLater
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey

KEY, OTHER, THIRD = (EffectKey(letter * 32) for letter in "abc")
SEED: Mapping[str, Any] = {
    "switches": {"rate": None},
    "tax_settings": [
        {"defaults": {"tax_code": "txcd_99999999"}, "head_office": {"address": {"state": "CA", "country": "US"}}}
    ],
    "tax_registrations": [
        {"country": "US", "country_options": {"us": {"state": "NY", "type": "state_sales_tax"}}, "active_from": 1},
        {"country": "DE", "active_from": 1},
        {"country": "FR", "active_from": 1},
    ],
}


class Engine:
    """Calls the connector's operations against the running sandbox."""

    def __init__(self, served: Running, connected: Connected) -> None:
        self.served = served
        self.connected = connected

    async def write(self, name: str, record: Mapping[str, Any], key: EffectKey = KEY) -> Mapping[str, Any]:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, WriteOperation)
        return await self.connected.write(operation, record, key)

    async def read(self, name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, ReadOperation)
        return await operation.ask(self.connected, record)

    @property
    def transactions(self) -> list[Mapping[str, Any]]:
        return list(self.served.world.books.snapshot()["tax_transactions"])


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    async with running(find("stripe")) as served:
        await served.world.books.seed(SEED)
        told = served.announcement
        given = {**SAMPLES.settings, "base_url": served.url, "api_key": told["api_key"]}
        connected = Connected(CONNECTOR, StripeSettings.model_validate({**given, "tax_codes": ("SW1=txcd_10103001",)}))
        try:
            yield Engine(served, connected)
        finally:
            await connected.close()


def sale(to: Mapping[str, Any] = NEW_YORK, **changes: Any) -> dict[str, Any]:
    return {**SALE, "ship_to": to, "lines": [{"id": "1", "amount": 100}], **changes}


async def test_what_is_quoted_is_recorded(engine: Engine) -> None:
    quote = await engine.read("tax.quote", SALE)
    assert (quote["kind"], quote["status"]) == ("estimate", "quoted")
    assert engine.transactions == []
    made = await engine.write("tax.commit", SALE)
    own = {"id", "version", "kind", "status"}
    assert {name: made[name] for name in quote if name not in own} == {
        name: quote[name] for name in quote if name not in own
    }
    assert (made["kind"], made["status"], made["version"]) == ("sale", "committed", 1)
    # Of 1250.10 - 50.05 and 80.00: 4 % of the state, 4.5 % of the city, 0.375 % of the district, each line by itself.
    assert made["tax_total"] == Decimal("113.60")
    amounts = [(line["id"], line["amount"]) for line in made["lines"]]
    assert amounts == [("1", Decimal("1200.05")), ("2", 0), ("3", 80)]
    assert all(sum(one["tax"] for one in line["details"]) == line["tax"] for line in made["lines"])
    assert "2 was taken off 1" in made["messages"][0]["text"]
    (transaction,) = engine.transactions
    assert transaction["id"] == made["id"]
    assert datetime.fromtimestamp(transaction["posted_at"], UTC).date().isoformat() == TODAY


async def test_a_repeat_makes_nothing_and_gives_the_same(engine: Engine) -> None:
    made = await engine.write("tax.commit", SALE)
    assert await engine.write("tax.commit", SALE) == made
    assert len(engine.transactions) == 1


async def test_a_repeat_after_the_key_was_forgotten_is_refused_by_the_reference(engine: Engine) -> None:
    await engine.write("tax.commit", SALE)
    await engine.served.world.books.seed({"elapse": 25 * 3600})
    with pytest.raises(FixData) as refused:
        await engine.write("tax.commit", SALE)
    assert refused.value.code == "resource-already-exists"
    assert len(engine.transactions) == 1


async def test_a_void_leaves_nothing_and_may_come_again_however_late(engine: Engine) -> None:
    made = await engine.write("tax.commit", SALE)
    there = {"id": made["id"], "code": made["code"]}
    assert await engine.write("tax.void", there, OTHER) == {**there, "status": "voided"}
    await engine.served.world.books.seed({"elapse": 25 * 3600})
    assert await engine.write("tax.void", there, OTHER) == {**there, "status": "voided"}
    assert await engine.write("tax.void", there, THIRD) == {**there, "status": "voided"}
    sold, back = engine.transactions
    assert [line["amount_tax"] for line in back["line_items"]] == [-line["amount_tax"] for line in sold["line_items"]]
    # The code is free for another document.
    again = await engine.write("tax.commit", SALE, THIRD)
    assert again["code"] == made["code"]
    assert again["id"] != made["id"]


async def test_a_refund_takes_lines_back_with_the_tax_of_that_time(engine: Engine) -> None:
    made = await engine.write("tax.commit", SALE)
    asked = {"id": made["id"], "code": made["code"], "refund_code": "CN-1", "date": TODAY, "lines": ["3"]}
    back = await engine.write("tax.refund", asked, OTHER)
    assert (back["code"], back["kind"], back["total"], back["tax_total"]) == ("CN-1", "return", -80, Decimal("-7.10"))
    await engine.served.world.books.seed({"elapse": 25 * 3600})
    late = await engine.write("tax.refund", asked, OTHER)
    assert {**late, "messages": [], "id": back["id"]} == back
    with pytest.raises(FixData):
        await engine.write("tax.refund", {**asked, "refund_code": "CN-2"}, THIRD)
    with pytest.raises(FixData, match="no line 9"):
        await engine.write("tax.refund", {**asked, "lines": ["9"]}, THIRD)
    assert len(engine.transactions) == 2
    read = await engine.read("tax.read", {"code": "CN-1", "kind": "return", "id": back["id"]})
    assert (read["kind"], read["tax_total"], read["code"]) == ("return", Decimal("-7.10"), "CN-1")


async def test_an_adjustment_reverses_and_records_the_next_version(engine: Engine) -> None:
    made = await engine.write("tax.commit", SALE)
    change = {**SALE, "id": made["id"], "reason": "price", "description": "The price fell."}
    change["lines"] = [{"id": "1", "amount": 1000}]
    new = await engine.write("tax.adjust", change, OTHER)
    assert (new["version"], new["code"], new["total"]) == (2, made["code"], 1000)
    assert await engine.write("tax.adjust", change, OTHER) == new
    assert [one["type"] for one in engine.transactions] == ["transaction", "reversal", "transaction"]
    taxes = [sum(line["amount_tax"] for line in one["line_items"]) for one in engine.transactions]
    assert taxes == [11360, -11360, 8875]
    with pytest.raises(FixData):
        await engine.write("tax.adjust", {**change, "reason": "other"}, THIRD)
    with pytest.raises(Conflict):
        await engine.write("tax.adjust", {**change, "id": new["id"], "code": "INV-2"}, THIRD)
    assert len(engine.transactions) == 3
    third = await engine.write("tax.adjust", {**change, "id": new["id"]}, THIRD)
    assert third["version"] == 3


async def test_an_adjustment_whose_second_half_fails_is_not_given_up(engine: Engine) -> None:
    made = await engine.write("tax.commit", SALE)
    change = {**SALE, "id": made["id"], "reason": "price", "description": "The price fell."}
    path = "create_from_calculation"
    plan = [{"kind": "503", "times": 1, "match": {"method": "POST", "path": path}}]
    engine.served.world.faults.replace(plan)
    with pytest.raises(RetryLater) as half:
        await engine.write("tax.adjust", change, OTHER)
    assert half.value.begun
    assert [one["type"] for one in engine.transactions] == ["transaction", "reversal"]
    new = await engine.write("tax.adjust", change, OTHER)
    assert new["version"] == 2
    assert [one["type"] for one in engine.transactions] == ["transaction", "reversal", "transaction"]


async def test_a_refusal_after_half_of_an_adjustment_is_for_a_person(engine: Engine) -> None:
    """Who gave it up would leave the sale taken back and nothing in its place."""
    made = await engine.write("tax.commit", SALE)
    change = {**SALE, "id": made["id"], "reason": "price", "description": "The price fell."}
    plan = [{"kind": "400", "times": 1, "match": {"method": "POST", "path": "create_from_calculation"}}]
    engine.served.world.faults.replace(plan)
    with pytest.raises(OutcomeParked) as half:
        await engine.write("tax.adjust", change, OTHER)
    assert half.value.begun
    # Before anything was changed a refusal is one.
    plan = [{"kind": "400", "times": 1, "match": {"method": "POST", "path": "create_reversal"}}]
    engine.served.world.faults.replace(plan)
    with pytest.raises(FixData) as nothing:
        await engine.write("tax.adjust", {**change, "description": "Another."}, THIRD)
    assert not nothing.value.begun


async def test_why_nothing_is_taken(engine: Engine) -> None:
    to = {"country": "US", "region": "TX", "postal_code": "78701"}
    nowhere = await engine.read("tax.quote", sale(to))
    assert nowhere["lines"][0]["reason"] == "not-collecting"
    assert nowhere["nexus"] == [{"country": "US", "region": "TX", "collecting": False}]
    exempt = await engine.read("tax.quote", sale(exemption={"reason": "resale", "number": "R-1"}))
    assert (exempt["lines"][0]["reason"], exempt["exempt_total"], exempt["tax_total"]) == ("exempt-customer", 100, 0)
    french = {"country": "FR", "city": "Paris"}
    turned = await engine.read("tax.quote", sale(french, currency="EUR", customer_tax_id="FR12345678901"))
    assert turned["lines"][0]["reason"] == "reverse-charge"
    nothing = [{"id": "1", "amount": 100, "tax_code": "txcd_20030000"}]
    assert (await engine.read("tax.quote", sale(lines=nothing)))["lines"][0]["reason"] == "exempt-product"
    inclusive = await engine.read(
        "tax.quote", sale(french, currency="EUR", lines=[{"id": "1", "amount": 120, "inclusive": True}])
    )
    assert (inclusive["total"], inclusive["tax_total"], inclusive["lines"][0]["details"][0]["rate"]) == (
        100,
        20,
        Decimal("0.2"),
    )


async def test_yen_have_no_digits_and_dinars_three(engine: Engine) -> None:
    german = {"country": "DE"}
    yen = await engine.read("tax.quote", sale(german, currency="JPY", lines=[{"id": "1", "amount": 1505}]))
    assert (yen["total"], yen["tax_total"]) == (1505, 286)
    dinars = await engine.read(
        "tax.quote", sale(german, currency="KWD", lines=[{"id": "1", "amount": Decimal("1.500")}])
    )
    assert (dinars["total"], dinars["tax_total"]) == (Decimal("1.500"), Decimal("0.290"))
    with pytest.raises(FixData, match="more digits"):
        await engine.read("tax.quote", sale(german, currency="JPY", lines=[{"id": "1", "amount": Decimal("1.5")}]))


async def test_a_hundred_and_fifty_lines_come_back_whole(engine: Engine) -> None:
    lines = [{"id": str(number), "amount": number} for number in range(150)]
    made = await engine.write("tax.commit", sale(lines=lines))
    assert [line["id"] for line in made["lines"]] == [line["id"] for line in lines]
    assert sum(line["tax"] for line in made["lines"]) == made["tax_total"]
    read = await engine.read("tax.read", {"code": SALE["code"], "id": made["id"]})
    told = ("amount", "tax", "reason", "taxable")
    assert [[line[name] for name in told] for line in read["lines"]] == [
        [line[name] for name in told] for line in made["lines"]
    ]
    assert read["tax_total"] == made["tax_total"]


async def test_what_stripe_cannot_say_is_refused_in_plain_words(engine: Engine) -> None:
    for changes, code in (
        ({"lines": [{"id": "1", "amount": 5}, {"id": "2", "amount": -6}]}, "negative-line"),
        ({"lines": [{"id": "1", "amount": 5}, {"id": "2", "amount": -1, "inclusive": True}]}, "negative-line"),
        ({"kind": "return", "lines": [{"id": "1", "amount": -5}]}, "return-without-sale"),
        ({"lines": [{"id": "1", "amount": 5, "tax_code": "SW9"}]}, "tax-code-not-mapped"),
    ):
        with pytest.raises(FixData) as refused:
            await engine.read("tax.quote", sale(**changes))
        assert refused.value.code == code
    with pytest.raises(FixData) as nameless:
        await engine.read("tax.read", {"code": "INV-1"})
    assert nameless.value.code == "id-needed"
    with pytest.raises(FixData) as stays:
        await engine.write("tax.void", {"id": "tax_1", "code": "CN-1", "kind": "return"})
    assert stays.value.code == "return-stays"


async def test_another_tax_than_stripes_is_told_and_not_recorded(engine: Engine) -> None:
    """A transaction has no override: the same tax is recorded, another refused before anything is written."""
    billed = sale(lines=[{"id": "1", "amount": 100, "billed_tax": Decimal("8.87")}, {"id": "2", "amount": 100}])
    quote = await engine.read("tax.quote", billed)
    assert [(line["tax"], line.get("calculated_tax")) for line in quote["lines"]] == [
        (Decimal("8.88"), Decimal("8.88")),
        (Decimal("8.88"), None),
    ]
    with pytest.raises(FixData) as refused:
        await engine.write("tax.commit", billed)
    assert (refused.value.code, "8.87" in str(refused.value)) == ("tax-override-not-supported", True)
    assert engine.transactions == []
    shifted = [
        {"id": "1", "amount": 100, "billed_tax": Decimal("8.87")},
        {"id": "2", "amount": 100, "billed_tax": Decimal("8.89")},
    ]
    with pytest.raises(FixData, match=r"8\.88 on line 1"):
        await engine.write("tax.commit", sale(lines=shifted), THIRD)
    assert engine.transactions == []
    same = sale(lines=[{"id": "1", "amount": 100, "billed_tax": Decimal("8.88")}])
    sold = await engine.write("tax.commit", same, OTHER)
    assert (sold["tax_total"], sold["lines"][0]["calculated_tax"]) == (Decimal("8.88"), Decimal("8.88"))
    # A credit is taken off the line beside it, and so is its tax: in all it is the same.
    netted = [
        {"id": "1", "amount": 100, "billed_tax": Decimal("8.88")},
        {"id": "2", "amount": -40, "billed_tax": Decimal("-3.55")},
    ]
    lower = {**billed, "id": sold["id"], "reason": "price", "description": "It fell."}
    with pytest.raises(FixData):
        await engine.write("tax.adjust", lower, THIRD)
    assert len(engine.transactions) == 1
    both = await engine.write("tax.commit", sale(code="INV-9", lines=netted), EffectKey("d" * 32))
    assert both["tax_total"] == Decimal("5.33")


async def test_an_address_is_answered_by_what_a_calculation_says(engine: Engine) -> None:
    found = await engine.read("address.resolve", NEW_YORK)
    assert (found["resolved"], found["quality"], found["address"]) == (True, "taxable-place", NEW_YORK)
    lost = await engine.read("address.resolve", {"country": "US", "city": "Nowhere"})
    assert (lost["resolved"], lost["quality"]) == (False, "not-located")
    assert lost["messages"][0]["severity"] == "error"


def test_the_companys_codes_and_numbers_become_stripes() -> None:
    settings = StripeSettings.model_validate({**SAMPLES.settings, "tax_codes": ("SW1=txcd_10103001",)})
    lines = [{"id": "1", "amount": 5, "tax_code": "SW1", "quantity": 2}, {"id": "2", "amount": 5, "quantity": 1}]
    form, _ = calculation(settings, sale(lines=lines, customer_tax_id="EL123456789"))
    assert [line.get("tax_code") for line in form["line_items"]] == ["txcd_10103001", None]
    assert form["customer_details"]["tax_ids"] == [{"type": "eu_vat", "value": "EL123456789"}]
    _, messages = calculation(settings, sale({"country": "KW"}, customer_tax_id="4711"))
    assert "was not sent" in messages[0]["text"]


async def test_a_date_out_of_stripes_reach_is_refused(engine: Engine) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
    with pytest.raises(FixData, match="31 days"):
        await engine.read("tax.quote", sale(date=long_ago))
