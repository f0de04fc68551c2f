"""Numbers under which customers are registered for tax."""

from __future__ import annotations

import re
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.listing import listed, pages
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

#: The country or union, and the kind of number.
_TYPE = re.compile(r"(?P<country>[a-z]{2})_[a-z]{2,10}")
#: So many a customer may have.
_MOST = 5


def create(account: Account, customer: str, parameters: Parameters) -> Record:
    """`POST /v1/customers/{id}/tax_ids`."""
    account.find(account.customers, customer)
    kind, value = asked(parameters)
    parameters.finish()
    return add(account, customer, kind, value)


def asked(parameters: Parameters) -> tuple[str, str]:
    """Read the type and the value of a tax id."""
    return parameters.required("type"), parameters.required("value")


def add(account: Account, customer: str, kind: str, value: str) -> Record:
    """Register a customer under a number."""
    found = _TYPE.fullmatch(kind)
    if found is None:
        raise ApiError.invalid(f"Invalid type: {kind} is no type of tax id", param="type")
    if len(account.tax_ids.where("customer", customer)) >= _MOST:
        raise ApiError.invalid(f"A customer has at most {_MOST} tax ids.")
    record = account.tax_ids.add(
        {
            "id": account.identifiers.short("txi"),
            "object": "tax_id",
            "country": value[:2].upper() if found["country"] == "eu" else found["country"].upper(),
            "created": account.now(),
            "customer": customer,
            "customer_account": None,
            "livemode": False,
            "owner": {"customer": customer, "type": "customer"},
            "type": kind,
            "value": value,
            "verification": {"status": "pending", "verified_address": None, "verified_name": None},
        }
    )
    account.happened("customer.tax_id.created", record)
    return record


def delete(account: Account, identifier: str) -> Record:
    """`DELETE /v1/tax_ids/{id}`."""
    record = account.find(account.tax_ids, identifier)
    account.happened("customer.tax_id.deleted", record)
    record["deleted"] = True
    return {"id": identifier, "object": "tax_id", "deleted": True}


def list_page(account: Account, customer: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/customers/{id}/tax_ids`."""
    account.find(account.customers, customer)
    return pages(account.tax_ids, parameters, [], url=_url(customer), among=account.tax_ids.where("customer", customer))


def shown(account: Account, customer: str) -> dict[str, Any]:
    """Give the list as it stands in a customer, where that is asked for."""
    found = [one for one in account.tax_ids.where("customer", customer) if not one.get("deleted")]
    return listed([dict(one) for one in reversed(found)], more=False, url=_url(customer))


def _url(customer: str) -> str:
    return f"/v1/customers/{customer}/tax_ids"
