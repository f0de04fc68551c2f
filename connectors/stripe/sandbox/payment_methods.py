"""Payment methods as objects: made of test tokens, attached to customers, listed and taken off again."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, pages
from connectors.stripe.sandbox.methods import METHODS, attach, method_of
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

_URL = "/v1/payment_methods"
_PLACE = ("city", "country", "line1", "line2", "postal_code", "state")
_BILLING = ("email", "name", "phone", "tax_id")


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/payment_methods`: a card, by one of Stripe's test tokens (`tok_visa`)."""
    kind = parameters.required("type")
    card = parameters.part("card")
    if kind != "card" or card is None:
        raise ApiError.invalid("This sandbox makes payment methods of cards: `type=card` with `card[token]`.")
    if card.given("number"):
        raise ApiError(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use test "
            "tokens that map to the test card you are using, see https://stripe.com/docs/testing.",
            status=402,
            kind="card_error",
        )
    token = card.required("token")
    test_method = f"pm_card_{token.removeprefix('tok_')}"
    if not token.startswith("tok_") or test_method not in METHODS:
        raise ApiError.no_such("token", token[:100], param=card.name("token"), status=400)
    wanted: Record = {"billing_details": _billing(parameters, None), "metadata": parameters.metadata()}
    parameters.finish()
    made = _kept(account, attach(account, test_method))
    made.update(wanted)
    return made


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/payment_methods/{id}`; the name of a test method gives a method of the account's own."""
    return _kept(account, _known(account, identifier))


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_methods/{id}`: whose it is, and notes."""
    record = _kept(account, _known(account, identifier))
    after = record | {
        "billing_details": _billing(parameters, record["billing_details"]),
        "metadata": parameters.metadata(record["metadata"]),
    }
    parameters.finish()
    previous = changed(record, after)
    record.update(after)
    if previous:
        account.happened("payment_method.updated", record, previous)
    return record


def attach_to(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_methods/{id}/attach`: one customer's for good, until it is detached."""
    customer = account.find(account.customers, parameters.required("customer"), param="customer")
    parameters.finish()
    return give(account, identifier, customer["id"])


def give(account: Account, identifier: str, customer: str) -> Record:
    """Attach a payment method to a customer; one that another customer has is refused."""
    record = _kept(account, _known(account, identifier))
    if record["customer"] not in {None, customer}:
        raise ApiError.invalid("The payment method you provided has already been attached to a customer.")
    if record["customer"] is None:
        record["customer"] = customer
        account.happened("payment_method.attached", record)
    return record


def detach(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_methods/{id}/detach`; nothing is charged to it by itself any more."""
    parameters.finish()
    record = _kept(account, _known(account, identifier))
    customer = account.customers.get(record["customer"] or "")
    if customer is None:
        raise ApiError.invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    if customer["invoice_settings"]["default_payment_method"] == record["id"]:
        customer["invoice_settings"] = customer["invoice_settings"] | {"default_payment_method": None}
    record["customer"] = None
    account.happened("payment_method.detached", record, {"customer": customer["id"]})
    return record


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/payment_methods`: those of a customer."""
    customer = parameters.text("customer")
    if customer is not None:
        account.find(account.customers, customer, param="customer")
    filters = [equals("customer", customer), equals("type", parameters.text("type"))]
    if customer is None:
        filters.append(lambda record: record["customer"] is not None)
    return pages(account.payment_methods, parameters, filters, url=_URL)


def list_of_customer(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/customers/{id}/payment_methods`."""
    customer = account.find(account.customers, identifier)["id"]
    filters = [equals("customer", customer), equals("type", parameters.text("type"))]
    return pages(account.payment_methods, parameters, filters, url=f"/v1/customers/{identifier}/payment_methods")


def _known(account: Account, identifier: str) -> str:
    if identifier not in account.methods and identifier not in METHODS:
        raise ApiError(
            f"No such PaymentMethod: '{identifier}'", status=404, param="payment_method", code="resource_missing"
        )
    return attach(account, identifier)


def _kept(account: Account, identifier: str) -> Record:
    """Give the object of a payment method; most are only charged, so that it is made when somebody asks for it."""
    found = account.payment_methods.get(identifier)
    if found is not None:
        return found
    method = method_of(account, identifier)
    record: Record = {
        "id": identifier,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": dict.fromkeys(_PLACE), **dict.fromkeys(_BILLING)},
        "created": account.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": method.kind,
    }
    if method.kind == "card":
        record["card"] = {
            "brand": method.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": method.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": "AOB934RVNwzk6xtn",
            "funding": "credit",
            "generated_from": None,
            "last4": method.last4,
            "networks": {"available": [method.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        }
    else:
        record[method.kind] = {
            "account_holder_type": "company",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": None,
            "fingerprint": "FFDMA0xfhBjWSZLu",
            "last4": method.last4,
            "networks": {"preferred": "ach", "supported": ["ach"]},
            "routing_number": "110000000",
            "status_details": {},
        }
    return account.payment_methods.add(record)


def _billing(parameters: Parameters, before: Record | None) -> Record:
    kept = before or {"address": dict.fromkeys(_PLACE), **dict.fromkeys(_BILLING)}
    part = parameters.part("billing_details")
    if part is None:
        return kept
    place = part.part("address")
    told = {name: value or None for name in _BILLING if (value := part.text(name)) is not None}
    where = {} if place is None else {n: value or None for n in _PLACE if (value := place.text(n)) is not None}
    return {**kept, **told, "address": {**kept["address"], **where}}
