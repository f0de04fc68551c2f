"""AvaTax's sandbox, met as a stranger would: plain HTTP, its rules on types, codes, rounding, exemption, lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from connectors.avatax.sandbox.app import sandbox
from connectors.avatax.sandbox.calculation import spread
from hub.sandbox.exact_json import dumps, loads
from hub.sandbox.server import Running, running

IRVINE = {"line1": "1 Main Street", "region": "CA", "country": "US", "postalCode": "92615"}
COMPANY = "companies/DEFAULT/transactions"


class Client:
    """A stranger with the account's key."""

    def __init__(self, served: Running, http: aiohttp.ClientSession) -> None:
        self.served = served
        self.http = http
        self.key = basic(served.announcement["account_id"], served.announcement["license_key"])

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        url = path if path.startswith("http") else f"{self.served.url}/api/v2/{path}"
        data = None if body is None else dumps(body)
        async with self.http.request(method, url, data=data, params=query, headers=self.key) as answer:
            raw = await answer.read()
            return answer.status, loads(raw) if raw else None

    async def create(self, *amounts: Any, **changes: Any) -> tuple[int, Any]:
        return await self.call("POST", "transactions/create", model(*amounts, **changes))

    async def taxes(self, *amounts: Any, **changes: Any) -> tuple[Decimal, list[Decimal]]:
        status, reply = await self.create(*amounts, type="SalesOrder", **changes)
        assert status == 201, reply
        return reply["totalTax"], [line["tax"] for line in reply["lines"]]

    async def seed(self, **wish: Any) -> None:
        await self.served.world.books.seed(wish)

    def documents(self) -> list[Any]:
        return list(self.served.world.books.snapshot()["documents"])


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


def model(*amounts: Any, **changes: Any) -> dict[str, Any]:
    return {
        "code": "INV-1",
        "type": "SalesInvoice",
        "companyCode": "DEFAULT",
        "date": "2026-01-31",
        "customerCode": "ACME",
        "currencyCode": "USD",
        "commit": True,
        "addresses": {"SingleLocation": IRVINE},
        "lines": [{"amount": amount} for amount in amounts or (100,)],
        **changes,
    }


def located(country: str, region: str = "") -> dict[str, Any]:
    return {"singleLocation": {"country": country, "region": region}}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with running(sandbox) as served, aiohttp.ClientSession() as http:
        yield Client(served, http)


async def test_irvine_pays_what_avalaras_example_says(client: Client) -> None:
    _, reply = await client.create(100)
    assert (reply["totalTax"], reply["totalAmount"]) == (Decimal("7.75"), 100)
    details = [(detail["jurisType"], detail["tax"]) for detail in reply["lines"][0]["details"]]
    assert details == [("STA", 6), ("CTY", Decimal("0.25")), ("STJ", Decimal("0.5")), ("STJ", 1)]
    assert [row["jurisType"] for row in reply["summary"]] == ["State", "County", "Special", "Special"]


@pytest.mark.parametrize(
    ("country", "region", "tax"),
    [
        ("US", "NY", "8.88"),
        ("US", "OR", "0"),
        ("DE", "", "19"),
        ("JP", "", "10"),
        ("KW", "", "0"),
        ("GB", "", "20"),
        ("CA", "QC", "14.98"),
        ("CA", "ON", "13"),
        ("BR", "", "0"),
    ],
)
async def test_rates_by_place(client: Client, country: str, region: str, tax: str) -> None:
    total, _ = await client.taxes(100, addresses=located(country, region))
    assert total == Decimal(tax)


async def test_lines_are_rounded_half_up_and_apart(client: Client) -> None:
    total, lines = await client.taxes(Decimal("0.50"), Decimal("0.50"), Decimal("-0.50"), addresses=located("JP"))
    assert (total, lines) == (Decimal("0.05"), [Decimal("0.05"), Decimal("0.05"), Decimal("-0.05")])
    _, lines = await client.taxes(Decimal("0.45"), Decimal("-0.45"), addresses=located("JP"))
    assert lines == [Decimal("0.05"), Decimal("-0.05")]


async def test_a_document_may_be_rounded_once(client: Client) -> None:
    await client.seed(rounding={"level": "Document"})
    total, lines = await client.taxes(*[Decimal("0.45")] * 3, addresses=located("JP"))
    assert total == Decimal("0.14")
    assert sorted(lines) == [Decimal("0.04"), Decimal("0.05"), Decimal("0.05")]


async def test_digits_of_a_currency_can_be_set(client: Client) -> None:
    total, _ = await client.taxes(105, currencyCode="JPY", addresses=located("JP"))
    assert total == Decimal("10.5")
    await client.seed(rounding={"digits": {"JPY": 0}})
    total, _ = await client.taxes(105, currencyCode="JPY", addresses=located("JP"))
    assert total == 11


async def test_parts_of_a_line_sum_to_its_tax(client: Client) -> None:
    _, reply = await client.create(*[Decimal(cents).scaleb(-2) for cents in range(-60, 240, 7)])
    for line in reply["lines"]:
        assert sum(detail["tax"] for detail in line["details"]) == line["tax"]
    assert sum(line["tax"] for line in reply["lines"]) == reply["totalTax"]


def test_spreading_gives_the_whole() -> None:
    for whole in ("0.07", "-0.07", "0", "1.00"):
        parts = spread(Decimal(whole), [Decimal(whole) * share / 7 for share in (1, 2, 4)], Decimal("0.01"))
        assert sum(parts) == Decimal(whole)


async def test_tax_included_is_taken_out(client: Client) -> None:
    _, reply = await client.create(
        addresses=located("DE"), lines=[{"amount": 119, "taxIncluded": True}], type="SalesOrder"
    )
    assert (reply["totalAmount"], reply["totalTax"]) == (100, 19)


async def test_a_discount_falls_on_its_lines(client: Client) -> None:
    lines = [{"amount": 100, "discounted": True}, {"amount": 50, "discounted": True}, {"amount": 10}]
    _, reply = await client.create(addresses=located("JP"), lines=lines, discount=Decimal("15.01"), type="SalesOrder")
    assert [line["discountAmount"] for line in reply["lines"]] == [Decimal("10.01"), 5, 0]
    assert reply["totalAmount"] == Decimal("144.99")


@pytest.mark.parametrize(
    "changes",
    [
        {"entityUseCode": "G"},
        {"exemptionNo": "X-1"},
        {"lines": [{"amount": 100, "entityUseCode": "A"}]},
        {"lines": [{"amount": 100, "exemptionCode": "X-1"}]},
    ],
)
async def test_exempt_buyers_pay_nothing(client: Client, changes: dict[str, Any]) -> None:
    _, reply = await client.create(**changes)
    assert (reply["totalTax"], reply["totalExempt"]) == (0, 100)


async def test_a_document_without_type_is_silently_not_recorded(client: Client) -> None:
    body = model()
    del body["type"]
    status, reply = await client.call("POST", "transactions/create", body)
    assert (status, reply["type"], reply["status"]) == (201, "SalesOrder", "Temporary")
    assert client.documents() == []
    assert (await client.call("GET", f"{COMPANY}/INV-1", documentType="SalesOrder"))[0] == 400


async def test_without_a_code_a_repeat_is_another_document(client: Client) -> None:
    for _ in range(2):
        assert (await client.create(code=""))[0] == 201
    assert len({document["code"] for document in client.documents()}) == 2


async def test_a_saved_document_is_written_anew_and_then_committed(client: Client) -> None:
    await client.create(100, commit=False)
    await client.create(200, commit=False)
    status, reply = await client.call("POST", f"{COMPANY}/INV-1/commit", {"commit": True})
    assert (status, reply["status"], reply["totalAmount"]) == (200, "Committed", 200)
    assert len(client.documents()) == 1
    assert (await client.call("POST", f"{COMPANY}/INV-1/commit", {"commit": True}))[0] == 400


async def test_create_or_adjust_keeps_the_old_revision(client: Client) -> None:
    for amount in (100, 200):
        body = {"adjustmentReason": "PriceAdjusted", "createTransactionModel": model(amount)}
        status, reply = await client.call("POST", "transactions/createoradjust", body)
        assert status == 200
    assert (reply["version"], reply["adjustmentReason"]) == (2, "PriceAdjusted")
    assert [(document["status"], document["version"]) for document in client.documents()] == [
        ("Adjusted", 1),
        ("Committed", 2),
    ]


async def test_one_code_may_serve_several_types(client: Client) -> None:
    await client.create(100)
    assert (await client.create(-100, type="ReturnInvoice"))[0] == 201
    _, reply = await client.call("GET", f"{COMPANY}/INV-1", documentType="ReturnInvoice")
    assert reply["totalAmount"] == -100


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": []}, "MissingLine"),
        ({"addresses": None}, "MissingAddress"),
        ({"addresses": {"shipTo": IRVINE}}, "MissingAddress"),
        ({"addresses": {"singleLocation": IRVINE, "shipTo": IRVINE}}, "AddressConflictException"),
        ({"addresses": located("US", "ZZ")}, "InvalidAddress"),
        # Two letters that look like a country, and are none: nothing is taxed at nothing for it.
        ({"addresses": located("UK", "")}, "InvalidCountry"),
        ({"addresses": located("Germany", "")}, "InvalidCountry"),
        ({"addresses": {"singleLocation": {**IRVINE, "postalCode": "ABC"}}}, "InvalidPostalCode"),
        ({"customerCode": None}, "ModelStateInvalid"),
        ({"customerCode": "x" * 51}, "ModelStateInvalid"),
        ({"date": "31.01.2026"}, "ModelStateInvalid"),
        ({"type": "Invoice"}, "ModelStateInvalid"),
        ({"lines": [{"quantity": 1}]}, "ModelStateInvalid"),
        ({"lines": [{"amount": "100"}]}, "ModelStateInvalid"),
        ({"lines": [{"amount": Decimal("1.123456789012")}]}, "InvalidDecimalValue"),
        ({"lines": [{"amount": 1, "taxCode": "XX"}]}, "GetTaxError"),
        ({"companyCode": "NOBODY"}, "EntityNotFoundError"),
    ],
)
async def test_what_is_wrong_is_refused_with_its_code(client: Client, changes: dict[str, Any], code: str) -> None:
    status, reply = await client.create(**changes)
    assert status in {400, 404}
    assert reply["error"]["code"] == code
    assert reply["error"]["details"][0]["number"] > 0
    assert client.documents() == []


async def test_a_body_that_is_not_json(client: Client) -> None:
    url = f"{client.served.url}/api/v2/transactions/create"
    async with client.http.post(url, data=b"{", headers=client.key) as answer:
        assert (await answer.json())["error"]["code"] == "JsonFormatError"


async def test_without_the_key_only_the_ping_answers(client: Client) -> None:
    for key, code in (({}, "AuthenticationIncomplete"), (basic("1", "2"), "AuthenticationException")):
        async with client.http.get(f"{client.served.url}/api/v2/{COMPANY}", headers=key) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == code
        async with client.http.get(f"{client.served.url}/api/v2/utilities/ping", headers=key) as answer:
            assert (answer.status, (await answer.json())["authenticated"]) == (200, False)


async def test_lists_are_filtered_ordered_and_paged(client: Client) -> None:
    for number in range(5):
        await client.create(number, code=f"INV-{number}", date=f"2026-01-{10 + number}", referenceCode=f"it's {number}")
    await client.call("POST", f"{COMPANY}/INV-3/void", {"code": "DocVoided"})
    assert (await client.call("GET", COMPANY))[1]["@recordsetCount"] == 0, "without a date only the last 30 days"
    wanted = "date ge '2026-01-11' and (status eq 'Committed' or referenceCode eq 'it''s 3') and totalAmount lt 4"
    status, page = await client.call("GET", COMPANY, **{"$filter": wanted, "$orderBy": "totalAmount DESC", "$top": "2"})
    assert (status, page["@recordsetCount"]) == (200, 3)
    assert [row["code"] for row in page["value"]] == ["INV-3", "INV-2"]
    assert "lines" not in page["value"][0]
    _, rest = await client.call("GET", page["@nextLink"])
    assert [row["code"] for row in rest["value"]] == ["INV-1"]
    assert "@nextLink" not in rest


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("nothing eq 1", "InvalidQueryField"),
        ("code", "SyntaxError"),
        ("code is 'x'", "SyntaxError"),
        ("code eq 'x", "UnterminatedValueError"),
        ("(code eq 'x'", "OpenClauseException"),
        ("code eq 'x' and", "SyntaxError"),
        ("lines eq 1", "FieldNotQueryableError"),
        ("totalAmount gt 'much' and date ge '2026-01-01'", "InvalidQueryValue"),
    ],
)
async def test_filters_that_make_no_sense_are_refused(client: Client, wanted: str, code: str) -> None:
    await client.create(100)
    status, reply = await client.call("GET", COMPANY, **{"$filter": wanted})
    assert (status, reply["error"]["code"]) == (400, code)


async def test_a_timeout_can_be_asked_for(client: Client) -> None:
    await client.seed(forced_timeout=0.01)
    status, reply = await client.call("POST", "transactions/create", model(), **{"$include": "ForceTimeout"})
    assert (status, reply["error"]["code"]) == (504, "TimeoutRequested")
    assert client.documents() == []


async def test_a_wrong_wish_is_refused_and_a_reset_forgets(client: Client) -> None:
    with pytest.raises(ValueError, match="Unknown wishes: banana"):
        await client.seed(banana=1)
    with pytest.raises(ValueError, match="MissingLine"):
        await client.seed(documents=[model(lines=[])])
    await client.seed(documents=[model()], companies=["OTHER"], tax_codes=["XX"], rates={"DE": "0.16"})
    assert (await client.taxes(100, addresses=located("DE")))[0] == 16
    await client.served.world.reset()
    assert client.documents() == []
    assert (await client.taxes(100, addresses=located("DE")))[0] == 19


async def test_what_was_reported_never_changes(client: Client) -> None:
    await client.create(100)
    assert (await client.call("POST", f"{COMPANY}/INV-1/lock", {"isLocked": True}))[1]["locked"] is True
    adjusted = {"adjustmentReason": "Other", "adjustmentDescription": "x", "newTransaction": model(1)}
    again = {"createTransactionModel": model(1)}
    for path, body in (
        (f"{COMPANY}/INV-1/void", {"code": "DocVoided"}),
        (f"{COMPANY}/INV-1/adjust", adjusted),
        (f"{COMPANY}/INV-1/uncommit", None),
        (f"{COMPANY}/INV-1/changecode", {"newCode": "INV-2"}),
        ("transactions/createoradjust", again),
    ):
        status, reply = await client.call("POST", path, body)
        assert (status, reply["error"]["code"]) == (400, "CannotModifyLockedTransaction"), path
    (document,) = client.documents()
    assert (document["status"], document["total_amount"]) == ("Committed", 100)


async def test_a_document_goes_back_and_forth_until_it_is_committed(client: Client) -> None:
    await client.create(100)
    for action, body, wanted in (
        ("uncommit", None, "Saved"),
        ("changecode", {"newCode": "INV-2"}, "Saved"),
    ):
        _, reply = await client.call("POST", f"{COMPANY}/INV-1/{action}", body)
        assert reply["status"] == wanted
    assert (await client.call("GET", f"{COMPANY}/INV-1"))[0] == 404
    await client.call("POST", f"{COMPANY}/INV-2/void", {"code": "docVoided"})
    assert (await client.call("POST", f"{COMPANY}/INV-2/unvoid"))[1]["status"] == "Saved"
    wrong = {"verify": {"verifyTotalTax": 1}, "commit": {"commit": True}}
    assert (await client.call("POST", f"{COMPANY}/INV-2/settle", wrong))[1]["error"]["code"] == "GetTaxError"
    right = {
        "verify": {"verifyTotalTax": Decimal("7.75"), "verifyTotalAmount": 100, "verifyTransactionDate": "2026-01-31"},
        "changeCode": {"newCode": "INV-3"},
        "commit": {"commit": True},
    }
    status, reply = await client.call("POST", f"{COMPANY}/INV-2/settle", right)
    assert (status, reply["code"], reply["status"]) == (200, "INV-3", "Committed")
    assert (await client.call("POST", f"{COMPANY}/INV-3/uncommit"))[1]["status"] == "Saved"
    assert (await client.call("POST", f"{COMPANY}/INV-3/uncommit"))[1]["error"]["code"] == "DocumentNotCommitted"


async def test_a_renamed_document_takes_no_other_ones_code(client: Client) -> None:
    await client.create(100, commit=False)
    await client.create(200, code="INV-2")
    status, reply = await client.call("POST", f"{COMPANY}/INV-1/changecode", {"newCode": "INV-2"})
    assert (status, reply["error"]["code"]) == (400, "DocumentCodeConflict")


@pytest.mark.parametrize(
    ("body", "amounts", "tax"),
    [
        ({"refundType": "Full"}, [-100, -50], "-11.63"),
        ({"refundType": "Partial", "refundLines": ["2"]}, [-50], "-3.88"),
        ({"refundType": "TaxOnly"}, [0, 0], "-11.63"),
        ({"refundType": "Percentage", "refundPercentage": 50}, [-50, -25], "-5.82"),
    ],
)
async def test_a_refund_takes_back_the_tax_of_its_sale(
    client: Client, body: dict[str, Any], amounts: list[int], tax: str
) -> None:
    await client.create(100, 50)
    asked = {"refundTransactionCode": "CN-1", "refundDate": "2026-02-01", **body}
    _, reply = await client.call("POST", f"{COMPANY}/INV-1/refund", asked)
    assert (reply["type"], reply["status"], reply["taxDate"]) == ("ReturnInvoice", "Committed", "2026-01-31T00:00:00")
    _, whole = await client.call("GET", f"{COMPANY}/CN-1/types/ReturnInvoice", **{"$include": "Details"})
    assert [line["lineAmount"] for line in whole["lines"]] == amounts
    assert whole["totalTax"] == Decimal(tax)
    for line in whole["lines"]:
        assert sum(detail["tax"] for detail in line["details"]) == line["tax"]
    status, again = await client.call("POST", f"{COMPANY}/INV-1/refund", asked)
    assert (status, again["error"]["code"]) == (400, "DocumentCodeConflict")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"refundDate": "2026-02-01", "refundType": "Half"},
        {"refundDate": "2026-02-01", "refundType": "Partial", "refundLines": ["9"]},
        {"refundDate": "2026-02-01", "refundType": "Percentage", "refundPercentage": 101},
    ],
)
async def test_a_refund_that_makes_no_sense_is_refused(client: Client, body: dict[str, Any]) -> None:
    await client.create(100)
    status, reply = await client.call("POST", f"{COMPANY}/INV-1/refund", body)
    assert (status, reply["error"]["code"]) == (400, "ModelStateInvalid")
    assert len(client.documents()) == 1


async def test_where_there_is_no_nexus_the_details_say_so(client: Client) -> None:
    _, reply = await client.create(100, addresses=located("US", "OR"))
    (detail,) = reply["lines"][0]["details"]
    assert (detail["nonTaxableType"], detail["nonTaxableAmount"], detail["tax"]) == ("NexusRule", 100, 0)


async def test_rates_are_told_for_an_address(client: Client) -> None:
    place = {"line1": "1 Main Street", "city": "Irvine", "region": "CA", "postalCode": "92614", "country": "US"}
    status, reply = await client.call("GET", "taxrates/byaddress", **place)
    assert (status, reply["totalRate"]) == (200, Decimal("0.0775"))
    assert sum(rate["rate"] for rate in reply["rates"]) == reply["totalRate"]
    for wrong in ({"region": ""}, {"region": "ZZ"}, {"country": "DE"}):
        assert (await client.call("GET", "taxrates/byaddress", **{**place, **wrong}))[0] == 400


async def test_companies_are_listed_by_their_code(client: Client) -> None:
    await client.seed(companies=["OTHER"])
    _, reply = await client.call("GET", "companies", **{"$filter": "companyCode eq 'OTHER'"})
    assert [row["companyCode"] for row in reply["value"]] == ["OTHER"]
    assert (await client.call("GET", f"companies/{reply['value'][0]['id']}"))[1] == reply["value"][0]
    assert (await client.call("GET", "companies/1"))[0] == 404
    assert (await client.call("GET", "companies"))[1]["@recordsetCount"] == 2


async def test_an_address_nobody_knows_is_answered_with_a_message(client: Client) -> None:
    place = {"line1": "2000 Main Street", "city": "Irvine", "region": "CA", "postalCode": "92614", "country": "US"}
    _, found = await client.call("POST", "addresses/resolve", place)
    assert found["resolutionQuality"] == "Rooftop"
    assert found["validatedAddresses"][0]["postalCode"] == "92614-0001"
    assert {row["jurisdictionType"] for row in found["taxAuthorities"]} == {"State", "County", "Special"}
    status, lost = await client.call("GET", "addresses/resolve", **{**place, "line1": "Unknown Road 1"})
    assert (status, lost["resolutionQuality"], lost["messages"][0]["severity"]) == (200, "NotCoded", "Error")
    assert (await client.call("POST", "addresses/resolve", {**place, "planet": "Mars"}))[0] == 400
