"""The table engine's books: reasons, documents and their versions, keys, filings, and mistakes in its files."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from connectors.taxtable.connector import CONNECTOR
from connectors.taxtable.samples import BERLIN, FILES, SALE
from connectors.taxtable.tables import flaws
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import Conflict, FixData, NoSuchRecord
from hub.sdk.testing.embedded import MemoryTransport
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey

PARIS = {"city": "Paris", "postal_code": "75001", "country": "FR"}
ANTONIO = {"city": "San Antonio", "region": "TX", "postal_code": "78205", "country": "US"}


class Engine:
    """Calls the operations over a shelf in memory; every write has a key of its own unless it is told one."""

    def __init__(self, **settings: str) -> None:
        assert CONNECTOR.embedded is not None
        made = CONNECTOR.settings.model_validate({"rounding": "line", "halves": "up", **settings})
        self.way = MemoryTransport(CONNECTOR.embedded, made, FILES)
        self.connected = Connected(CONNECTOR, made, self.way)
        self.keys = 0

    async def write(self, name: str, record: Mapping[str, Any], key: str | None = None) -> Any:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, WriteOperation)
        self.keys += 1
        return await self.connected.write(operation, record, EffectKey(key or f"{self.keys:032x}"))

    async def read(self, name: str, record: Mapping[str, Any]) -> Any:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, ReadOperation)
        return await operation.read(self.connected, record)

    async def quote(self, **changes: Any) -> Any:
        return await self.read("tax.quote", {**SALE, **changes})

    async def commit(self, **changes: Any) -> Any:
        return await self.write("tax.commit", {**SALE, **changes})


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def test_rates_have_their_days(engine: Engine) -> None:
    for day, tax in (
        ("2020-06-30", "19.00"),
        ("2020-07-01", "16.00"),
        ("2020-12-31", "16.00"),
        ("2021-01-01", "19.00"),
    ):
        lines = [{"id": "1", "amount": 100}]
        assert (await engine.quote(date=day, lines=lines))["tax_total"] == Decimal(tax), day
        assert (await engine.quote(tax_date=day, lines=lines))["tax_total"] == Decimal(tax), day


async def test_what_was_billed_is_recorded_and_what_the_tables_say_is_told(engine: Engine) -> None:
    lines = [
        {"id": "1", "amount": Decimal("-4.99"), "billed_tax": Decimal("-0.42")},
        {"id": "2", "amount": Decimal("-10.00"), "billed_tax": Decimal("-0.83")},
        {"id": "3", "amount": Decimal("-10.00")},
    ]
    sold = {"code": "CN-1", "kind": "return", "entity": "US01", "currency": "USD", "lines": lines, "ship_to": ANTONIO}
    quote, made = await engine.quote(**sold), await engine.commit(**sold)
    for told in (quote, made, await engine.read("tax.read", {"code": "CN-1", "kind": "return"})):
        assert [(line["tax"], line.get("calculated_tax")) for line in told["lines"]] == [
            (Decimal("-0.42"), Decimal("-0.41")),
            (Decimal("-0.83"), Decimal("-0.83")),
            (Decimal("-0.83"), None),
        ]
        assert told["tax_total"] == Decimal("-2.08")
        assert all(sum(part["tax"] for part in line["details"]) == line["tax"] for line in told["lines"])
        assert told["messages"] == []


async def test_what_was_billed_where_nothing_is_taxed_is_told(engine: Engine) -> None:
    lines = [{"id": "1", "amount": 100, "billed_tax": Decimal("19.00"), "tax_code": "IN0001"}]
    quote = await engine.quote(lines=lines)
    assert (quote["tax_total"], quote["lines"][0]["calculated_tax"]) == (0, 0)
    assert "although 19.00 was billed" in quote["messages"][0]["text"]
    nothing = [{**lines[0], "billed_tax": 0}]
    assert (await engine.quote(lines=nothing))["messages"] == []


async def test_what_was_billed_may_have_no_part_of_a_unit(engine: Engine) -> None:
    with pytest.raises(FixData) as refused:
        await engine.commit(lines=[{"id": "7", "amount": 100, "billed_tax": Decimal("19.001")}])
    assert (refused.value.code, "EUR" in str(refused.value)) == ("billed-tax-too-precise", True)


async def test_a_refund_takes_back_what_was_billed(engine: Engine) -> None:
    sold = await engine.commit(lines=[{"id": "1", "amount": 100, "billed_tax": Decimal("19.01")}])
    there = {"id": sold["id"], "code": SALE["code"], "refund_code": "CN-1", "date": "2026-02-15"}
    (line,) = (await engine.write("tax.refund", there))["lines"]
    assert (line["tax"], line["calculated_tax"]) == (Decimal("-19.01"), Decimal("-19.00"))


async def test_a_category_has_a_rate_of_its_own_or_none(engine: Engine) -> None:
    lines = [
        {"id": "1", "amount": 100, "tax_code": "BK0001"},
        {"id": "2", "amount": 100, "tax_code": "IN0001"},
        {"id": "3", "amount": 100, "tax_code": "SW1"},
    ]
    quote = await engine.quote(lines=lines)
    assert [(line["tax"], line["reason"]) for line in quote["lines"]] == [
        (Decimal("7.00"), "taxed"),
        (0, "exempt-product"),
        (Decimal("19.00"), "taxed"),
    ]
    assert (quote["taxable_total"], quote["exempt_total"], quote["tax_total"]) == (200, 100, 26)


async def test_the_places_of_a_city_add_up() -> None:
    engine = Engine(rounding="jurisdiction")
    sale: dict[str, Any] = {
        "entity": "US01",
        "currency": "USD",
        "ship_to": ANTONIO,
        "lines": [{"id": "1", "amount": Decimal("4.99")}],
    }
    quote = await engine.quote(**sale)
    assert quote["tax_total"] == Decimal("0.40")
    details = quote["lines"][0]["details"]
    assert [(one["level"], one["tax"]) for one in details] == [
        ("state", Decimal("0.31")),
        ("city", Decimal("0.06")),
        ("special", Decimal("0.02")),
        ("special", Decimal("0.01")),
    ]
    elsewhere = await engine.quote(**{**sale, "ship_to": {**ANTONIO, "postal_code": "75001"}})
    assert elsewhere["tax_total"] == Decimal("0.31")


@pytest.mark.parametrize(
    ("changes", "reason", "collecting"),
    [
        ({"ship_to": {"country": "BR"}}, "not-collecting", False),
        ({"ship_to": PARIS, "date": "2021-06-30"}, "not-collecting", False),
        ({"ship_to": PARIS, "customer_tax_id": "FR1"}, "reverse-charge", True),
        ({"ship_to": PARIS}, "taxed", True),
        ({"customer_tax_id": "DE1"}, "taxed", True),
        ({"entity": "US01", "ship_to": ANTONIO, "exemption": {"reason": "resale"}}, "exempt-customer", True),
        ({"exemption": {"reason": "resale"}}, "taxed", True),
    ],
)
async def test_the_answer_says_why(engine: Engine, changes: dict[str, Any], reason: str, collecting: bool) -> None:  # noqa: FBT001
    quote = await engine.quote(**changes)
    assert {line["reason"] for line in quote["lines"]} == {reason}
    assert quote["nexus"][0]["collecting"] is collecting
    assert (quote["tax_total"] != 0) == (reason == "taxed")
    ignored = "exemption" in changes and reason == "taxed"
    assert [one["severity"] for one in quote["messages"]] == (["warning"] if ignored else [])


async def test_without_a_rate_nothing_is_taxed_at_nothing(engine: Engine) -> None:
    with pytest.raises(FixData) as refusal:
        await engine.quote(date="2006-12-31")
    assert refusal.value.code == "no-rate"
    with pytest.raises(FixData):
        await engine.commit(date="2006-12-31")
    assert engine.way.shelf.kept == {}


async def test_a_key_is_answered_as_the_first_time_whatever_came_since(engine: Engine) -> None:
    first = await engine.write("tax.commit", SALE, "a" * 32)
    await engine.write("tax.void", {"id": first["id"], "code": first["code"]})
    assert await engine.write("tax.commit", SALE, "a" * 32) == first
    with pytest.raises(Conflict) as refusal:
        await engine.write("tax.commit", {**SALE, "date": "2026-02-01"}, "a" * 32)
    assert refusal.value.code == "key-reused"
    assert (await engine.read("tax.read", {"code": SALE["code"]}))["status"] == "voided"


async def test_a_code_is_taken_until_its_document_is_void(engine: Engine) -> None:
    first = await engine.commit()
    with pytest.raises(Conflict):
        await engine.commit(date="2026-02-01")
    await engine.write("tax.void", {"id": first["id"], "code": first["code"]})
    second = await engine.commit(date="2026-02-01")
    assert second["id"] != first["id"]
    with pytest.raises(Conflict) as refusal:
        await engine.write("tax.void", {"id": first["id"], "code": first["code"]})
    assert refusal.value.code == "another-version"


async def test_an_adjustment_keeps_what_was_there(engine: Engine) -> None:
    first = await engine.commit()
    change = {**SALE, "id": first["id"], "reason": "price", "description": "It fell."}
    second = await engine.write("tax.adjust", {**change, "lines": [{"id": "1", "amount": 100}]})
    assert (second["version"], second["tax_total"], second["status"]) == (2, 19, "committed")
    assert engine.way.snapshot()[f"version:{first['id']}"]["status"] == "adjusted"
    with pytest.raises(Conflict):
        await engine.write("tax.adjust", change)


async def test_a_refund_has_the_tax_of_its_sale_and_takes_each_line_once(engine: Engine) -> None:
    sale = await engine.commit()
    asked = {"id": sale["id"], "code": sale["code"], "date": "2026-03-01"}
    part = await engine.write("tax.refund", {**asked, "refund_code": "CN-1", "lines": ["2"]})
    assert (part["kind"], part["total"], part["tax_total"]) == ("return", Decimal("50.05"), Decimal("9.51"))
    with pytest.raises(Conflict) as refusal:
        await engine.write("tax.refund", {**asked, "refund_code": "CN-2"})
    assert refusal.value.code == "already-refunded"
    rest = await engine.write("tax.refund", {**asked, "refund_code": "CN-2", "lines": ["1"]})
    assert part["tax_total"] + rest["tax_total"] == -sale["tax_total"]
    with pytest.raises(FixData):
        await engine.write("tax.refund", {**asked, "refund_code": "CN-3", "lines": ["9"]})


async def test_what_is_filed_stays_and_is_corrected_by_a_negative_document(engine: Engine) -> None:
    sale = await engine.commit(date="2025-12-31")
    assert sale["status"] == "filed"
    there = {"id": sale["id"], "code": sale["code"]}
    change = {**SALE, **there, "reason": "price", "description": "It fell."}
    for name, record in (("tax.void", there), ("tax.adjust", change)):
        with pytest.raises(FixData) as refusal:
            await engine.write(name, record)
        assert refusal.value.code == "document-filed"
    back = await engine.write("tax.refund", {**there, "refund_code": "CN-1", "date": "2026-01-05"})
    assert (back["status"], back["tax_total"]) == ("committed", -sale["tax_total"])


async def test_what_is_not_there_is_told(engine: Engine) -> None:
    with pytest.raises(NoSuchRecord):
        await engine.read("tax.read", {"code": "INV-9"})
    assert (await engine.read("address.resolve", BERLIN))["resolved"] is True
    assert (await engine.read("address.resolve", {"country": "BR"}))["resolved"] is False


RATE = b"DE,,,country,Germany,DE,vat,USt,*,19,2020-01-01,"


@pytest.mark.parametrize(
    ("path", "content", "line", "said"),
    [
        ("tax/rates.csv", b"a,b\n", 1, "The columns"),
        ("tax/rates.csv", FILES["tax/rates.csv"] + b"DE,1\n", 12, "2 cells"),
        ("tax/rates.csv", FILES["tax/rates.csv"] + RATE + b"\n", 12, "count both"),
        (
            "tax/rates.csv",
            FILES["tax/rates.csv"] + RATE.replace(b"19,", b"19%,") + b"2020-01-02\n",
            12,
            "no percentage",
        ),
        ("tax/rates.csv", FILES["tax/rates.csv"] + RATE.replace(b"vat", b"vta") + b"\n", 12, "`tax_type` cannot"),
        ("tax/rates.csv", FILES["tax/rates.csv"] + RATE + b"2019-01-01\n", 12, "ends before"),
        ("tax/rates.csv", b"\xff", 1, "not readable"),
        ("tax/registrations.csv", FILES["tax/registrations.csv"] + b"X,DE,,maybe,,\n", 5, "`business_buyers` cannot"),
        ("tax/filings.csv", FILES["tax/filings.csv"] + b"X,DE,soon\n", 3, "no date"),
        ("tax/exemptions.csv", FILES["tax/exemptions.csv"] + b"US,,friend\n", 3, "`reason` cannot"),
        ("tax/discounts.csv", b"x\n", 1, "no such file"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(path: str, content: bytes, line: int, said: str) -> None:
    found = [flaw for flaw in flaws({**FILES, path: content}) if flaw.path == path]
    assert (found[0].line, said in found[0].message, bool(found[0].hint)) == (line, True, True), found


def test_the_needed_files_are_missed_and_the_others_not() -> None:
    assert [flaw.path for flaw in flaws({})] == ["tax/rates.csv", "tax/registrations.csv"]
    assert flaws({name: FILES[name] for name in ("tax/rates.csv", "tax/registrations.csv")}) == []
    assert flaws(FILES) == []
