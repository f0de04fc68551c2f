"""The sandbox's record service: upserts, merging, validation, totals, books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest


async def test_upsert_creates_then_changes_the_same_record(plain: Any, make_invoice: Any) -> None:
    first = await plain.put("/invoice/eid:in_1?replace=item,taxDetails", make_invoice("100.00", tax="19.00"))
    again = await plain.put("/invoice/eid:in_1?replace=item,taxDetails", make_invoice("100.00", tax="19.00"))
    assert first.id == again.id
    assert first.headers["Location"] == f"{plain.served.url}/services/rest/record/v1/invoice/{first.id}"
    books = await plain.books()
    assert [one["externalId"] for one in books["invoices"]] == ["in_1"]
    assert [one["action"] for one in books["accepted"] if one["type"] == "invoice"] == ["create", "update"]
    assert len(books["invoices"][0]["item"]) == 1


async def test_upsert_without_replace_appends_lines(plain: Any, make_invoice: Any) -> None:
    for _ in range(2):
        await plain.put("/invoice/eid:in_1", make_invoice("10.00"), names="ignore")
    # Both lines now carry the same reference, which is refused: the second write changed nothing.
    assert len((await plain.books())["invoices"][0]["item"]) == 1
    body = make_invoice("10.00")
    del body["item"]["items"][0]["taxDetailsReference"]
    for _ in range(2):
        await plain.put("/invoice/eid:in_2", body)
    assert (await plain.get("/invoice/eid:in_2")).body["total"] == 20


async def test_read_shows_lines_only_when_expanded(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00", "-15.50", tax="19.00"))
    short = (await plain.get(f"/invoice/{made.id}")).body
    assert set(short["item"]) == {"links"}
    whole = (await plain.get("/invoice/eid:in_1?expandSubResources=true")).body
    assert whole["id"] == made.id
    assert whole["entity"]["id"] == "1001"
    assert whole["entity"]["refName"] == "Acme"
    assert whole["currency"]["id"] == "4"
    assert [line["amount"] for line in whole["item"]["items"]] == [Decimal("100.0"), Decimal("-15.5")]
    assert whole["item"]["items"][0]["grossAmt"] == Decimal(119)
    assert (whole["subtotal"], whole["taxTotal"], whole["total"]) == (Decimal("84.5"), Decimal(19), Decimal("103.5"))
    assert whole["amountRemaining"] == Decimal("103.5")
    assert whole["status"] == {"id": "Open", "refName": "Open"}
    assert whole["postingPeriod"]["refName"] == "Jan 2026"
    assert whole["taxDetails"]["items"][0]["taxDetailsReference"]["id"] == "L1"
    some = (await plain.get(f"/invoice/{made.id}?fields=total,memo&simpleEnumFormat=true")).body
    assert set(some) == {"links", "id", "total"}
    lines = (await plain.get(f"/invoice/{made.id}/item")).body
    assert lines["totalResults"] == 2
    assert lines["items"][1]["links"][0]["href"].endswith(f"/invoice/{made.id}/item/2")
    assert (await plain.get(f"/invoice/{made.id}/item/2")).body["amount"] == Decimal("-15.5")


async def test_answer_media_types(plain: Any) -> None:
    good, bad = await plain.get("/customer/1001"), await plain.get("/customer/9")
    assert good.headers["Content-Type"] == "application/vnd.oracle.resource+json; type=singular"
    assert bad.headers["Content-Type"] == "application/vnd.oracle.resource+json; type=error"
    assert bad.body["title"] == "Not Found"
    assert (bad.status, bad.error["o:errorCode"]) == (404, "NONEXISTENT_ID")


async def test_patch_merges_lines(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("10.00", "20.00"))
    change = {"memo": "later", "item": {"items": [{"line": 2, "amount": 25.5}, {"item": {"id": "102"}, "amount": 1}]}}
    assert (await plain.call("PATCH", f"/services/rest/record/v1/invoice/{made.id}", change)).id == made.id
    whole = (await plain.get(f"/invoice/{made.id}?expandSubResources=true")).body
    assert [(line["line"], line["amount"]) for line in whole["item"]["items"]] == [
        (1, 10),
        (2, Decimal("25.5")),
        (3, 1),
    ]
    assert whole["memo"] == "later"
    await plain.call("PATCH", f"/services/rest/record/v1/invoice/{made.id}", {"memo": None})
    assert "memo" not in (await plain.get(f"/invoice/{made.id}")).body


async def test_property_names_are_checked_as_asked(plain: Any, make_invoice: Any) -> None:
    body = make_invoice("10.00", tranDat="2026-01-01")
    refused = await plain.put("/invoice/eid:in_1", body)
    assert (refused.status, refused.error["o:errorCode"], refused.error["o:errorPath"]) == (
        400,
        "INVALID_CONTENT",
        "tranDat",
    )
    warned = await plain.put("/invoice/eid:in_1", body, names="warning")
    assert warned.status == 204
    assert "tranDat" in warned.headers["Warning"]
    assert "Warning" not in (await plain.put("/invoice/eid:in_2", body, names="ignore")).headers
    assert (await plain.call("PUT", "/services/rest/record/v1/invoice/eid:in_3", body)).status == 204


async def test_names_may_be_in_any_case(plain: Any) -> None:
    body = {
        "ENTITY": {"id": "1001"},
        "trandate": "2026-01-31",
        "Item": {"items": [{"ITEM": {"id": "101"}, "Amount": 5}]},
    }
    assert (await plain.put("/Invoice/eid:in_1", body)).status == 204
    assert (await plain.get("/invoice/eid:in_1")).body["total"] == 5


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"entity": None}, "entity"),
        ({"entity": {"id": "9999"}}, "entity"),
        ({"entity": {"externalId": "nobody"}}, "entity"),
        ({"subsidiary": {"id": "1"}}, "subsidiary"),
        ({"currency": {"id": "5"}}, "currency"),
        ({"currency": {"id": "77"}}, "currency"),
        ({"tranDate": "31.01.2026"}, "tranDate"),
        ({"tranDate": "1999-01-01"}, "tranDate"),
        ({"memo": "two\nlines"}, "memo"),
        ({"memo": True}, "memo"),
        ({"item": {"items": []}}, "item"),
        ({"item": [{"amount": 1}]}, "item"),
        ({"item": {"items": [{"amount": 1}]}}, "item.items[0].item"),
        ({"item": {"items": [{"item": {"id": "9999"}, "amount": 1}]}}, "item.items[0].item"),
        ({"item": {"items": [{"item": {"id": "101"}}]}}, "item.items[0].amount"),
        ({"item": {"items": [{"item": {"id": "101"}, "amount": "1.00"}]}}, "item.items[0].amount"),
        ({"item": {"items": [{"item": {"id": "101"}, "amount": 1.005}]}}, "item.items[0].amount"),
        ({"item": {"items": [{"item": {"id": "101"}, "amount": 10**400}]}}, "item.items[0].amount"),
        ({"item": {"items": [{"item": {"id": "101"}, "rate": 1e300, "quantity": 2}]}}, "item.items[0].rate"),
        ({"item": {"items": [{"item": {"id": "101"}, "amount": -1}]}}, "total"),
        ({"taxDetails": {"items": [{"taxDetailsReference": "L1", "taxAmount": 1}]}}, "taxDetails"),
        (
            {"taxDetailsOverride": True, "taxDetails": {"items": [{"taxDetailsReference": "L7", "taxAmount": 1}]}},
            "taxDetails.items[0].taxDetailsReference",
        ),
        (
            {
                "taxDetailsOverride": True,
                "taxDetails": {"items": [{"taxDetailsReference": "L1", "taxType": "VAT", "taxAmount": 1}]},
            },
            "taxDetails.items[0].taxCode",
        ),
        ({"externalId": "another"}, "externalId"),
    ],
)
async def test_bad_invoices_are_refused(plain: Any, make_invoice: Any, changed: dict[str, Any], path: str) -> None:
    answer = await plain.put("/invoice/eid:in_1", {**make_invoice("10.00"), **changed})
    assert answer.status == 400, answer.body
    assert answer.error["o:errorPath"] == path
    assert (await plain.get("/invoice/eid:in_1")).status == 404
    assert not (await plain.books())["invoices"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/invoice/5001", {}, 400),
        ("PUT", "/invoice/eid:a%7Cb", {}, 400),
        ("GET", "/invoice/abc", None, 400),
        ("GET", "/spaceship/1", None, 404),
        ("POST", "/customer", b"{not json", 400),
        ("POST", "/customer", b"[]", 400),
        ("PUT", "/customer", {}, 405),
        ("PUT", "/invoice/eid:x?replace=wheels", {}, 400),
    ],
)
async def test_bad_requests_are_refused(plain: Any, method: str, path: str, body: Any, status: int) -> None:
    assert (await plain.call(method, f"/services/rest/record/v1{path}", body)).status == status


async def test_media_type_must_be_json(plain: Any) -> None:
    answer = await plain.call(
        "POST", "/services/rest/record/v1/customer", b"<customer/>", headers={"Content-Type": "text/xml"}
    )
    assert answer.status == 415


async def test_same_external_id_by_post_is_refused(plain: Any, make_invoice: Any) -> None:
    body = make_invoice("10.00", externalId="in_1")
    assert (await plain.post("/invoice", body)).status == 204
    answer = await plain.post("/invoice", body)
    assert (answer.status, answer.error["o:errorCode"]) == (400, "USER_ERROR")
    assert "already exists" in answer.error["detail"]
    assert len((await plain.books())["invoices"]) == 1


async def test_closed_periods_take_nothing(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("10.00"))
    assert (await plain.seed({"close": ["Jan 2026"]})).status == 200
    new = await plain.put("/invoice/eid:in_2", make_invoice("10.00"))
    assert (new.status, new.error["o:errorCode"], new.error["o:errorPath"]) == (400, "USER_ERROR", "postingPeriod")
    moved = await plain.put("/invoice/eid:in_1?replace=item", make_invoice("10.00", tranDate="2026-02-01"))
    assert moved.status == 400
    assert (await plain.call("DELETE", f"/services/rest/record/v1/invoice/{made.id}")).status == 400
    assert (await plain.put("/invoice/eid:in_2", make_invoice("10.00", tranDate="2026-02-01"))).status == 204
    await plain.seed({"open": ["Jan 2026"]})
    assert (await plain.put("/invoice/eid:in_3", make_invoice("10.00"))).status == 204


@pytest.mark.parametrize(
    ("customer", "amount", "status"),
    [("cus_2", "1500", 204), ("cus_2", "1500.5", 400), ("cus_3", "1.234", 204), ("cus_3", "1.2345", 400)],
)
async def test_precision_is_the_currency_s(
    plain: Any, make_invoice: Any, customer: str, amount: str, status: int
) -> None:
    answer = await plain.put("/invoice/eid:in_1", make_invoice(amount, customer=customer))
    assert answer.status == status


async def test_amounts_come_from_rate_quantity_and_price(plain: Any) -> None:
    lines = [
        {"item": {"id": "101"}, "quantity": 3, "rate": 0.335},
        {"item": {"id": "105"}, "quantity": 2},
        {"item": {"id": "104"}, "quantity": 7, "rate": 99, "amount": 10},
    ]
    await plain.put("/invoice/eid:in_1", {"entity": {"id": "1001"}, "item": {"items": lines}})
    whole = (await plain.get("/invoice/eid:in_1?expandSubResources=true")).body
    assert [line["amount"] for line in whole["item"]["items"]] == [Decimal("1.01"), 300, 10]


async def test_every_transaction_posts_in_balance(plain: Any, make_invoice: Any) -> None:
    discount = {"discountItem": {"id": "103"}, "discountRate": -4.5}
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00", "20.00", tax="22.80", **discount))
    await plain.post("/customerPayment", {"customer": {"id": "1001"}, "apply": {"items": [{"doc": {"id": made.id}}]}})
    books = await plain.books()
    for one in (*books["invoices"], *books["payments"]):
        assert sum(Decimal(line["amount"]) for line in one["gl"]) == 0
        assert one["gl"]
    balances = {account: Decimal(amount) for account, amount in books["balances"]["EUR"].items()}
    assert balances == {
        "119": 0,
        "54": Decimal(-120),
        "98": Decimal("-22.80"),
        "56": Decimal("4.50"),
        "122": Decimal("138.30"),
    }


async def test_customers(plain: Any) -> None:
    made = await plain.put("/customer/eid:cus_9", {"companyName": "Nine", "subsidiary": {"id": "4"}})
    whole = (await plain.get(f"/customer/{made.id}")).body
    assert (whole["companyName"], whole["currency"]["refName"], whole["balance"]) == ("Nine", "British Pound", 0)
    no_name = await plain.put("/customer/eid:cus_10", {"subsidiary": {"id": "4"}})
    assert (no_name.status, no_name.error["o:errorPath"]) == (400, "companyName")
    no_entity = await plain.put("/customer/eid:cus_10", {"companyName": "Ten"})
    assert (no_entity.status, no_entity.error["o:errorPath"]) == (400, "subsidiary")
    person = {"isPerson": True, "firstName": "Ada", "lastName": "Lovelace", "subsidiary": 1}
    assert (await plain.post("/customer", person)).status == 204


def a_customer(**more: Any) -> dict[str, Any]:
    return {"companyName": "Alder", "subsidiary": {"id": "2"}, **more}


def living_at(**address: Any) -> dict[str, Any]:
    return a_customer(addressBook={"items": [{"defaultBilling": True, "addressBookAddress": address}]})


@pytest.mark.parametrize(
    ("name", "most"), [("companyName", 83), ("phone", 32), ("email", 254), ("comments", 4000), ("lastName", 32)]
)
async def test_a_text_is_no_longer_than_netsuite_takes(plain: Any, name: str, most: int) -> None:
    assert (await plain.post("/customer", a_customer(**{name: "a" * most}))).status == 204
    refused = await plain.post("/customer", a_customer(**{name: "a" * (most + 1)}))
    told = f"The field {name.lower()} contained more than the maximum number ( {most} ) of characters allowed."
    assert (refused.status, refused.error) == (
        400,
        {"detail": told, "o:errorCode": "USER_ERROR", "o:errorPath": name},
    )


async def test_an_address_is_looked_at_like_all_else(plain: Any) -> None:
    """A mistyped name would otherwise send goods to nowhere, and a text that is too long is one anywhere."""
    path = "addressBook.items[0].addressBookAddress"
    good = {"addr1": "a" * 150, "city": "Wien", "state": "s" * 30, "zip": "1010", "country": {"id": "AT"}}
    made = await plain.post("/customer", living_at(**good))
    shown = (await plain.get(f"/customer/{made.id}?expandSubResources=true")).body["addressBook"]["items"][0]
    assert good.items() <= shown["addressBookAddress"].items()
    mistyped = await plain.post("/customer", living_at(**good, postalCode="1010"))
    assert (mistyped.error["o:errorCode"], mistyped.error["o:errorPath"]) == ("INVALID_CONTENT", f"{path}.postalCode")
    lax = await plain.put("/customer/eid:cus_9", living_at(**good, postalCode="1010"), names="warning")
    assert (lax.status, "postalCode" in lax.headers["Warning"]) == (204, True)
    for name, most in (("addr1", 150), ("city", 50), ("state", 30), ("zip", 36)):
        longer = await plain.post("/customer", living_at(**{**good, name: "a" * (most + 1)}))
        assert (longer.error["o:errorCode"], longer.error["o:errorPath"]) == ("USER_ERROR", f"{path}.{name}")
        assert f"The field {name} contained more than the maximum number ( {most} )" in longer.error["detail"]
    no_text = await plain.post("/customer", living_at(**{**good, "zip": 10.5}))
    assert no_text.error["o:errorPath"] == f"{path}.zip"


async def test_lists_have_ids_only_and_page_by_the_rules(plain: Any) -> None:
    page = (await plain.get("/customer?limit=2&offset=0")).body
    assert [item["id"] for item in page["items"]] == ["1001", "1002"]
    assert (page["count"], page["hasMore"], page["totalResults"]) == (2, True, 3)
    assert {link["rel"] for link in page["links"]} == {"self", "next", "last"}
    assert (await plain.get("/customer?limit=2&offset=2")).body["hasMore"] is False
    for wrong in ("limit=2&offset=1", "limit=0", "limit=1001", "limit=x", "offset=-1", "limit=1&offset=1000"):
        answer = await plain.get(f"/customer?{wrong}")
        assert (answer.status, answer.error["o:errorCode"]) == (400, "INVALID_PARAMETER"), wrong


async def test_thousands_of_customers_are_seeded_at_once(plain: Any) -> None:
    wish = [
        {"externalId": f"bulk_{n}", "companyName": f"Bulk {n}", "subsidiary": {"id": "1"}, "currency": "USD"}
        for n in range(3000)
    ]
    answer = await plain.seed({"customers": wish})
    assert len(answer.body["customers"]) == 3000
    found = await plain.get(f"/customer/{answer.body['customers']['bulk_2999']}")
    assert found.body["externalId"] == "bulk_2999"
    assert (await plain.seed({"customers": [{"companyName": "x"}]})).status == 400
    assert (await plain.seed({"custmers": []})).status == 400
