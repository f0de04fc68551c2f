"""Sales orders and credit memo requests: partners, items, schedule lines, pricing and totals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business.pricing import TYPES, Condition, condition_of, price
from connectors.s4hana.sandbox.business.products import is_sold, price_of
from connectors.s4hana.sandbox.business.rules import Rules, Values, fixed, given
from connectors.s4hana.sandbox.odata.errors import Message, Refusal
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

_NEVER = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of sales document: its tables, the columns of its numbers, its types and where its numbers begin."""

    head: str
    item: str
    partner: str
    element: str
    number: str
    position: str
    type: str
    types: frozenset[str]
    first: int
    date: str
    event: str
    schedule: str = ""

    def above(self, tenant: Tenant, row: Row) -> Values:
        """Give the document to which a part belongs."""
        found = tenant.store.table(self.head).get((str(row.get(self.number, "")),))
        if found is None:
            raise Refusal(
                f"Sales document {row.get(self.number, '')} does not exist", code="V1/302", target=self.number
            )
        return dict(found)


ORDER = Kind(
    head="A_SalesOrder",
    item="A_SalesOrderItem",
    partner="A_SalesOrderHeaderPartner",
    element="A_SalesOrderItemPrElement",
    number="SalesOrder",
    position="SalesOrderItem",
    type="SalesOrderType",
    types=frozenset({"OR", "TA", "SO", "DR", "L2"}),
    first=1,
    date="SalesOrderDate",
    event="sap.s4.beh.salesorder.v1.SalesOrder",
    schedule="A_SalesOrderScheduleLine",
)
CREDIT = Kind(
    head="A_CreditMemoRequest",
    item="A_CreditMemoRequestItem",
    partner="A_CreditMemoReqPartner",
    element="A_CreditMemoReqItemPrcgElmnt",
    number="CreditMemoRequest",
    position="CreditMemoRequestItem",
    type="CreditMemoRequestType",
    types=frozenset({"CR", "G2", "GA2"}),
    first=60_000_000,
    date="CreditMemoRequestDate",
    event="sap.s4.beh.creditmemorequest.v1.CreditMemoRequest",
)
#: Partner functions of an order, each filled with the sold-to party unless something else is given.
_FUNCTIONS = {"SP": "AG", "SH": "WE", "BP": "RE", "PY": "RG"}


def _create_head(kind: Kind, tenant: Tenant, values: Values) -> Values:
    row = given(values)
    row.pop(kind.number, None)
    if not row.get(kind.type):
        raise Refusal("Enter a document type", code="V1/313", target=kind.type)
    if row[kind.type] not in kind.types:
        raise Refusal(f"Sales document type {row[kind.type]} is not defined", code="V1/313", target=kind.type)
    reference = _reference(tenant, kind, row)
    for name in ("SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty"):
        row.setdefault(name, reference.get(name, ""))
    area = _area(tenant, row)
    if kind is ORDER and row.get("PurchaseOrderByCustomer") and tenant.settings.duplicate_orders == "warn":
        _warn_of_duplicates(tenant, row)
    at = tenant.stamp()
    currency = row.get("TransactionCurrency") or str(area["Currency"])
    if currency not in tenant.organisation.rates:
        raise Refusal(f"Currency {currency} is not defined", code="V1/382", target="TransactionCurrency")
    defaults = {
        kind.date: at.date(),
        "PricingDate": at.date(),
        "RequestedDeliveryDate": at.date(),
        "BillingDocumentDate": at.date(),
        "ServicesRenderedDate": at.date(),
        "CustomerPaymentTerms": area.get("CustomerPaymentTerms", ""),
        "CustomerGroup": area.get("CustomerGroup", ""),
        "IncotermsClassification": area.get("IncotermsClassification", ""),
    }
    company = tenant.organisation.sales[row["SalesOrganization"]].company
    return {**defaults, **row} | {
        kind.number: str(tenant.number(kind.head, kind.first)),
        "TransactionCurrency": currency,
        "BillingCompanyCode": company,
        "SalesOrderTypeInternalCode": row[kind.type],
        "CreationDate": at.date(),
        "CreationTime": at.time().replace(microsecond=0),
        "CreatedByUser": tenant.user,
        "LastChangeDateTime": at,
        "TotalNetAmount": _NEVER,
        "OverallSDProcessStatus": "A",
        "OverallDeliveryStatus": "A",
        "OverallTotalDeliveryStatus": "A",
        "OverallOrdReltdBillgStatus": "A",
        "OverallSDDocumentRejectionSts": "A",
    }


def _reference(tenant: Tenant, kind: Kind, row: Values) -> Row:
    number = row.get("ReferenceSDDocument")
    if not number:
        return {}
    found = tenant.store.table("A_BillingDocument").get((number,)) or tenant.store.table("A_SalesOrder").get((number,))
    if found is None:
        raise Refusal(f"Reference document {number} does not exist", code="V1/302", target="ReferenceSDDocument")
    billed = "BillingDocument" in found
    row["ReferenceSDDocumentCategory"] = "M" if billed else "C"
    return {**found, "OrganizationDivision": found.get("Division", "")} if billed else found


def _area(tenant: Tenant, row: Values) -> Row:
    customer = str(row.get("SoldToParty", ""))
    head = tenant.store.table("A_Customer").get((customer,))
    if head is None:
        raise Refusal(f"Sold-to party {customer} not maintained for sales area", code="VP/199", target="SoldToParty")
    area = (str(row["SalesOrganization"]), str(row["DistributionChannel"]), str(row["OrganizationDivision"]))
    if area[0] not in tenant.organisation.sales:
        raise Refusal(f"Sales area {' '.join(area)} is not defined", code="V1/346", target="SalesOrganization")
    found = tenant.store.table("A_CustomerSalesArea").get((customer, *area))
    if found is None:
        raise Refusal(
            f"Sold-to party {customer} not maintained for sales area {' '.join(area)}",
            code="VP/199",
            target="SoldToParty",
        )
    if head.get("OrderIsBlockedForCustomer") or found.get("OrderIsBlockedForCustomer"):
        raise Refusal(f"Customer {customer} is blocked for orders", code="V1/339", target="SoldToParty")
    return found


def _warn_of_duplicates(tenant: Tenant, row: Values) -> None:
    wanted = (row["PurchaseOrderByCustomer"], row["SoldToParty"])
    for _, each in tenant.store.table("A_SalesOrder").scan():
        if (each.get("PurchaseOrderByCustomer"), each.get("SoldToParty")) == wanted:
            text = f"Purchase order number {wanted[0]} already exists: sales order {each['SalesOrder']}"
            tenant.warn(Message(code="V4/115", text=text, severity="warning"))
            return


def _created_head(kind: Kind, tenant: Tenant, key: Key) -> None:
    row = tenant.store.table(kind.head).get(key)
    assert row is not None
    partners = tenant.store.table(kind.partner)
    for function, internal in _FUNCTIONS.items():
        place = (*key, function)
        standing = partners.get(place)
        base: Row = standing or {"Customer": row["SoldToParty"]}
        partners.put(
            place,
            {**base, kind.number: key[0], "PartnerFunction": function, "PartnerFunctionInternalCode": internal},
        )
    reckon(kind, tenant, key[0])
    tenant.raise_event(f"{kind.event}.Created.v1", **{kind.number: key[0]})


def _change_head(kind: Kind, tenant: Tenant, old: Row, changes: Values) -> Values:
    lasting = (kind.type, "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty")
    fixed(old, changes, lasting, "V1/250")
    changes = {name: value for name, value in changes.items() if value is not None or name != "TransactionCurrency"}
    row = {**old, **changes}
    _area(tenant, row)
    return row


def _changed_head(kind: Kind, tenant: Tenant, key: Key) -> None:
    head, items = tenant.store.table(kind.head).get(key), tenant.store.table(kind.item)
    assert head is not None
    for place, row in list(items.scan(key)):
        if row["TransactionCurrency"] != head["TransactionCurrency"]:
            items.put(place, {**row, "TransactionCurrency": head["TransactionCurrency"]})
            _price_item(kind, tenant, place)
            reckon(kind, tenant, key[0])
    touch(kind, tenant, key[0])


def touch(kind: Kind, tenant: Tenant, number: str) -> None:
    """Note a change of a document, unless it is only now being made; its ETag moves with every part of it."""
    table = tenant.store.table(kind.head)
    row = table.get((number,))
    if row is None or tenant.store.is_new(kind.head, (number,)):
        return
    at = tenant.stamp()
    table.put(
        (number,), {**row, "LastChangeDate": at.date(), "LastChangeDateTime": at, "LastChangedByUser": tenant.user}
    )
    tenant.raise_event(f"{kind.event}.Changed.v1", **{kind.number: number})


def _delete_head(kind: Kind, tenant: Tenant, row: Row) -> None:
    if row.get("OverallOrdReltdBillgStatus") not in (None, "", "A"):
        raise Refusal("The document has been billed already and cannot be deleted", code="V1/150")
    for name in (kind.item, kind.partner, kind.element, kind.schedule):
        table = tenant.store.table(name) if name else None
        for key, _ in list(table.scan((str(row[kind.number]),))) if table else ():
            table.delete(key) if table else None


def _create_item(kind: Kind, tenant: Tenant, values: Values) -> Values:
    row = given(values)
    head = kind.above(tenant, row)
    number = str(head[kind.number])
    table = tenant.store.table(kind.item)
    used = [key[1] for key, _ in table.scan((number,))]
    following = max((int(each) for each in used), default=0) // 10 * 10 + 10
    row[kind.position] = str(row.get(kind.position) or following)
    material = str(row.get("Material", "")).upper()
    product = tenant.store.table("A_Product").get((material,))
    organisation, channel = str(head["SalesOrganization"]), str(head["DistributionChannel"])
    if product is None or not is_sold(tenant, material, organisation, channel):
        raise Refusal(
            f"Material {material} is not defined for sales org. {organisation}, distr. chan. {channel}",
            code="V1/302",
            target="Material",
        )
    if product.get("IsMarkedForDeletion"):
        raise Refusal(f"Material {material} is marked for deletion", code="V1/303", target="Material")
    unit = row.get("RequestedQuantitySAPUnit") or row.get("RequestedQuantityUnit") or product["BaseUnit"]
    quantity = row.get("RequestedQuantity", Decimal(1) if kind is CREDIT else _NEVER)
    if quantity <= 0:
        raise Refusal("Please enter an order quantity", code="V1/384", target="RequestedQuantity")
    texts = tenant.store.table("A_ProductDescription").get((material, "EN")) or {}
    defaults = {
        "SalesOrderItemText": texts.get("ProductDescription", ""),
        "CreditMemoRequestItemText": texts.get("ProductDescription", ""),
        "SalesOrderItemCategory": "TAN",
        "CreditMemoRequestItemCategory": "G2N",
        "MaterialGroup": product.get("ProductGroup", ""),
        "ProductionPlant": tenant.organisation.sales[str(head["SalesOrganization"])].plant,
        "PurchaseOrderByCustomer": head.get("PurchaseOrderByCustomer", ""),
        "CustomerPaymentTerms": head.get("CustomerPaymentTerms", ""),
    }
    return {**defaults, **row} | {
        "Material": material,
        "RequestedQuantity": quantity,
        "RequestedQuantityUnit": unit,
        "RequestedQuantitySAPUnit": unit,
        "RequestedQuantityISOUnit": "PCE" if unit == "PC" else unit,
        "TransactionCurrency": head["TransactionCurrency"],
        "SDProcessStatus": "A",
        "DeliveryStatus": "A",
        "OrderRelatedBillingStatus": "A",
    }


def _created_item(kind: Kind, tenant: Tenant, key: Key) -> None:
    number, position = key
    row = tenant.store.table(kind.item).get(key)
    assert row is not None
    if kind.schedule:
        line = {
            kind.number: number,
            kind.position: position,
            "ScheduleLine": "1",
            "RequestedDeliveryDate": kind.above(tenant, row).get("RequestedDeliveryDate"),
            "ScheduleLineOrderQuantity": row["RequestedQuantity"],
            "OrderQuantityUnit": row["RequestedQuantityUnit"],
            "OrderQuantitySAPUnit": row["RequestedQuantityUnit"],
        }
        tenant.store.table(kind.schedule).put((number, position, "1"), line)
    _price_item(kind, tenant, key)
    reckon(kind, tenant, number)
    touch(kind, tenant, number)


def _price_item(kind: Kind, tenant: Tenant, key: Key) -> None:
    """Work an item out anew: what people gave stays, what SAP determines is determined again."""
    items, elements = tenant.store.table(kind.item), tenant.store.table(kind.element)
    row = items.get(key)
    assert row is not None
    head = kind.above(tenant, row)
    currency = str(head["TransactionCurrency"])
    standing = list(elements.scan(key))
    conditions = [condition_of(dict(each), currency) for _, each in standing if each.get("ConditionIsManuallyChanged")]
    automatic = price_of(tenant, str(row["Material"]), currency)
    if automatic is not None:
        conditions.append(
            Condition(type="PPR0", rate=automatic, currency=currency, unit=str(row["RequestedQuantityUnit"]))
        )
    code, rate = _tax(tenant, head)
    priced = price(
        conditions,
        quantity=row["RequestedQuantity"],
        unit=str(row["RequestedQuantityUnit"]),
        currency=currency,
        tax_rate=rate,
        tax_code=code,
    )
    for each, _ in standing:
        elements.delete(each)
    counts: dict[str, int] = {}
    for element in priced.elements:
        step = element["PricingProcedureStep"]
        counts[step] = counts.get(step, 0) + 1
        counter = str(counts[step])
        place = {kind.number: key[0], kind.position: key[1], "PricingProcedureCounter": counter}
        elements.put((*key, step, counter), {**element, **place})
    items.put(key, {**row, "NetAmount": priced.net, "TaxAmount": priced.tax, "Subtotal1Amount": priced.net})


def _tax(tenant: Tenant, head: Row) -> tuple[str, Decimal]:
    """Give tax code and rate: the company's country taxes what stays in it, unless the customer is exempt."""
    company = tenant.organisation.companies[tenant.organisation.sales[str(head["SalesOrganization"])].company]
    customer = str(head["SoldToParty"])
    addresses = tenant.store.table("A_BusinessPartnerAddress").scan((customer,))
    country = next((str(row.get("Country", "")) for _, row in addresses), company.country)
    code, rate = tenant.organisation.taxes.get(company.country, ("A0", _NEVER))
    exempt = any(
        row.get("CustomerTaxClassification") == "0"
        for _, row in tenant.store.table("A_CustomerSalesAreaTax").scan((customer,))
    )
    return ("A0", _NEVER) if exempt or country != company.country else (code, rate)


def reckon(kind: Kind, tenant: Tenant, number: str) -> None:
    """Add up a document; rejected items count for nothing."""
    table = tenant.store.table(kind.head)
    head = table.get((number,))
    assert head is not None
    rows = [row for _, row in tenant.store.table(kind.item).scan((number,))]
    alive = [row for row in rows if not row.get("SalesDocumentRjcnReason")]
    total = sum((row.get("NetAmount", _NEVER) for row in alive), _NEVER)
    rejected = "A" if len(alive) == len(rows) else "B" if alive else "C"
    changed = {"TotalNetAmount": total, "OverallSDDocumentRejectionSts": rejected}
    if head.get("TotalNetAmount") != total or head.get("OverallSDDocumentRejectionSts") != rejected:
        table.put((number,), {**head, **changed})


def _change_item(kind: Kind, tenant: Tenant, old: Row, changes: Values) -> Values:
    if old.get("OrderRelatedBillingStatus") not in (None, "", "A"):
        for name in ("RequestedQuantity", "Material"):
            if name in changes and changes[name] != old.get(name):
                raise Refusal("The item has been billed already", code="V1/152", target=name)
    row = {**old, **changes}
    if not row.get("RequestedQuantity") or row["RequestedQuantity"] <= 0:
        raise Refusal("Please enter an order quantity", code="V1/384", target="RequestedQuantity")
    if "Material" in changes and tenant.store.table("A_Product").get((str(row["Material"]),)) is None:
        raise Refusal(f"Material {row['Material']} does not exist", code="V1/302", target="Material")
    return row


def _changed_item(kind: Kind, tenant: Tenant, key: Key) -> None:
    _price_item(kind, tenant, key)
    reckon(kind, tenant, key[0])
    touch(kind, tenant, key[0])


def _deleted_item(kind: Kind, tenant: Tenant, row: Row) -> None:
    key = (str(row[kind.number]), str(row[kind.position]))
    for name in (kind.element, kind.schedule):
        if name:
            table = tenant.store.table(name)
            for each, _ in list(table.scan(key)):
                table.delete(each)
    reckon(kind, tenant, key[0])
    touch(kind, tenant, key[0])


def _create_partner(kind: Kind, tenant: Tenant, values: Values) -> Values:
    row = given(values)
    kind.above(tenant, row)
    function = str(row.get("PartnerFunction", ""))
    if function not in (*_FUNCTIONS, "CP", "VE", "Y1", "YP"):
        raise Refusal(f"Partner function {function} is not defined", code="VP/160", target="PartnerFunction")
    customer = row.get("Customer")
    if customer and tenant.store.table("A_Customer").get((str(customer),)) is None:
        raise Refusal(f"Customer {customer} does not exist", code="VP/201", target="Customer")
    return row


def _created_partner(kind: Kind, tenant: Tenant, key: Key) -> None:
    touch(kind, tenant, key[0])


def _create_element(kind: Kind, tenant: Tenant, values: Values) -> Values:
    row = given(values)
    head = kind.above(tenant, row)
    condition = condition_of(dict(row), str(head["TransactionCurrency"]))
    step = TYPES[condition.type][0]
    place = (str(row[kind.number]), str(row.get(kind.position, "")), step)
    used = len(list(tenant.store.table(kind.element).scan(place)))
    return row | {
        "PricingProcedureStep": step,
        "PricingProcedureCounter": str(used + 1),
        "ConditionIsManuallyChanged": True,
    }


def _created_element(kind: Kind, tenant: Tenant, key: Key) -> None:
    if not tenant.store.is_new(kind.item, key[:2]):
        _changed_item(kind, tenant, key[:2])


def _change_element(kind: Kind, tenant: Tenant, old: Row, changes: Values) -> Values:
    row = {**old, **changes, "ConditionIsManuallyChanged": True}
    for name in ("ConditionRateAmount", "ConditionRateRatio"):
        if changes.get(name) is not None:
            row["ConditionRateValue"] = changes[name]
    condition_of(dict(row), str(kind.above(tenant, old)["TransactionCurrency"]))
    return row


def _deleted_element(kind: Kind, tenant: Tenant, row: Row) -> None:
    _changed_item(kind, tenant, (str(row[kind.number]), str(row[kind.position])))


def _refuse_header_element(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    raise Refusal("Header conditions are not maintained in this pricing procedure", code="VE/020")


def _rules(kind: Kind) -> dict[str, Rules]:
    part: dict[str, Any] = {
        "created": lambda tenant, key: _created_partner(kind, tenant, key),
        "changed": lambda tenant, key: _created_partner(kind, tenant, key),
        "deleted": lambda tenant, row: touch(kind, tenant, str(row[kind.number])),
    }
    return {
        kind.head: Rules(
            create=lambda tenant, values, parent: _create_head(kind, tenant, values),
            created=lambda tenant, key: _created_head(kind, tenant, key),
            change=lambda tenant, old, changes: _change_head(kind, tenant, old, changes),
            changed=lambda tenant, key: _changed_head(kind, tenant, key),
            delete=lambda tenant, row: _delete_head(kind, tenant, row),
        ),
        kind.item: Rules(
            create=lambda tenant, values, parent: _create_item(kind, tenant, values),
            created=lambda tenant, key: _created_item(kind, tenant, key),
            change=lambda tenant, old, changes: _change_item(kind, tenant, old, changes),
            changed=lambda tenant, key: _changed_item(kind, tenant, key),
            deleted=lambda tenant, row: _deleted_item(kind, tenant, row),
        ),
        kind.partner: Rules(create=lambda tenant, values, parent: _create_partner(kind, tenant, values), **part),
        kind.element: Rules(
            create=lambda tenant, values, parent: _create_element(kind, tenant, values),
            created=lambda tenant, key: _created_element(kind, tenant, key),
            change=lambda tenant, old, changes: _change_element(kind, tenant, old, changes),
            changed=lambda tenant, key: _changed_item(kind, tenant, key[:2]),
            deleted=lambda tenant, row: _deleted_element(kind, tenant, row),
        ),
    }


_TEXT = Rules(
    create=lambda tenant, values, parent: {"LongText": "", **given(values)},
    created=lambda tenant, key: touch(ORDER, tenant, key[0]),
    changed=lambda tenant, key: touch(ORDER, tenant, key[0]),
    deleted=lambda tenant, row: touch(ORDER, tenant, str(row["SalesOrder"])),
)
RULES = {
    **_rules(ORDER),
    **_rules(CREDIT),
    "A_SalesOrderHeaderPrElement": Rules(create=_refuse_header_element),
    "A_CreditMemoReqPrcgElmnt": Rules(create=_refuse_header_element),
    "A_SalesOrderText": _TEXT,
    "A_SalesOrderItemText": _TEXT,
}
