"""Sales orders and credit memo requests: made with a mark, changed in one change set, and taken back by rejecting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.s4hana.changes import Whole
from connectors.s4hana.closing import closing
from connectors.s4hana.documents import MARK, created, creation, numbers_below
from connectors.s4hana.marks import ASSIGNMENT, REFERENCE
from connectors.s4hana.odata.model import EntitySet, entity_set
from connectors.s4hana.reads import find_one, read
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.connector import Operation, Record
from hub.sdk.errors import FixData

#: The fields that may bear the mark, which the setting `order_mark` chooses from.
_FIELDS = ("PurchaseOrderByCustomer", "AssignmentReference")
_ITEMS = {"type": "array", "items": {"type": "string"}, "description": "numbers of its items"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One kind of sales document: the name of its operations, what people call it, its sets and the item's number.

    `items` is the navigation to its items.
    """

    name: str
    called: str
    entity: EntitySet
    item: str
    items: str = "to_Item"

    @property
    def id(self) -> str:
        """Name the property that is the number."""
        return self.entity.keys[0]

    def is_untouched(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the hub has made a document that nobody has changed since, where the day of that is told."""
        unchanged = "LastChangeDate" in self.entity.properties and not row.get("LastChangeDate")
        return unchanged and any(MARK.fullmatch(str(row.get(name))) for name in _FIELDS)

    def check(self, record: Record) -> None:
        """Refuse a document without items, or with a number, which S/4HANA gives."""
        if not record.get(self.items):
            raise FixData(f"A {self.called} needs its items in `{self.items}`.", code="no-lines")
        if record.get(self.id):
            raise FixData("S/4HANA gives the number itself.", code="number-given", property=self.id)

    def gives(self, row: Mapping[str, Any]) -> Record:
        """Give the number of what was made, and those of its items."""
        return {"id": str(row[self.id]), "items": numbers_below(row, self.items, self.item)}

    def rejection(self, settings: S4HanaSettings, record: Record) -> Record:
        """Form the change that rejects items."""
        reason = record.get("reason", settings.rejection_reason)
        rows = [{self.item: each, "SalesDocumentRjcnReason": reason} for each in record["items"]]
        return {self.id: record["id"], self.items: rows}

    def operations(self) -> tuple[Operation, ...]:
        """Give what can be done with such documents."""
        schema = f"s4hana.{self.name}@1"
        whole = Whole(
            entity=self.entity,
            id=self.id,
            owners=(self.id,),
            through={target.name: path.rpartition("/")[2] for path, target in self.entity.paths()},
            is_the_hubs_own=self.is_untouched,
        )
        reject = whole.marking(
            name=f"{self.name}.reject",
            title=f"Reject items of a {self.called}, so that they are not carried out",
            schema={
                "type": "object",
                "properties": {
                    "id": {"type": "string", "minLength": 1, "description": f"number of the {self.called}"},
                    "items": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    "reason": {"type": "string", "minLength": 1, "maxLength": 2, "description": "why"},
                },
                "required": ["id", "items"],
                "additionalProperties": False,
            },
            form=self.rejection,
        )
        return (
            creation(
                name=f"{self.name}.create",
                title=f"Create a {self.called} with its items",
                entity=self.entity,
                schema={"$ref": schema},
                output=created(items=_ITEMS),
                gives=self.gives,
                field=lambda settings: settings.order_mark,
                fields=_FIELDS,
                lengths={"PurchaseOrderByCustomer": REFERENCE, "AssignmentReference": ASSIGNMENT},
                deep=(self.items,),
                undo=reject.name,
                check=self.check,
            ),
            whole.operation(
                name=f"{self.name}.update",
                title=f"Change the fields of a {self.called} and of its items that are given",
                schema={"$ref": schema},
                form=lambda settings, record: record,
            ),
            reject,
            read(
                name=f"{self.name}.read",
                title=f"Read a {self.called} with items, partners and prices",
                entity=self.entity,
                schema=schema,
                key={"id": self.id},
                said={"id": f"number of the {self.called}"},
            ),
        )


SALES_ORDERS = Order(
    name="sales_order",
    called="sales order",
    entity=entity_set("API_SALES_ORDER_SRV", "A_SalesOrder"),
    item="SalesOrderItem",
)
SALES_ORDERS_V4 = Order(
    name="sales_order_v4",
    called="sales order of OData v4",
    entity=entity_set("CE_SALESORDER_0001", "SalesOrder"),
    item="SalesOrderItem",
    items="_Item",
)
CREDIT_MEMO_REQUESTS = Order(
    name="credit_memo_request",
    called="credit memo request",
    entity=entity_set("API_CREDIT_MEMO_REQUEST_SRV", "A_CreditMemoRequest"),
    item="CreditMemoRequestItem",
)
#: What an order is found by, in either version.
_CALLED = {
    "id": "SalesOrder",
    "reference": "PurchaseOrderByCustomer",
    "ship_to_reference": "PurchaseOrderByShipToParty",
}
FIND = find_one(
    name="sales_order.find",
    title="Find a sales order by its number or by a reference that it bears, or nothing",
    entity=SALES_ORDERS.entity,
    query="s4hana.sales_order_query@1",
    schema="s4hana.sales_order@1",
    called=_CALLED,
)
CLOSE = closing(
    name="sales_order.close",
    title="Reject all items of a sales order that are not billed in full",
    entity=SALES_ORDERS.entity,
)
FIND_V4 = find_one(
    name="sales_order_v4.find",
    title="Find a sales order of OData v4 by its number or by a reference that it bears, or nothing",
    entity=SALES_ORDERS_V4.entity,
    query="s4hana.sales_order_query@1",
    schema="s4hana.sales_order_v4@1",
    called=_CALLED,
)
OPERATIONS: tuple[Operation, ...] = (
    *SALES_ORDERS.operations(),
    FIND,
    CLOSE,
    *SALES_ORDERS_V4.operations(),
    FIND_V4,
    *CREDIT_MEMO_REQUESTS.operations(),
)
