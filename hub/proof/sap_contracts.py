"""What S/4HANA has of the CRM's products and contracts, in the form in which an ERP's items and orders are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

#: The manual price of an item, and the state of an order of which every item is rejected.
_PRICE, _REJECTED = "PMP0", "C"


def as_erp(sap: Mapping[str, Any], crm: Mapping[str, Any]) -> dict[str, Any]:
    """Give `items` and `salesOrders` of a tenant's books; the CRM's ids, there in capitals, as the CRM has them."""
    tables = sap["tables"]
    ids = {one["Id"].upper(): one["Id"] for one in crm["records"]["Product2"]}
    texts = {
        row["Product"]: row["ProductDescription"] for row in tables["A_ProductDescription"] if row["Language"] == "EN"
    }
    items = [
        {
            "id": row["Product"],
            "externalId": ids.get(row["ProductOldID"], row["ProductOldID"]),
            "displayName": texts.get(row["Product"]),
            "isInactive": bool(row.get("IsMarkedForDeletion")),
        }
        for row in tables["A_Product"]
        if row.get("ProductOldID")
    ]
    orders = [
        {
            "id": row["SalesOrder"],
            "externalId": row.get("PurchaseOrderByShipToParty"),
            "entity": row["SoldToParty"],
            "subsidiary": row["SalesOrganization"],
            "currency": row["TransactionCurrency"],
            "status": "H" if row["OverallSDDocumentRejectionSts"] == _REJECTED else "open",
            "item": list(_lines(tables, row["SalesOrder"])),
        }
        for row in tables["A_SalesOrder"]
    ]
    return {"items": items, "salesOrders": orders}


def _lines(tables: Mapping[str, Any], order: str) -> Iterator[dict[str, Any]]:
    for row in tables["A_SalesOrderItem"]:
        if row["SalesOrder"] != order:
            continue
        place = (order, row["SalesOrderItem"])
        rates = [
            Decimal(each["ConditionRateValue"])
            for each in tables["A_SalesOrderItemPrElement"]
            if (each["SalesOrder"], each["SalesOrderItem"]) == place and each["ConditionType"] == _PRICE
        ]
        quantity, net = Decimal(row["RequestedQuantity"]), Decimal(row["NetAmount"])
        # What the item comes to counts, not what was asked for.
        rate = rates[0] if len(rates) == 1 and rates[0] * quantity == net else net / quantity
        rejected = bool(row.get("SalesDocumentRjcnReason"))
        yield {"item": row["Material"], "rate": str(rate), "quantity": str(quantity), "isClosed": rejected}
