"""Restricted keys: they do what their permissions say, and a refusal names the one that is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from connectors.stripe.client import ping
from connectors.stripe.connector import CONNECTOR
from connectors.stripe.sandbox.rights import permission
from hub.connections.diagnosis import Stage, stage_of
from hub.errors import FixConnection
from hub.sandbox.server import Running
from hub.sdk.testing.sending import Connected
from tests.connectors.stripe.partners import Client


async def restricted(sandbox: Running, *permissions: str, **more: Any) -> str:
    made = await sandbox.world.books.seed({"restricted_keys": [{"permissions": permissions, **more}]})
    (key,) = made["made"]["restricted_keys"]
    assert key.startswith("rk_test_")
    return str(key)


async def pinged(sandbox: Running, key: str) -> Any:
    given = {"base_url": sandbox.url, "api_key": key, "webhook_secret": "whsec_x"}
    connected = Connected(CONNECTOR, CONNECTOR.settings.model_validate(given))
    try:
        return await ping(connected)
    finally:
        await connected.close()


async def test_a_key_does_what_it_may(sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        made = call.v1.customers.create({"name": "Alder"})
        assert call.v1.customers.retrieve(made.id).name == "Alder"
        assert call.v1.invoices.list().data == []
        beyond: dict[str, Callable[[], object]] = {
            "rak_invoice_write": lambda: call.v1.invoices.create({"customer": made.id}),
            "rak_plan_read": call.v1.prices.list,
            "rak_balance_transaction_source_read": call.v1.balance_transactions.list,
        }
        for missing, asked in beyond.items():
            with pytest.raises(stripe.PermissionError, match=f"Having the '{missing}' permission") as told:
                asked()
            assert told.value.http_status == 403

    await Client(sandbox, await restricted(sandbox, "rak_customer_write", "rak_invoice_read"))(work)
    assert sandbox.world.books.snapshot()["invoices"] == []


async def test_a_key_that_has_ended(sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.AuthenticationError, match="Expired API Key") as told:
            call.v1.customers.list()
        body: Any = told.value.json_body
        assert (told.value.http_status, body["error"]["code"]) == (401, "api_key_expired")

    await Client(sandbox, await restricted(sandbox, "rak_customer_read", expired=True))(work)


async def test_the_test_of_a_connection_says_which_right_is_missing(sandbox: Running) -> None:
    enough = await restricted(sandbox, "rak_event_read", "rak_accounts_kyc_basic_read")
    assert (await pinged(sandbox, enough))["account"].startswith("acct_")
    assert await pinged(sandbox, await restricted(sandbox, "rak_event_read")) == {}
    with pytest.raises(FixConnection, match="rak_event_read") as missing:
        await pinged(sandbox, await restricted(sandbox, "rak_customer_read"))
    assert stage_of(missing.value) is Stage.PERMISSION
    with pytest.raises(FixConnection) as ended:
        await pinged(sandbox, await restricted(sandbox, "rak_event_read", expired=True))
    assert (ended.value.code, stage_of(ended.value)) == ("api-key-expired", Stage.CREDENTIALS)


@pytest.mark.parametrize("wish", [{"permissions": ["customer_read"]}, {"rights": []}])
async def test_a_wish_that_names_no_permission(sandbox: Running, wish: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rak_customer_read"):
        await sandbox.world.books.seed({"restricted_keys": [wish]})


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v1/account", "rak_accounts_kyc_basic_read"),
        ("POST", "/v1/customers/{id}", "rak_customer_write"),
        ("DELETE", "/v1/customers/{id}", "rak_customer_write"),
        ("POST", "/v1/invoiceitems", "rak_invoice_write"),
        ("POST", "/v1/tax/calculations", "rak_tax_calculation_write"),
        ("GET", "/v2/core/events/{id}", "rak_core_event_read"),
    ],
)
def test_each_call_has_its_permission(method: str, path: str, named: str) -> None:
    assert permission(method, path) == named
