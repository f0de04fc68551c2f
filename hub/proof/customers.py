"""Customers in the demo: made and changed at Stripe and in NetSuite, and in the end each field as its owner has it.

They buy nothing: what is drawn for invoices and payments stays what it is. Half of them the ERP knows from the start;
the others it gets from the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hub.proof.book_checks import unlike
from hub.proof.evidence import Document, OneOf, Wanted
from hub.proof.markets import MARKETS, Market

STRIPE, ERP = "stripe", "netsuite"
#: Kinds of documents: what billing owns of a customer stands in the ERP, and what the ERP owns stands in billing.
CUSTOMER, STANDING = "customer", "standing of a customer"
#: What Stripe tells of a customer that changes. Of one that is made the webhook alone tells, and not the list of
#: events: that has those that the scenario begins with too, which people tie by hand.
EVENTS = ("customer.updated", "customer.deleted", "customer.tax_id.created")
MADE = "customer.created"
FLOWS: Mapping[str, Sequence[str]] = {
    **{f"stripe.{name}": ("customer-to-erp",) for name in (MADE, *EVENTS)},
    "netsuite.customer.changed": ("customer-to-billing",),
    "s4hana.business_partner.changed": ("partner-to-billing",),
    "salesforce.account.changed": ("account-to-billing",),
    "salesforce.account.deleted": ("account-left",),
    "concord.account.placed": ("account-placed",),
    "concord.flow.customer-of-account": ("customer-of-account",),
    "salesforce.contact.changed": ("contact-to-billing", "contact-to-erp"),
    "salesforce.contact.deleted": ("contact-to-erp",),
    "salesforce.product.changed": ("product-to-billing",),
    "salesforce.price_book_entry.changed": ("price-to-billing",),
}
#: Terms of payment by NetSuite's ids, and NetSuite's country of an address is the code itself.
_TERMS: Mapping[str, str] = {"1": "NET15", "2": "NET30", "3": "NET60", "4": "DUE_ON_RECEIPT"}
#: Country → kind and number of a tax id.
_TAX_IDS: Mapping[str, tuple[str, str]] = {"GB": ("gb_vat", "GB123456789"), "CH": ("ch_vat", "CHE-123.456.789 MWST")}
_NAMES = ("Quarry", "Harbour", "Orchard", "Meadow", "Summit", "Lagoon", "Prairie", "Canyon")
#: What billing owns: Stripe's name of a field → NetSuite's, of the customer and of its address for bills.
OWNED = (("name", "companyName"), ("email", "email"), ("phone", "phone"))
ADDRESS = (("line1", "addr1"), ("line2", "addr2"), ("city", "city"), ("state", "state"), ("postal_code", "zip"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A customer of the scenario; `known` ones are there on both sides, and tied, before anything happens."""

    key: str
    number: int
    name: str
    market: Market
    known: bool

    @property
    def erp_name(self) -> str:
        """Give the external id of a known one's record in the ERP."""
        return f"{self.key}-erp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happens to a customer: a form that Stripe is sent, a `DELETE`, or fields that NetSuite's get."""

    customer: Followed
    form: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    deletes: bool = False
    erp: Mapping[str, object] = field(default_factory=dict)


def drawn(seed: int) -> tuple[Followed, ...]:
    """Draw them: one for each market, every second one known from the start."""
    dice = Random(f"{seed}:followed")
    return tuple(
        Followed(
            key=f"followed-{number}",
            number=number,
            name=f"{dice.choice(_NAMES)} Holding {number + 1}",
            market=market,
            known=number % 2 == 1,
        )
        for number, market in enumerate(MARKETS)
    )


def at_stripe(customers: Sequence[Followed], *, known: bool) -> dict[str, Any]:
    """Ask Stripe's sandbox for those that are known from the start, or for the others."""
    return {"customers": [_created(customer) for customer in customers if customer.known is known]}


def _created(customer: Followed) -> dict[str, Any]:
    market = customer.market
    return {
        "key": customer.key,
        "name": customer.name,
        "email": f"accounts{customer.number + 1}@followed.example",
        "phone": f"+49 40 555-{customer.number:04}",
        "address": {
            "line1": f"{customer.number + 1} Harbour Road",
            "city": market.city,
            "postal_code": market.postal_code,
            "country": market.country,
            **({"state": market.state} if market.state else {}),
        },
    }


def in_erp(customers: Sequence[Followed]) -> dict[str, Any]:
    """Ask NetSuite's sandbox for the records of those that are known from the start, as Stripe has them."""
    return {"customers": [_recorded(customer) for customer in customers if customer.known]}


def _recorded(customer: Followed) -> dict[str, Any]:
    billed = _created(customer)
    address = {its: billed["address"][mine] for mine, its in ADDRESS if mine in billed["address"]}
    line = {
        "defaultBilling": True,
        "defaultShipping": True,
        "addressBookAddress": {**address, "country": {"id": customer.market.country}},
    }
    return {
        "externalId": customer.erp_name,
        **{its: billed[mine] for mine, its in OWNED},
        "subsidiary": {"id": customer.market.subsidiary},
        "currency": customer.market.currency,
        "addressBook": {"items": [line]},
    }


def early(customers: Sequence[Followed]) -> Iterator[Change]:
    """Give what happens first: of those that are known, half are renamed, and of the others the ERP decides terms.

    Of a record that the hub has not written yet nobody can tell what people in the ERP have changed of it. So nothing
    is changed on both sides until it has.
    """
    for turn, customer in enumerate(one for one in customers if one.known):
        if turn % 2 == 0:
            yield Change(customer=customer, form={"name": renamed(customer), "phone": ""})
        else:
            yield Change(customer=customer, erp={"terms": {"id": str(turn % 4 + 1)}})


def renamed(customer: Followed) -> str:
    """Give what a known customer is called that was renamed first."""
    return f"{customer.name} and Partners"


def both(customers: Sequence[Followed]) -> Iterator[Change]:
    """Give what is changed on both sides at once, once the ERP has what the hub was told first."""
    for turn, customer in enumerate(one for one in customers if one.known):
        if turn % 2 == 0:
            yield Change(
                customer=customer,
                form={"email": f"bills{turn}@followed.example"},
                erp={"terms": {"id": "3"}, "creditHoldOverride": {"id": "ON"}},
            )


def late(customers: Sequence[Followed]) -> Iterator[Change]:
    """Give what happens later: addresses, tax ids, what the ERP decides, and one that is deleted."""
    for turn, customer in enumerate(one for one in customers if not one.known):
        yield Change(customer=customer, form={"name": f"{customer.name} Group", "address[line1]": f"Ring {turn + 7}"})
        if customer.market.country in _TAX_IDS:
            kind, number = _TAX_IDS[customer.market.country]
            yield Change(customer=customer, form={"type": kind, "value": number}, path="/tax_ids")
    first, last = (customer for customer in customers if customer.known and customer.number % 4 == 3)
    yield Change(customer=first, erp={"taxable": False})
    yield Change(customer=last, deletes=True)


# --- what is in the books -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerBooks:
    """What the vendors hold of these customers.

    `records` are NetSuite's by Stripe's id, all that are there for it, and `stray` those that are there for nobody.
    `owners` is the id of anything that Stripe tells of → the customer's id, and `ties` Stripe's id → the id in NetSuite
    that the hub has tied to it.
    """

    customers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    stray: Sequence[Mapping[str, Any]] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    ties: Mapping[str, str] = field(default_factory=dict)


def read(
    stripe: Mapping[str, Any],
    netsuite: Mapping[str, Any],
    *,
    followed: Mapping[str, str | None],
    others: frozenset[str],
    ties: Mapping[str, str],
) -> CustomerBooks:
    """Read both vendors' books as their control APIs give them.

    `followed` is Stripe's id → the id of the record of the ERP that was there from the start, `others` the ids of
    records that stand for customers who are not followed.
    """
    own = {record: name for name, record in followed.items() if record is not None}
    records: dict[str, list[Mapping[str, Any]]] = {name: [] for name in followed}
    stray = []
    for record in netsuite["customers"]:
        name = own.get(record["id"], record["externalId"])
        if name in records:
            records[name].append(record)
        elif record["id"] not in others:
            stray.append(record)
    return CustomerBooks(
        customers={
            **{name: {"id": name, "deleted": True} for name in followed},
            **{one["id"]: one for one in stripe["customers"] if one["id"] in followed},
        },
        numbers={
            one["customer"]: str(one["value"]) for one in stripe.get("tax_ids", ()) if one["customer"] in followed
        },
        records=records,
        stray=stray,
        owners={
            **{name: name for name in followed},
            **{one["id"]: one["customer"] for one in stripe.get("tax_ids", ()) if one["customer"] in followed},
        },
        ties={name: record for name, record in ties.items() if name in followed},
    )


def documents(books: CustomerBooks) -> Iterator[Document]:
    """Give what each side holds of what the other owns."""
    for name, records in books.records.items():
        for record in records:
            yield Document(
                book=ERP,
                kind=CUSTOMER,
                name=name,
                family=name,
                id=record["id"],
                title=record["companyName"],
                facts=_in_erp(record),
            )
    for record in books.stray:
        name = f"{record['companyName']} ({record['externalId']})"
        yield Document(book=ERP, kind=CUSTOMER, name=name, family=name, id=record["id"])
    for name, customer in books.customers.items():
        if not customer.get("deleted"):
            metadata = customer["metadata"]
            facts = {
                "terms": metadata.get("erp_terms") or None,
                "status": metadata.get("erp_status") or "active",
                "tax": customer["tax_exempt"],
            }
            yield Document(book=STRIPE, kind=STANDING, name=name, family=name, title=customer["name"], facts=facts)


def wanted(books: CustomerBooks) -> Iterator[Wanted]:
    """Give what each side should hold by the word of the other, which owns it."""
    for name, customer in books.customers.items():
        gone = bool(customer.get("deleted"))
        facts: dict[str, object] = {"inactive": True} if gone else _by_billing(customer, books.numbers.get(name))
        if not gone:
            facts["parent"] = _above(customer, books)
        if name in books.ties:
            facts["id"] = books.ties[name]
        yield Wanted(book=ERP, kind=CUSTOMER, name=name, family=name, title=customer.get("name") or name, facts=facts)
        records = books.records[name]
        yield Wanted(
            book=STRIPE,
            kind=STANDING,
            name=name,
            family=name,
            title=customer.get("name") or name,
            facts=_by_erp(records[0]) if records else {},
            needed=not gone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """How far two systems agree on what one of them owns of customers: how many there must be, are, and differ."""

    owner: str
    fields: str
    wanted: int
    found: int
    different: int


def agreed(asked: Sequence[Wanted], held: Sequence[Document]) -> tuple[Agreed, ...]:
    """Count both directions; `asked` and `held` are all that is wanted and there."""
    rows = []
    for kind, owner, fields in (
        (CUSTOMER, "Stripe", "name, addresses, tax id, deleted"),
        (STANDING, "NetSuite", "terms, status, taxed or not"),
    ):
        wanted = {each.name: each for each in asked if each.kind == kind and each.needed}
        found = [each for each in held if each.kind == kind]
        different = {each.name for each in found if (one := wanted.get(each.name)) is None or any(unlike(one, each))}
        rows.append(Agreed(owner=owner, fields=fields, wanted=len(wanted), found=len(found), different=len(different)))
    return tuple(rows)


def _in_erp(record: Mapping[str, Any]) -> dict[str, object]:
    lines = [line["addressBookAddress"] for line in record.get("addressBook", ()) if line.get("defaultBilling")]
    there = lines[0] if lines else {}
    return {
        "id": record["id"],
        **{mine: record.get(its) or None for mine, its in OWNED},
        **{mine: there.get(its) or None for mine, its in ADDRESS},
        "country": (there.get("country") or {}).get("id"),
        "tax id": record.get("vatRegNumber") or None,
        "subsidiary": str(record["subsidiary"]),
        "parent": record.get("parent"),
        "inactive": bool(record.get("isInactive")),
    }


def _by_billing(customer: Mapping[str, Any], number: str | None) -> dict[str, object]:
    address = customer["address"]
    market = next(market for market in MARKETS if market.country == address["country"])
    return {
        **{mine: customer[mine] or None for mine, _ in OWNED},
        **{mine: address[mine] or None for mine, _ in ADDRESS},
        "country": address["country"],
        "tax id": number,
        "subsidiary": market.subsidiary,
        "inactive": False,
    }


def _above(customer: Mapping[str, Any], books: CustomerBooks) -> object:
    """Give the record below which it must stand, by the account that billing has above it; None at the top."""
    account = (customer.get("metadata") or {}).get("crm_parent")
    for name, other in books.customers.items():
        if account and (other.get("metadata") or {}).get("crm_account") == account and books.records.get(name):
            return books.records[name][0]["id"]
    return None


def _by_erp(record: Mapping[str, Any]) -> dict[str, object]:
    held = record.get("creditHoldOverride") == "ON"
    return {
        "terms": _TERMS.get(str(record.get("terms") or "")),
        "status": "inactive" if record.get("isInactive") else "blocked" if held else "active",
        # The ERP knows no reverse charge.
        "tax": "exempt" if record.get("taxable") is False else OneOf(values=frozenset({"none", "reverse"})),
    }
