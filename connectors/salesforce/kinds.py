"""The objects that the hub knows by name: what they are called there and here, their schemas, and their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The version of the schemas: the newest of the API, whose fields are all there are in the older ones too.
VERSION = "68.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Records that belong to another: their object, the field that leads to it, and what the list is called there."""

    object: str
    parent: str
    relation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One object: `name` is the hub's word, in the names of operations, events and schemas."""

    name: str
    object: str
    title: str
    money: bool = False
    lines: Sequence[Lines] = ()
    #: Where it says which record it was merged into.
    merges: bool = False

    @property
    def schema(self) -> str:
        """Name the schema of its records."""
        return f"salesforce.{self.name}@{VERSION}"


ORDER_LINES = Lines(object="OrderItem", parent="OrderId", relation="OrderItems")
KINDS = (
    Kind(name="account", object="Account", title="an account", money=True, merges=True),
    Kind(name="contact", object="Contact", title="a contact", merges=True),
    Kind(name="product", object="Product2", title="a product"),
    Kind(name="price_book_entry", object="PricebookEntry", title="an entry of a price book", money=True),
    Kind(
        name="opportunity",
        object="Opportunity",
        title="an opportunity with its lines",
        money=True,
        lines=(Lines(object="OpportunityLineItem", parent="OpportunityId", relation="OpportunityLineItems"),),
    ),
    Kind(
        name="quote",
        object="Quote",
        title="a quote with its lines",
        money=True,
        lines=(Lines(object="QuoteLineItem", parent="QuoteId", relation="QuoteLineItems"),),
    ),
    Kind(name="contract", object="Contract", title="a contract with its orders and their items", money=True),
    Kind(name="order", object="Order", title="an order with its items", money=True, lines=(ORDER_LINES,)),
    Kind(name="asset", object="Asset", title="an asset", money=True),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of(name: str) -> Kind:
    """Give a kind by the hub's word."""
    return _BY_NAME[name]
