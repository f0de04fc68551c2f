"""Products and prices of the CRM in billing and the ERP: made once, changed where they differ, one for each entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.proof import crm_checks
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing, shipped, trial
from hub.proof.simulation.case import Crm, Stage
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import Played

SIGNED = next(case for case in CASES if case.name == "contract-to-billing")
PRICED = next(case for case in CASES if case.name == "price-to-billing that is raised")


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], crm: Crm) -> Played:
    return playing.play(replace(PRICED, happen=happen, crm=crm, story="of a test"), None)


async def changed(stage: Stage, kind: str, name: str, **fields: object) -> None:
    """Let people change a record, and read until everything rests."""
    await stage.seed("salesforce", {"changes": [{"type": kind, "id": f"{{{name}}}", **fields}]})
    for _ in range(3):
        await stage.read()
        await stage.rested()


def _without_currency(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "currency"}


def test_each_amount_is_a_price_of_its_own_and_one_can_be_used() -> None:
    """An amount that comes back is sold at its own price again, by which contracts find it."""

    async def happen(stage: Stage) -> None:
        for amount in (15, "12.50", 15):
            await changed(stage, "PricebookEntry", "entry", UnitPrice=amount)

    assert played(happen, Crm(products=1, prices=2)).findings == []


def test_a_contract_is_billed_at_an_amount_that_has_come_back() -> None:
    async def happen(stage: Stage) -> None:
        for amount in (15, "12.50"):
            await changed(stage, "PricebookEntry", "entry", UnitPrice=amount)
        await SIGNED.happen(stage)

    assert SIGNED.crm is not None
    case = replace(SIGNED, happen=happen, crm=replace(SIGNED.crm, prices=2), story="of a test")
    assert playing.play(case, None).findings == []


def test_a_product_whose_tie_is_lost_is_not_made_again() -> None:
    """Brought back from a backup, the hub hears of the last change alone; what it made stands under the same id."""

    async def happen(stage: Stage) -> None:
        trial.database().file.execute("DELETE FROM crossrefs WHERE entity = 'product'")
        trial.database().file.execute("UPDATE effects SET object = 'lost' WHERE object IS NOT NULL")
        await changed(stage, "Product2", "seats", Name="Places")

    assert played(happen, Crm(products=1, product_changes=1, prices=1)).findings == []
    ties = trial.database().file.execute("SELECT system FROM crossrefs WHERE entity = 'product' ORDER BY system")
    assert [system for (system,) in ties] == ["netsuite", "salesforce", "stripe"]


def test_seats_of_two_price_books_at_one_price_are_added_up() -> None:
    """The second book's order adds to what the first one's has agreed, and does not take its place."""
    euros: dict[str, object] = {"CurrencyIsoCode": "EUR"}

    async def happen(stage: Stage) -> None:
        await SIGNED.happen(stage)
        await stage.rested()
        book = {"type": "Pricebook2", "ref": "partners", "Name": "Partners", "IsActive": True}
        entry = {"type": "PricebookEntry", "ref": "other", "Pricebook2Id": "{partners}", "Product2Id": "{seats}"}
        order = {"type": "Order", "ref": "more", "AccountId": "{alder}", "ContractId": "{contract}", "Status": "Draft"}
        order |= {"Pricebook2Id": "{partners}", "EffectiveDate": "2026-03-31"}
        seats = {"type": "OrderItem", "OrderId": "@{more}", "PricebookEntryId": "{other}", "Quantity": 2}
        await stage.seed("salesforce", {"records": [book]})
        await stage.seed("salesforce", {"records": [entry | euros | {"UnitPrice": "12.50", "IsActive": True}]})
        await stage.read()
        await stage.rested()
        await stage.seed("salesforce", {"records": [order | euros, seats | {"UnitPrice": "12.50"}]})
        await changed(stage, "Order", "more", Status="Activated")

    assert SIGNED.crm is not None
    case = replace(SIGNED, happen=happen, crm=replace(SIGNED.crm, prices=2), story="of a test")
    assert playing.play(case, None).findings == []


def test_a_change_that_is_none_makes_no_price() -> None:
    async def happen(stage: Stage) -> None:
        await changed(stage, "PricebookEntry", "entry", IsActive=False)
        await changed(stage, "PricebookEntry", "entry", IsActive=True)
        await changed(stage, "PricebookEntry", "entry", UseStandardPrice=False)

    assert played(happen, Crm(products=1, prices=1)).findings == []


def test_a_price_in_a_currency_that_stripe_counts_otherwise_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand krónur would be ten there."""
    # An org with several has none that is set to be its only one.
    settings = shipped.settings
    monkeypatch.setattr(shipped, "settings", lambda *told, **more: _without_currency(settings(*told, **more)))

    async def happen(stage: Stage) -> None:
        currencies = [
            {"IsoCode": "EUR", "ConversionRate": 1, "DecimalPlaces": 2, "IsCorporate": True},
            {"IsoCode": "ISK", "ConversionRate": 140, "DecimalPlaces": 0},
        ]
        await stage.seed("salesforce", {"currencies": currencies})
        entry = {"type": "PricebookEntry", "Pricebook2Id": "{price_book}", "Product2Id": "{seats}", "IsActive": True}
        await stage.seed("salesforce", {"records": [{**entry, "CurrencyIsoCode": "ISK", "UnitPrice": 1000}]})
        for _ in range(3):
            await stage.read()
            await stage.rested()

    assert played(happen, Crm(products=1, prices=1, exceptions=("currency-not-supported",))).findings == []


def test_a_product_that_is_sold_no_longer_is_so_on_both_sides() -> None:
    async def happen(stage: Stage) -> None:
        await changed(stage, "Product2", "seats", IsActive=False)
        # Nothing that billing has of it.
        await changed(stage, "Product2", "seats", StockKeepingUnit="S")

    assert played(happen, Crm(products=1, product_changes=1, prices=1)).findings == []


def test_the_oracle_sees_a_price_too_many_and_a_product_that_is_otherwise() -> None:
    crm = {
        "records": {
            "PricebookEntry": [
                {"Id": "01u", "UnitPrice": "12.50", "IsActive": True},
                {"Id": "01y", "UnitPrice": "1850", "CurrencyIsoCode": "JPY", "IsActive": True},
            ],
            "Product2": [{"Id": "01t", "Name": "Seats", "IsActive": True}],
        }
    }
    price = {"metadata": {"crm_entry": "01u"}, "currency": "usd", "unit_amount": 1250, "active": True}
    yen = {"metadata": {"crm_entry": "01y"}, "currency": "jpy", "unit_amount": 1850, "active": True}

    def priced(*there: dict[str, object]) -> list[Invariant]:
        told = crm_checks.prices(crm, {"prices": [*there]}, made=1, unpriced=False)
        return [finding.invariant for finding in told]

    assert priced(price) == []
    assert priced({**price, "unit_amount": 1251}) == priced({**price, "active": False}) == [Invariant.BOOKS_AGREE]
    assert priced(price, {**price, "active": False}) == [Invariant.NOTHING_TWICE]
    assert priced(yen) == []
    assert priced({**yen, "unit_amount": 185000}) == priced({**yen, "currency": "eur"}) == [Invariant.BOOKS_AGREE]
    product = {"name": "Seats", "active": True, "metadata": {"crm_product": "01t"}}
    item = {"externalId": "01t", "displayName": "Seats", "isInactive": False}

    def sold(product: dict[str, object], *items: dict[str, object]) -> list[Invariant]:
        stripe = {"products": [product], "events": []}
        told = crm_checks.products(crm, stripe, {"items": [*items]}, number=1, changes=0)
        return [finding.invariant for finding in told]

    assert sold(product, item) == []
    assert sold({**product, "active": False}, item) == sold(product, {**item, "displayName": "x"})
    assert sold(product, {**item, "isInactive": True}) == [Invariant.BOOKS_AGREE]
    assert sold(product) == [Invariant.NOTHING_LOST]
