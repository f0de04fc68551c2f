"""Tax overrides at AvaTax's sandbox: a day or an amount, of the document or of its lines, beside what is calculated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.connectors.avatax.test_sandbox import COMPANY, Client, client, located

__all__ = ["client"]
DAY = {"type": "TaxDate", "taxDate": "2025-12-31", "reason": "Return"}


def amount(tax: str, **more: Any) -> dict[str, Any]:
    return {"type": "TaxAmount", "taxAmount": Decimal(tax), "reason": "Tax as billed", **more}


def lines(*given: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"amount": sold, **({"taxOverride": override} if override else {})} for sold, override in given]


async def test_a_line_has_the_tax_that_it_is_told(client: Client) -> None:
    """Irvine takes 7.75 %: 6 for the state, 0.25 for the county, 0.50 and 1 for districts."""
    sold = lines((100, amount("7.74")), (200, None))
    status, reply = await client.create(lines=sold, **{"$include": "Summary"})
    assert status == 201
    first, second = reply["lines"]
    assert (first["tax"], first["taxCalculated"]) == (Decimal("7.74"), Decimal("7.75"))
    assert (second["tax"], second["taxCalculated"]) == (Decimal("15.50"), Decimal("15.50"))
    assert (reply["totalTax"], reply["totalTaxCalculated"]) == (Decimal("23.24"), Decimal("23.25"))
    told = ("taxOverrideType", "taxOverrideAmount", "taxOverrideReason")
    assert [first[name] for name in told] == ["TaxAmount", Decimal("7.74"), "Tax as billed"]
    assert [second[name] for name in told] == ["None", 0, ""]
    assert [reply[name] for name in told] == ["None", 0, ""]
    assert [detail["tax"] for detail in first["details"]] == [
        Decimal(part) for part in ("5.99", "0.25", "0.50", "1.00")
    ]
    assert [detail["taxCalculated"] for detail in first["details"]] == [6, Decimal("0.25"), Decimal("0.50"), 1]
    assert [detail["taxOverride"] for detail in second["details"]] == [0] * 4
    assert sum(row["tax"] for row in reply["summary"]) == reply["totalTax"]
    assert sum(row["taxCalculated"] for row in reply["summary"]) == reply["totalTaxCalculated"]
    (book,) = client.documents()
    assert [(line["tax"], line["tax_calculated"]) for line in book["lines"]] == [
        (Decimal("7.74"), Decimal("7.75")),
        (Decimal("15.50"), Decimal("15.50")),
    ]


async def test_the_tax_of_a_document_is_distributed_over_its_lines(client: Client) -> None:
    status, reply = await client.create(100, 50, 50, taxOverride=amount("10.01"))
    assert status == 201
    assert (reply["totalTax"], reply["totalTaxCalculated"]) == (Decimal("10.01"), Decimal("15.51"))
    assert [line["tax"] for line in reply["lines"]] == [Decimal("5.00"), Decimal("2.51"), Decimal("2.50")]
    assert (reply["taxOverrideType"], reply["taxOverrideAmount"]) == ("TaxAmount", Decimal("10.01"))
    assert all(sum(part["tax"] for part in line["details"]) == line["tax"] for line in reply["lines"])


async def test_a_return_has_the_tax_and_the_day_in_one_override(client: Client) -> None:
    there = lines((-100, amount("-7.74", taxDate="2025-12-31")), (-50, DAY))
    _, reply = await client.create(type="ReturnInvoice", lines=there)
    assert [line["taxDate"] for line in reply["lines"]] == ["2025-12-31"] * 2
    assert [line["taxOverrideType"] for line in reply["lines"]] == ["TaxAmount", "TaxDate"]
    assert (reply["date"], reply["taxDate"]) == ("2026-01-31", "2026-01-31T00:00:00")
    assert reply["totalTax"] == Decimal("-11.62")


async def test_the_day_of_a_document_is_that_of_its_lines(client: Client) -> None:
    _, reply = await client.create(taxOverride=DAY)
    assert (reply["taxDate"], reply["lines"][0]["taxDate"]) == ("2025-12-31T00:00:00", "2025-12-31")
    assert (reply["taxOverrideType"], reply["lines"][0]["taxOverrideType"]) == ("TaxDate", "None")


@pytest.mark.parametrize("whole", [DAY, amount("1")])
@pytest.mark.parametrize("part", [DAY, amount("1")])
async def test_an_override_stands_on_the_document_or_on_its_lines(client: Client, whole: Any, part: Any) -> None:
    status, reply = await client.create(taxOverride=whole, lines=lines((100, part)))
    assert (status, reply["error"]["code"]) == (400, "GetTaxError")
    assert "not on both" in reply["error"]["details"][0]["description"]
    assert client.documents() == []


@pytest.mark.parametrize(
    ("wrong", "code", "refers_to"),
    [
        ({**DAY, "reason": ""}, "ModelStateInvalid", "reason"),
        ({**DAY, "taxDate": "soon"}, "ModelStateInvalid", "taxDate"),
        ({"type": "TaxAmount", "reason": "x"}, "ModelStateInvalid", "taxAmount"),
        (amount("0.12345678901"), "InvalidDecimalValue", "taxamount"),
        ({"type": "DeriveTaxable", "taxAmount": 1, "reason": "x"}, "GetTaxError", "type"),
        ("7.75", "ModelStateInvalid", "taxOverride"),
    ],
)
async def test_a_senseless_override_is_refused(client: Client, wrong: Any, code: str, refers_to: str) -> None:
    for sold in ({"taxOverride": wrong}, {"lines": [{"amount": 100, "taxOverride": wrong}]}):
        status, reply = await client.create(**sold)
        assert (status, reply["error"]["code"]) == (400, code)
        assert reply["error"]["details"][0]["refersTo"].endswith(refers_to)
    assert client.documents() == []


async def test_what_nobody_taxes_has_no_tax_whatever_is_billed(client: Client) -> None:
    """No nexus, a rate of nothing, an exempt buyer, an untaxed product: it can be distributed over nobody."""
    billed = lines((100, amount("7.75")))
    untaxed = [{**billed[0], "taxCode": "NT"}]
    untaxing: list[dict[str, Any]] = [
        {"addresses": located("US", "OR")},
        {"addresses": located("KW")},
        {"entityUseCode": "G"},
        {"lines": untaxed},
    ]
    for number, changes in enumerate(untaxing):
        status, reply = await client.create(code=f"INV-{number}", **{"lines": billed, **changes})
        assert (status, reply["totalTax"], reply["lines"][0]["taxOverrideAmount"]) == (201, 0, Decimal("7.75"))


async def test_an_override_of_nothing_is_an_override(client: Client) -> None:
    _, reply = await client.create(lines=lines((100, {"type": "None"})))
    assert reply["totalTax"] == Decimal("7.75")
    _, reply = await client.create(code="INV-2", lines=lines((100, amount("0"))))
    assert (reply["totalTax"], reply["totalTaxCalculated"]) == (0, Decimal("7.75"))


async def test_a_company_that_rounds_by_document_keeps_what_its_lines_are_told(client: Client) -> None:
    await client.seed(rounding={"level": "Document"})
    _, reply = await client.create(lines=lines((Decimal("10.06"), None), (Decimal("10.06"), amount("0.79"))))
    assert [line["taxCalculated"] for line in reply["lines"]] == [Decimal("0.78"), Decimal("0.78")]
    assert [line["tax"] for line in reply["lines"]] == [Decimal("0.78"), Decimal("0.79")]
    assert reply["totalTax"] == Decimal("1.57")


async def test_a_gross_price_less_what_was_billed_is_net(client: Client) -> None:
    sold = [{"amount": Decimal("107.75"), "taxIncluded": True, "taxOverride": amount("7.74")}]
    _, reply = await client.create(lines=sold)
    assert (reply["totalAmount"], reply["totalTax"]) == (Decimal("100.01"), Decimal("7.74"))


async def test_a_refund_overrides_with_the_tax_that_was_charged(client: Client) -> None:
    await client.create(lines=lines((100, amount("7.74"))))
    body = {"refundTransactionCode": "R-1", "refundDate": "2026-02-15", "refundType": "Full"}
    _, reply = await client.call("POST", f"{COMPANY}/INV-1/refund", body, **{"$include": "Lines,Details"})
    (line,) = reply["lines"]
    assert (line["tax"], line["taxOverrideType"], line["taxOverrideAmount"]) == (
        Decimal("-7.74"),
        "TaxAmount",
        Decimal("-7.74"),
    )
    assert line["taxOverrideReason"] == "Refund request on 2026-02-15"
    assert sum(part["tax"] for part in line["details"]) == line["tax"]
