"""Connected accounts: each has objects of its own, which requests for it see alone."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.listing import pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Record

#: When the key's own account was opened.
_OPENED = 1_577_836_800


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/accounts`."""
    made: Record = {
        "id": account.identifiers.new("acct").replace("acct_1", "acct_", 1),
        "object": "account",
        "business_type": parameters.text("business_type"),
        "charges_enabled": True,
        "country": parameters.text("country") or "US",
        "created": account.now(),
        "default_currency": parameters.text("default_currency") or "usd",
        "details_submitted": True,
        "email": parameters.text("email"),
        "metadata": parameters.metadata(),
        "payouts_enabled": True,
        "type": parameters.choice("type", "custom", "express", "standard") or "standard",
    }
    parameters.accept("business_profile", "capabilities", "controller", "settings")
    parameters.finish()
    account.accounts.add(made)
    account.connect(made["id"])
    return made


def own(account: Account, parameters: Parameters) -> Record:
    """`GET /v1/account`: the account that the request is for, the key's own unless another is named."""
    parameters.finish()
    if account.platform is not None and account.id is not None:
        return account.platform.accounts.get(account.id) or {}
    return {
        "id": account.own_id,
        "object": "account",
        "business_profile": {"name": "Sandbox"},
        "charges_enabled": True,
        "country": "US",
        "created": _OPENED,
        "default_currency": account.switches.settles[0],
        "details_submitted": True,
        "email": "owner@sandbox.example",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/accounts`."""
    return pages(account.accounts, parameters, [time_range(parameters)], url="/v1/accounts")
