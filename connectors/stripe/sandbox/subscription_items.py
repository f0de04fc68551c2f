"""Items of subscriptions by themselves: the same changes as through their subscription."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox import subscriptions
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.terms import items_of

#: What says how a change is billed, beside what is changed.
_OF_THE_CHANGE = frozenset({"expand", "payment_behavior", "proration_behavior", "proration_date", "subscription"})


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/subscription_items`: one more item, billed for what is left of the period."""
    wanted = parameters.required("subscription")
    identifier = account.find(account.subscriptions, wanted, param="subscription")["id"]
    before = {item["id"] for item in items_of(account, identifier)}
    _change(account, identifier, parameters, {})
    (made,) = [item for item in items_of(account, identifier) if item["id"] not in before]
    return made


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/subscription_items/{id}`: another price or quantity."""
    item = _found(account, identifier)
    _change(account, item["subscription"], parameters, {"id": identifier})
    return _found(account, identifier)


def delete(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`DELETE /v1/subscription_items/{id}`; the last one of a subscription stays."""
    item = _found(account, identifier)
    _change(account, item["subscription"], parameters, {"id": identifier, "deleted": "true"})
    return {"id": identifier, "object": "subscription_item", "deleted": True}


def _found(account: Account, identifier: str) -> Record:
    item = account.subscription_items.get(identifier)
    if item is None or item.get("deleted"):
        raise ApiError.no_such("subscription_item", identifier)
    return item


def _change(account: Account, subscription: str, parameters: Parameters, item: dict[str, Any]) -> None:
    tree = parameters.tree()
    wanted = {name: value for name, value in tree.items() if name in _OF_THE_CHANGE - {"expand", "subscription"}}
    wanted["items"] = [{**{name: value for name, value in tree.items() if name not in _OF_THE_CHANGE}, **item}]
    subscriptions.update(account, subscription, Parameters(wanted, version=parameters.version))
