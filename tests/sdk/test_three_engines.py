"""One sale has one tax: the engines that ship agree to the smallest unit, and differ only as their documents say."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from connectors.avatax.connector import CONNECTOR as AVATAX
from connectors.stripe.connector import CONNECTOR as STRIPE
from connectors.stripe.samples import SAMPLES
from connectors.taxtable.connector import CONNECTOR as TAXTABLE
from hub.sandbox.main import find
from hub.sandbox.server import running
from hub.sdk.connector import Connector, ReadOperation, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.testing.embedded import MemoryTransport
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey

TODAY = datetime.now(UTC).date().isoformat()
#: The rates that Stripe's sandbox has, told to the other two.
FILES = {
    "tax/rates.csv": b"""\
country,region,postal,level,jurisdiction,code,tax_type,tax_name,category,percent,from,to
DE,,,country,Germany,DE,vat,USt,*,19,,
DE,,,country,Germany,DE,vat,USt,nothing,exempt,,
JP,,,country,Japan,JP,vat,JCT,*,10,,
JP,,,country,Japan,JP,vat,JCT,nothing,exempt,,
US,NY,,state,New York,36,sales,NY STATE TAX,*,4,,
US,NY,,city,New York City,51000,sales,NY CITY TAX,*,4.5,,
US,NY,,special,MCTD,T1,sales,NY DISTRICT TAX,*,0.375,,
""",
    "tax/categories.csv": b"tax_code,category\nNT,nothing\n",
    "tax/registrations.csv": b"""\
entity,country,region,business_buyers,from,to
E1,DE,,taxed,,
E1,JP,,taxed,,
E1,US,NY,taxed,,
""",
    "tax/exemptions.csv": b"country,region,reason\nDE,,resale\nJP,,resale\n",
}
SELLER: Mapping[str, Any] = {
    "switches": {"rate": None},
    "tax_settings": [
        {"defaults": {"tax_code": "txcd_99999999"}, "head_office": {"address": {"state": "CA", "country": "US"}}}
    ],
    "tax_registrations": [
        {"country": "US", "country_options": {"us": {"state": "NY", "type": "state_sales_tax"}}, "active_from": 1},
        {"country": "DE", "active_from": 1},
        {"country": "JP", "active_from": 1},
    ],
}
CODES = ("SW052000=txcd_10103001", "SP140000=txcd_20030000", "NT=txcd_00000000")
#: Currency → its smallest unit, and an amount whose tax has no part of a unit at any of the rates.
UNITS = {"EUR": ("0.01", "1.00"), "JPY": ("1", "100"), "KWD": ("1.000", "1.000")}


class Engines:
    """The three engines, asked the same."""

    def __init__(self, connected: Mapping[str, tuple[Connector, Connected]]) -> None:
        self.connected = connected
        self.keys = 0

    async def all(self, name: str, record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Give what each engine answers."""
        self.keys += 1
        found: dict[str, Mapping[str, Any]] = {}
        for engine, (connector, connected) in self.connected.items():
            operation = connector.operation(name)
            match operation:
                case ReadOperation():
                    found[engine] = await operation.ask(connected, record)
                case WriteOperation():
                    found[engine] = await connected.write(operation, record, EffectKey(f"{self.keys:032x}"))
                case None:
                    raise AssertionError(name)
        return found


@pytest_asyncio.fixture
async def engines() -> AsyncIterator[Engines]:
    async with AsyncExitStack() as stack:
        stripe, avatax = [await stack.enter_async_context(running(find(name))) for name in ("stripe", "avatax")]
        await stripe.world.books.seed(SELLER)
        await avatax.world.books.seed({"rounding": {"digits": {"JPY": 0, "KWD": 3}}})
        given = {**SAMPLES.settings, "base_url": stripe.url, "api_key": stripe.announcement["api_key"]}
        own = {name: avatax.announcement[name] for name in ("account_id", "license_key", "company_code")}
        connected = {
            "stripe": (STRIPE, Connected(STRIPE, STRIPE.settings.model_validate({**given, "tax_codes": CODES}))),
            "avatax": (AVATAX, Connected(AVATAX, AVATAX.settings.model_validate({**own, "base_url": avatax.url}))),
            "taxtable": (TAXTABLE, tables("line")),
        }
        for _, connection in connected.values():
            stack.push_async_callback(connection.close)
        yield Engines(connected)


def tables(rounding: str) -> Connected:
    assert TAXTABLE.embedded is not None
    settings = TAXTABLE.settings.model_validate({"rounding": rounding, "halves": "up"})
    return Connected(TAXTABLE, settings, MemoryTransport(TAXTABLE.embedded, settings, FILES))


def sale(number: int, currency: str, country: str, lines: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "code": f"INV-{number}",
        "date": TODAY,
        "entity": "E1",
        "customer_id": "ACME",
        "currency": currency,
        "ship_from": {"line1": "1 Main Street", "city": "Berlin", "country": "DE"},
        "ship_to": {"line1": "1 Main Street", "city": "Town", "country": country},
        "lines": lines,
        **more,
    }


def sales(count: int) -> Iterator[dict[str, Any]]:
    """Draw sales with everything that moves a tax: credits, gross prices, what is not taxed, and odd amounts."""
    chance = random.Random(20_261_122)
    for number in range(count):
        currency = chance.choice(list(UNITS))
        unit, whole = (Decimal(text) for text in UNITS[currency])
        lines = [{"id": "0", "amount": unit * chance.randint(100_000, 900_000), "tax_code": "SW052000"}]
        for place in range(1, chance.randint(2, 8)):
            code = chance.choice(["SW052000", "SP140000", "NT"])
            line = {"id": str(place), "amount": unit * chance.randint(0, 90_000), "tax_code": code}
            if chance.random() < 0.3 and currency != "KWD":
                line["inclusive"] = True
            lines.append(line)
        if chance.random() < 0.5:
            lines.append({"id": "credit", "amount": -whole * chance.randint(1, 100), "tax_code": "SW052000"})
        more = {"exemption": {"reason": "resale"}} if chance.random() < 0.1 else {}
        yield sale(number, currency, chance.choice(["DE", "JP"]), lines, **more)


async def test_the_same_sale_has_the_same_tax_at_every_engine(engines: Engines) -> None:
    """To the smallest unit, in all and by reason; and what is quoted is recorded."""
    taxes = set()
    for document in sales(25):
        quoted = await engines.all("tax.quote", document)
        recorded = await engines.all("tax.commit", document)
        for engine, result in recorded.items():
            assert result["tax_total"] == quoted[engine]["tax_total"], (engine, document)
            assert result["total"] == quoted[engine]["total"], (engine, document)
            assert sum(line["tax"] for line in result["lines"]) == result["tax_total"], (engine, document)
        assert len({Decimal(result["tax_total"]) for result in recorded.values()}) == 1, (document, recorded)
        assert len({Decimal(result["total"]) for result in recorded.values()}) == 1, (document, recorded)
        taxes.add(recorded["stripe"]["tax_total"])
        own = [line["id"] for line in document["lines"] if line["id"] != "credit" and line["amount"]]
        by_line = [
            {line["id"]: line["reason"] for line in result["lines"] if line["id"] in own}
            for result in recorded.values()
        ]
        if "exemption" not in document:
            assert by_line[0] == by_line[1] == by_line[2], document
    assert len(taxes) > 12


async def test_what_is_refunded_is_the_tax_of_the_sale_everywhere(engines: Engines) -> None:
    lines = [{"id": "1", "amount": Decimal("33.33")}, {"id": "2", "amount": Decimal("66.65"), "inclusive": True}]
    sold = await engines.all("tax.commit", sale(1, "EUR", "DE", lines))
    assert len({result["tax_total"] for result in sold.values()}) == 1
    for engine, (connector, connected) in engines.connected.items():
        operation = connector.operation("tax.refund")
        assert isinstance(operation, WriteOperation)
        there = {"id": sold[engine]["id"], "code": "INV-1", "refund_code": "CN-1", "date": TODAY}
        back = await connected.write(operation, there, EffectKey("f" * 32))
        assert back["tax_total"] == -sold[engine]["tax_total"]
        assert [line["tax"] for line in back["lines"]] == [-line["tax"] for line in sold[engine]["lines"]]


async def test_what_was_billed_is_recorded_everywhere_or_refused(engines: Engines) -> None:
    """A unit beside the engine's own: recorded as billed by those that can, and refused by the one that cannot."""
    lines = [
        {"id": "1", "amount": Decimal("33.33"), "billed_tax": Decimal("6.34")},
        {"id": "2", "amount": Decimal("1.00")},
    ]
    document = sale(1, "EUR", "DE", lines)
    quoted = await engines.all("tax.quote", document)
    told = {
        name: [(each["tax"], each.get("calculated_tax")) for each in quote["lines"]] for name, quote in quoted.items()
    }
    own, billed = Decimal("6.33"), Decimal("6.34")
    assert told == {
        "stripe": [(own, own), (Decimal("0.19"), None)],
        "avatax": [(billed, own), (Decimal("0.19"), None)],
        "taxtable": [(billed, own), (Decimal("0.19"), None)],
    }
    for engine, (connector, connected) in engines.connected.items():
        operation = connector.operation("tax.commit")
        assert isinstance(operation, WriteOperation)
        if engine == "stripe":
            with pytest.raises(FixData) as refused:
                await connected.write(operation, document, EffectKey("e" * 32))
            assert refused.value.code == "tax-override-not-supported"
            continue
        made = await connected.write(operation, document, EffectKey("e" * 32))
        assert made["tax_total"] == quoted[engine]["tax_total"] == Decimal("6.53")


async def test_several_jurisdictions_differ_as_the_rounding_says(engines: Engines) -> None:
    """Stripe rounds each jurisdiction's share, so that the tables do as it does when they are told to."""
    to = {"line1": "1 Main Street", "city": "New York", "region": "NY", "postal_code": "10001", "country": "US"}
    document = sale(1, "USD", "US", [{"id": "1", "amount": Decimal("10.13")}], ship_to=to)
    stripe = (await engines.all("tax.quote", {**document, "lines": [{"id": "1", "amount": 1000}]}))["stripe"]
    assert [detail["level"] for detail in stripe["lines"][0]["details"]] == ["state", "city", "special"]
    quote = TAXTABLE.operation("tax.quote")
    assert isinstance(quote, ReadOperation)
    taxes = {}
    for cents in range(1, 200, 7):
        asked = {**document, "lines": [{"id": "1", "amount": Decimal(cents) / 100}]}
        each = {rounding: await quote.ask(tables(rounding), asked) for rounding in ("jurisdiction", "line")}
        by_stripe = (await engines.all("tax.quote", asked))["stripe"]["tax_total"]
        assert by_stripe == each["jurisdiction"]["tax_total"]
        taxes[cents] = by_stripe - each["line"]["tax_total"]
    assert {abs(difference) for difference in taxes.values()} == {Decimal(0), Decimal("0.01")}
