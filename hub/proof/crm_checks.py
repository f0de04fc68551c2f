"""What billing has of the CRM's accounts in the end, read from the vendors' books and the ties between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof.invariants import Finding, Invariant

#: The hub's tie of an account: its id in the CRM → its id in billing.
Ties = Mapping[str, str]
#: What the CRM owns of a customer's address: its name of a part → billing's.
_ADDRESS = (("BillingCity", "city"), ("BillingState", "state"), ("BillingPostalCode", "postal_code"))


def accounts(
    crm: Mapping[str, Any], stripe: Mapping[str, Any], ties: Ties, *, customers: int, changes: int
) -> Iterator[Finding]:
    """Give what is not as it must be: each account that is a customer is one customer of billing's, and as it says.

    `customers` is how many such accounts there must be, `changes` how often billing's customers were to be changed.
    """
    sold = [one for one in crm["records"]["Account"] if str(one.get("Type", "")).startswith("Customer")]
    found = 0
    for account in sold:
        made = [one for one in stripe["customers"] if (one.get("metadata") or {}).get("crm_account") == account["Id"]]
        if len(made) > 1:
            yield _broken(Invariant.NOTHING_TWICE, f"billing has {len(made)} customers of {account['Name']}")
        tied = ties.get(account["Id"])
        if tied is None:
            if made:
                yield _broken(Invariant.NOTHING_LOST, f"the customer of {account['Name']} is tied to nothing")
            continue
        found += 1
        customer = next((one for one in stripe["customers"] if one["id"] == tied), None)
        if customer is None:
            yield _broken(Invariant.BOOKS_AGREE, f"{account['Name']} is tied to {tied}, which billing has not")
            continue
        for told in _differences(account, customer):
            yield _broken(Invariant.BOOKS_AGREE, told)
    unsold = {one["Id"] for one in crm["records"]["Account"]} - {one["Id"] for one in sold}
    strays = [one for one in stripe["customers"] if (one.get("metadata") or {}).get("crm_account") in unsold]
    if strays:
        yield _broken(Invariant.BOOKS_AGREE, f"billing has {len(strays)} customers of accounts that are none")
    if found != customers:
        yield _broken(Invariant.NOTHING_LOST, f"{found} accounts are customers of billing's, must be {customers}")
    changed = sum(one["type"] == "customer.updated" for one in stripe["events"])
    if changed != changes:
        yield _broken(Invariant.NOTHING_TWICE, f"billing's customers were changed {changed} times, must be {changes}")


def customer(stripe: Mapping[str, Any], id: str, wanted: Mapping[str, object]) -> Iterator[Finding]:
    """Give what one of billing's customers has otherwise than it must."""
    found: Mapping[str, Any] = next((one for one in stripe["customers"] if one["id"] == id), {})
    for name, value in wanted.items():
        if found.get(name) != value:
            yield _broken(Invariant.BOOKS_AGREE, f"the {name} of {id} is {found.get(name)!r}, must be {value!r}")


def products(
    crm: Mapping[str, Any], stripe: Mapping[str, Any], erp: Mapping[str, Any], *, number: int, changes: int
) -> Iterator[Finding]:
    """Give what billing and the ERP have otherwise of the CRM's products than they must, each having one of each."""
    found = 0
    for product in crm["records"]["Product2"]:
        made = [one for one in stripe["products"] if one["metadata"].get("crm_product") == product["Id"]]
        items = [one for one in erp["items"] if one["externalId"] == product["Id"]]
        if len(made) > 1 or len(items) > 1:
            told = f"{product['Name']} is {len(made)} products of billing's and {len(items)} items of the ERP's"
            yield _broken(Invariant.NOTHING_TWICE, told)
        for one, item in zip(made, items, strict=False):
            found += 1
            active = product.get("IsActive") is True
            must_be = (product["Name"], active)
            for side, has in (("billing", (one["name"], one["active"])), ("the ERP", _named(item))):
                if has != must_be:
                    yield _broken(Invariant.BOOKS_AGREE, f"{side} has {has} of a product, must be {must_be}")
    if found != number:
        yield _broken(Invariant.NOTHING_LOST, f"{found} products are billing's and the ERP's, must be {number}")
    changed = sum(one["type"] == "product.updated" for one in stripe["events"])
    if changed != changes:
        yield _broken(Invariant.NOTHING_TWICE, f"billing's products were changed {changed} times, must be {changes}")


def _named(item: Mapping[str, Any]) -> tuple[object, bool]:
    return item.get("displayName"), not item.get("isInactive")


def prices(crm: Mapping[str, Any], stripe: Mapping[str, Any], *, made: int, unpriced: bool) -> Iterator[Finding]:
    """Give what is wrong with the prices of entries of price books: each in use has one that can be used, as it says.

    `made` counts all that were ever made; with `unpriced` they were taken back, and none can be used.
    """
    own = [one for one in stripe["prices"] if one["metadata"].get("crm_entry")]
    if len(own) != made:
        broken = Invariant.NOTHING_TWICE if len(own) > made else Invariant.NOTHING_LOST
        yield _broken(broken, f"{len(own)} prices were made of entries, must be {made}")
    entries = {one["Id"]: one for one in crm["records"]["PricebookEntry"]}
    for id in sorted({one["metadata"]["crm_entry"] for one in own}):
        entry = entries.get(id, {})
        rows = [one for one in own if one["metadata"]["crm_entry"] == id]
        used = [(one["currency"].upper(), Decimal(one["unit_amount"])) for one in rows if one["active"]]
        # An org that has one currency names none.
        currency = entry.get("CurrencyIsoCode") or rows[0]["currency"].upper()
        wanted = []
        if entry.get("IsActive") and not unpriced:
            wanted = [(currency, Decimal(entry["UnitPrice"]).scaleb(exponent(currency)))]
        if used != wanted:
            yield _broken(Invariant.BOOKS_AGREE, f"billing sells {id} at {used}, the price book says {wanted}")


def invoices(crm: Mapping[str, Any], stripe: Mapping[str, Any], ties: Ties) -> Iterator[Finding]:
    """Give what the CRM says otherwise of invoices than billing: each of an account's must stand there, as it is."""
    accounts = {billing: account for account, billing in ties.items()}
    for invoice in stripe["invoices"]:
        there = [one for one in crm["records"]["Invoice__c"] if one.get("Key__c") == invoice["id"]]
        account = accounts.get(invoice["customer"])
        if invoice["status"] == "draft" or account is None:
            if there:
                yield _broken(Invariant.BOOKS_AGREE, f"the CRM has {invoice['id']}, which is no account's invoice")
            continue
        if len(there) != 1:
            broken = Invariant.NOTHING_TWICE if there else Invariant.NOTHING_LOST
            yield _broken(broken, f"the CRM has {invoice['number']} {len(there)} times, must have it once")
            continue
        due = 0 if invoice["status"] == "void" else invoice["amount_remaining"]
        total, open_ = (
            Decimal(amount).scaleb(-exponent(invoice["currency"].upper())) for amount in (invoice["total"], due)
        )
        must_be = (invoice["number"], account, invoice["status"].capitalize(), total, open_)
        has = tuple(there[0].get(name) for name in ("Name", "Account__c", "Status__c"))
        amounts = tuple(Decimal(there[0][name]) for name in ("Total__c", "Open_Amount__c"))
        if (*has, *amounts) != must_be:
            yield _broken(Invariant.BOOKS_AGREE, f"the CRM has {(*has, *amounts)} of an invoice, must be {must_be}")


def _differences(account: Mapping[str, Any], customer: Mapping[str, Any]) -> Iterator[str]:
    pairs = [("name", account["Name"], customer.get("name"))]
    if account.get("Invoice_Email__c"):
        pairs.append(("email", account["Invoice_Email__c"], customer.get("email")))
    if account.get("BillingCountry"):
        address = customer.get("address") or {}
        pairs += [(its, account.get(mine), address.get(its)) for mine, its in _ADDRESS]
    for name, mine, its in pairs:
        if (mine or None) != (its or None):
            yield f"the {name} of {account['Name']} is {mine!r} in the CRM, and {its!r} in billing"


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
