"""Stripe Tax by Stripe's own library and by the connector: what is owed where, recorded once, reversed to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from connectors.stripe.sandbox.tax_rules import CODES, levied
from connectors.stripe.settings import StripeSettings
from connectors.stripe.versions import NEWEST
from hub.sandbox.server import Running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.exact_json import dumps, loads
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.connectors.stripe.partners import Client
from tests.connectors.stripe.shapes import misfits


def set_up(call: stripe.StripeClient) -> None:
    """Let the seller be in California, registered there, in New York, and in Germany."""
    office: Any = {"address": {"country": "US", "state": "CA"}}
    call.v1.tax.settings.update({"defaults": {"tax_code": "txcd_99999999"}, "head_office": office})
    for state in ("CA", "NY"):
        options: Any = {"us": {"state": state, "type": "state_sales_tax"}}
        call.v1.tax.registrations.create({"country": "US", "country_options": options, "active_from": "now"})
    german: Any = {"de": {"type": "standard"}}
    call.v1.tax.registrations.create({"country": "DE", "country_options": german, "active_from": "now"})


def reverse(call: stripe.StripeClient, wanted: dict[str, Any]) -> Any:
    """Take a record back, and show the lines of what does."""
    parameters: Any = {**wanted, "expand": ["line_items"]}
    return call.v1.tax.transactions.create_reversal(parameters)


def sale(country: str = "US", state: str | None = "NY", amounts: Any = (10_000,), **more: Any) -> Any:
    address = {"country": country, **({"state": state} if state else {})}
    details = {"address": address, "address_source": "shipping", **more.pop("details", {})}
    lines = [{"amount": amount, **more.pop("line", {})} for amount in amounts]
    return {"currency": "usd", "line_items": lines, "customer_details": details, **more}


async def test_a_calculation_with_its_lines_and_jurisdictions(client: Client) -> None:
    def work(call: stripe.StripeClient) -> Any:
        settings: Any = call.v1.tax.settings.retrieve()
        assert settings.status == "pending"
        assert settings.status_details.pending.missing_fields == ["defaults.tax_code", "head_office"]
        with pytest.raises(stripe.InvalidRequestError) as inactive:
            call.v1.tax.calculations.create(sale())
        assert inactive.value.code == "stripe_tax_inactive"
        set_up(call)
        assert call.v1.tax.settings.retrieve().status == "active"
        assert len(call.v1.tax.registrations.list({"status": "active"}).data) == 3
        wanted: Any = {**sale(), "expand": ["line_items.data.tax_breakdown"], "shipping_cost": {"amount": 500}}
        made = call.v1.tax.calculations.create(wanted)
        assert (made.amount_total, made.tax_amount_exclusive, made.tax_amount_inclusive) == (11_433, 933, 0)
        (total,) = made.tax_breakdown
        assert (total.amount, str(total.tax_rate_details.percentage_decimal), total.taxability_reason) == (
            933,
            "8.875",
            "standard_rated",
        )
        assert made.line_items is not None
        (line,) = made.line_items.data
        assert (line.amount, line.amount_tax, line.reference) == (10_000, 888, "L1")
        assert [(one.jurisdiction.level, one.amount) for one in line.tax_breakdown or ()] == [
            ("state", 400),
            ("city", 450),
            ("district", 38),
        ]
        bare = call.v1.tax.calculations.retrieve(str(made.id)).to_dict()
        assert "line_items" not in bare
        assert len(call.v1.tax.calculations.line_items.list(str(made.id)).data) == 1
        assert "txcd_10103001" in [one.id for one in call.v1.tax_codes.list()]
        return loads(made.last_response.body)  # type: ignore[union-attr]

    assert not misfits(f"stripe.tax.calculation@{NEWEST}", await client(work))


@pytest.mark.parametrize(
    ("wanted", "tax", "reason"),
    [
        (sale("US", "NY"), 888, "standard_rated"),
        (sale("US", "TX"), 0, "not_collecting"),
        (sale("FR", None), 0, "not_collecting"),
        (sale("US", "CA", line={"tax_code": "txcd_10103001"}), 0, "product_exempt"),
        (sale("US", "CA"), 988, "standard_rated"),
        (sale("DE", None), 1900, "standard_rated"),
        (sale("DE", None, line={"tax_code": "txcd_35010000"}), 700, "reduced_rated"),
        (sale("DE", None, details={"tax_ids": [{"type": "eu_vat", "value": "DE123456789"}]}), 0, "reverse_charge"),
        (sale("DE", None, details={"taxability_override": "customer_exempt"}), 0, "customer_exempt"),
        (sale("DE", None, details={"taxability_override": "reverse_charge"}), 0, "reverse_charge"),
        (sale("DE", None, line={"tax_behavior": "inclusive"}), 1597, "standard_rated"),
    ],
)
async def test_what_is_owed_and_why(client: Client, wanted: Any, tax: int, reason: str) -> None:
    def work(call: stripe.StripeClient) -> None:
        set_up(call)
        made = call.v1.tax.calculations.create(wanted)
        assert made.tax_amount_exclusive + made.tax_amount_inclusive == tax
        assert [one.taxability_reason for one in made.tax_breakdown] == [reason]

    await client(work)


async def test_what_cannot_be_calculated(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> str:
        set_up(call)
        wrong: list[tuple[Any, str | None, str | None]] = [
            (sale("US", None), "customer_tax_location_invalid", "customer_details[address]"),
            ({**sale(), "customer": "cus_no"}, None, "customer_details"),
            ({**sale(), "line_items": [{"amount": 1, "tax_code": "txcd_1"}]}, "resource_missing", None),
            ({**sale(), "line_items": [{"amount": 1, "reference": "a"}] * 2}, None, "line_items"),
            ({**sale(), "tax_date": 1}, None, "tax_date"),
            ({**sale(), "surplus": 1}, "parameter_unknown", "surplus"),
        ]
        for parameters, code, param in wrong:
            with pytest.raises(stripe.InvalidRequestError) as refused:
                call.v1.tax.calculations.create(parameters)
            assert refused.value.code == code
            assert param is None or refused.value.param == param
        return str(call.v1.tax.calculations.create(sale()).id)

    old = await client(work)
    sandbox.world.clock.advance(91 * 86400)

    def late(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="has expired"):
            call.v1.tax.transactions.create_from_calculation({"calculation": old, "reference": "late"})

    await client(late)


async def test_a_sale_is_recorded_once_and_reversed_to_nothing(client: Client) -> None:
    def work(call: stripe.StripeClient) -> Any:
        set_up(call)
        calculation = str(call.v1.tax.calculations.create(sale(amounts=(10_000, 333))).id)
        made = call.v1.tax.transactions.create_from_calculation(
            {"calculation": calculation, "reference": "INV-1", "expand": ["line_items"]}
        )
        assert (made.type, made.reference) == ("transaction", "INV-1")
        assert made.line_items is not None
        first, second = made.line_items.data
        assert (first.amount, first.amount_tax, second.amount, second.amount_tax) == (10_000, 888, 333, 29)
        with pytest.raises(stripe.InvalidRequestError) as twice:
            call.v1.tax.transactions.create_from_calculation({"calculation": calculation, "reference": "INV-1"})
        assert (twice.value.code, twice.value.param) == ("resource_already_exists", "reference")
        part: Any = {"original_line_item": first.id, "reference": "r", "amount": -4000, "amount_tax": -355}
        partial: Any = {"mode": "partial", "original_transaction": made.id, "reference": "INV-1-R"}
        back = reverse(call, {**partial, "line_items": [part]})
        assert [(one.amount, one.amount_tax, one.type) for one in back.line_items.data] == [(-4000, -355, "reversal")]
        again = {**partial, "reference": "INV-1-S"}
        wrong: list[tuple[dict[str, Any], str]] = [
            ({**again, "line_items": [{**part, "amount": -6001}]}, "More would be reversed"),
            ({**again, "line_items": [{**part, "amount": 5}]}, "must be negative"),
            ({**again, "mode": "full"}, "reversed already"),
            ({**again, "flat_amount": -6_896}, "at most 6895"),
            ({**partial, "line_items": [part]}, "already exists"),
            ({**again, "original_transaction": back.id, "mode": "full"}, "cannot be reversed"),
        ]
        for parameters, words in wrong:
            with pytest.raises(stripe.InvalidRequestError, match=words):
                call.v1.tax.transactions.create_reversal(parameters)  # type: ignore[arg-type]
        rest = reverse(call, {**again, "flat_amount": -6895})
        lines = [*back.line_items.data, *rest.line_items.data]
        assert sum(one.amount for one in lines) == -10_333
        assert sum(one.amount_tax for one in lines) == -917
        return [loads(one.last_response.body) for one in (made, back, rest)]  # type: ignore[union-attr]

    for shown in await client(work):
        assert not misfits(f"stripe.tax.transaction@{NEWEST}", shown)


@given(
    amount=st.integers(0, 10_000_000),
    place=st.sampled_from(["US-CA", "US-NY", "US-WA", "DE", "JP", "CA-QC", "CA-BC"]),
    inclusive=st.booleans(),
    unit=st.sampled_from([1, 10]),
)
def test_shares_of_an_inclusive_amount_sum_to_it(amount: int, place: str, *, inclusive: bool, unit: int) -> None:
    whole = amount * unit
    parts = levied(
        whole,
        place,
        "txcd_99999999",
        registered={place},
        home="US-OR",
        override="none",
        business=False,
        inclusive=inclusive,
        unit=unit,
    )
    assert all(part.amount % unit == 0 <= part.amount for part in parts)
    if inclusive:
        assert parts[0].taxable + sum(part.amount for part in parts) == whole
    else:
        assert {part.taxable for part in parts} == {whole}
    assert "txcd_99999999" in CODES


@pytest.fixture
async def connected(sandbox: Running) -> AsyncIterator[Connected]:
    settings = StripeSettings.model_validate(
        {**SAMPLES.settings, "base_url": sandbox.url, "api_key": sandbox.announcement["api_key"]}
    )
    joined = Connected(CONNECTOR, settings)
    yield joined
    await joined.close()


async def test_the_connector_quotes_records_and_takes_back(sandbox: Running, connected: Connected) -> None:
    await sandbox.world.books.seed(SAMPLES.seed)
    writes = {one.name: one for one in CONNECTOR.operations if isinstance(one, WriteOperation)}
    reads = {one.name: one for one in CONNECTOR.operations if isinstance(one, ReadOperation)}
    lines = [{"amount": 100 + number, "reference": f"line {number}"} for number in range(130)]
    quote = await connected.write(writes["tax_calculation.create"], sale(line={}) | {"line_items": lines}, _key(1))
    whole = await reads["tax_calculation.read"].read(connected, {"id": quote["id"]})
    assert len(whole["line_items"]["data"]) == 130
    assert sum(line["amount_tax"] for line in whole["line_items"]["data"]) == quote["tax_amount_exclusive"] > 0
    assert all(line["tax_breakdown"] for line in whole["line_items"]["data"])
    wanted = {"calculation": quote["id"], "reference": "INV-9"}
    made = await connected.write(writes["tax_transaction.create"], wanted, _key(2))
    assert (made["type"], made["reference"]) == ("transaction", "INV-9")
    with pytest.raises(FixData) as twice:
        await connected.write(writes["tax_transaction.create"], wanted, _key(3))
    assert twice.value.code == "resource-already-exists"
    undo = writes[str(writes["tax_transaction.create"].undo)]
    back = await connected.write(undo, {"id": made["id"]}, _key(4))
    assert (back["type"], back["reversal"]) == ("reversal", {"original_transaction": made["id"]})
    assert back["reference"] == f"{made['id']}-reversed"
    read = await reads["tax_transaction.read"].read(connected, {"id": back["id"]})
    assert sum(line["amount_tax"] for line in read["line_items"]["data"]) == -quote["tax_amount_exclusive"]
    assert not misfits(f"stripe.tax.transaction@{NEWEST}", loads_of(read))


async def test_the_undo_needs_no_more_than_was_answered(sandbox: Running, connected: Connected) -> None:
    await sandbox.world.books.seed(SAMPLES.seed)
    writes = {one.name: one for one in CONNECTOR.operations if isinstance(one, WriteOperation)}
    create, undo = writes["tax_transaction.create"], writes["tax_transaction.reverse"]
    quote = await connected.write(writes["tax_calculation.create"], sale(), _key(1))
    made = await connected.write(create, {"calculation": quote["id"], "reference": "INV-9"}, _key(2))
    back = await connected.write(undo, CONNECTOR.undo_input(undo, made), _key(3))
    assert back["reversal"] == {"original_transaction": made["id"]}
    assert [line["amount"] for line in back["line_items"]["data"]] == [-10_000]


def loads_of(record: Any) -> Any:
    """Give a record as it would come from the wire."""
    return loads(dumps(record))


def _key(number: int) -> EffectKey:
    return EffectKey(f"{number:032x}")
