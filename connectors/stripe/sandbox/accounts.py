"""Connected accounts: each has objects of its own, which requests for it see alone."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.listing import pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Record


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/accounts`."""
    made = _blank(account.identifiers.new("acct").replace("acct_1", "acct_", 1), account.now()) | {
        "business_type": parameters.text("business_type"),
        "country": parameters.text("country") or "US",
        "default_currency": parameters.text("default_currency") or "usd",
        "email": parameters.text("email"),
        "metadata": parameters.metadata(),
        "type": parameters.choice("type", "custom", "express", "standard") or "standard",
    }
    parameters.accept("business_profile", "capabilities", "controller", "settings")
    parameters.finish()
    account.accounts.add(made)
    account.connect(made["id"])
    return made


def retrieve_current(account: Account, parameters: Parameters) -> Record:
    """`GET /v1/account`: the account that the request is for, the platform's own unless it names another."""
    parameters.finish()
    if account.platform is not None and account.id is not None:
        return account.platform.find(account.platform.accounts, account.id)
    return _blank(account.own_id, account.opened) | {"default_currency": account.switches.settles[0]}


def _blank(identifier: str, created: int) -> Record:
    return {
        "id": identifier,
        "object": "account",
        "business_type": None,
        "charges_enabled": True,
        "country": "US",
        "created": created,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/accounts`."""
    return pages(account.accounts, parameters, [time_range(parameters)], url="/v1/accounts")
