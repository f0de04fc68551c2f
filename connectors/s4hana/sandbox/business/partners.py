"""Business partners: numbering by grouping, roles, and the customer that stands behind one."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business.rules import Rules, Values, fixed, given
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

CREATED = "sap.s4.beh.businesspartner.v1.BusinessPartner.Created.v1"
CHANGED = "sap.s4.beh.businesspartner.v1.BusinessPartner.Changed.v1"
#: Groupings whose numbers come from outside; all others draw one.
EXTERNAL = frozenset({"BPEX", "BPAB"})
INTERNAL = frozenset({"BP02", "BPEE", "BPSU"})
#: Whose an address is, by its number.
OWNERS = "AddressOwner"
CUSTOMER_ROLES = frozenset({"FLCU00", "FLCU01"})
FIRST = 1_000_000
FOREVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_NAMES = ("OrganizationBPName1", "OrganizationBPName2", "OrganizationBPName3", "OrganizationBPName4")


def _create(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    grouping = row.setdefault("BusinessPartnerGrouping", "BP02")
    number = row.get("BusinessPartner", "")
    if grouping in EXTERNAL:
        if not number:
            raise Refusal("Enter a business partner number: the grouping has an external number range", code="R11/134")
        if tenant.store.table("A_BusinessPartner").get((number,)) is not None:
            raise Refusal(f"Business partner {number} already exists", code="R11/124", target="BusinessPartner")
    elif grouping in INTERNAL:
        if number:
            raise Refusal(f"Grouping {grouping} has an internal number range: do not enter a number", code="R11/133")
        number = row["BusinessPartner"] = str(tenant.number("business_partner", FIRST))
    else:
        raise Refusal(f"Grouping {grouping} does not exist", code="R11/119", target="BusinessPartnerGrouping")
    category = row.get("BusinessPartnerCategory", "")
    if category not in ("1", "2", "3"):
        raise Refusal("Enter a business partner category (1, 2 or 3)", code="R11/101", target="BusinessPartnerCategory")
    _check_name(row)
    at = tenant.stamp()
    row |= {
        "BusinessPartnerUUID": tenant.guid(),
        "CreatedByUser": tenant.user,
        "CreationDate": at.date(),
        "CreationTime": at.time().replace(microsecond=0),
        "ETag": etag(at),
        "Language": row.get("Language") or "EN",
        "IsNaturalPerson": "X" if category == "1" else "",
    }
    return named(row)


def _check_name(row: Row) -> None:
    names = {"1": "LastName", "2": "OrganizationBPName1", "3": "GroupBusinessPartnerName1"}
    needed = names[str(row["BusinessPartnerCategory"])]
    if not row.get(needed):
        raise Refusal(f"Enter a name: {needed} is missing", code="R11/106", target=needed)


def named(row: Values) -> Values:
    """Put the names together that SAP derives from the parts of a name."""
    match row.get("BusinessPartnerCategory"):
        case "1":
            full = " ".join(filter(None, (row.get("FirstName"), row.get("LastName"))))
            row["PersonFullName"] = full[:80]
        case "2":
            full = " ".join(filter(None, (row.get(name) for name in _NAMES)))
        case _:
            full = str(row.get("GroupBusinessPartnerName1", ""))
    row["BusinessPartnerFullName"] = row["BusinessPartnerName"] = full[:81]
    return row


def etag(at: datetime) -> str:
    """Give the text that stands for a state of a business partner."""
    return at.strftime("%Y%m%d%H%M%S%f")


def _created(tenant: Tenant, key: Key) -> None:
    """Complete a new partner, whose role and customer may both be given: each of them brings the other with it."""
    roles = {each[1] for each, _ in tenant.store.table("A_BusinessPartnerRole").scan(key)}
    customer = tenant.store.table("A_Customer").get(key) is not None
    if roles & CUSTOMER_ROLES and not customer:
        make_customer(tenant, key[0], {})
    elif customer and "FLCU00" not in roles:
        _give_role(tenant, key[0])
    tenant.raise_event(CREATED, BusinessPartner=key[0])


def _give_role(tenant: Tenant, partner: str) -> None:
    row = _create_role(tenant, {"BusinessPartner": partner, "BusinessPartnerRole": "FLCU00"}, None)
    tenant.store.table("A_BusinessPartnerRole").put((partner, "FLCU00"), row)


def _change(tenant: Tenant, old: Row, changes: Values) -> Values:
    fixed(old, changes, ("BusinessPartnerCategory", "BusinessPartnerGrouping"), "R11/220")
    row = {**old, **changes}
    _check_name(row)
    return named(row)


def _changed(tenant: Tenant, key: Key) -> None:
    touch(tenant, key[0])


def touch(tenant: Tenant, partner: str) -> None:
    """Note that a business partner was changed, in itself or in what belongs to it."""
    table = tenant.store.table("A_BusinessPartner")
    row = table.get((partner,))
    if row is None:
        return
    at = tenant.stamp()
    changed = {
        "LastChangeDate": at.date(),
        "LastChangeTime": at.time().replace(microsecond=0),
        "LastChangedByUser": tenant.user,
        "ETag": etag(at),
    }
    table.put((partner,), {**row, **changed})
    for _ in range(tenant.settings.changed_events):
        tenant.raise_event(CHANGED, BusinessPartner=partner)


def _owned(tenant: Tenant, values: Values) -> Values:
    """Check that the business partner of a part is there."""
    row = given(values)
    number = row.get("BusinessPartner", "")
    if tenant.store.table("A_BusinessPartner").get((number,)) is None:
        raise Refusal(f"Business partner {number} does not exist", code="R11/110", target="BusinessPartner")
    return row


def _create_address(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = _owned(tenant, values)
    if not row.get("Country"):
        raise Refusal("Enter a country for the address", code="AM/226", target="Country")
    row["AddressID"] = str(tenant.number("address", 20_000))
    tenant.store.table(OWNERS).put((row["AddressID"],), {"BusinessPartner": row["BusinessPartner"]})
    row["AddressUUID"] = tenant.guid()
    row.setdefault("ValidityStartDate", tenant.now().replace(microsecond=0))
    row.setdefault("ValidityEndDate", FOREVER)
    row.setdefault("Language", "EN")
    return row


def _create_communication(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    prefix = (str(row.get("AddressID", "")),)
    if tenant.store.table(OWNERS).get(prefix) is None:
        raise Refusal(f"Address {prefix[0]} does not exist", code="AM/231", target="AddressID")
    row["Person"] = row.get("Person", "")
    used = [key for key, _ in tenant.store.table(_communication(row)).scan(prefix)]
    row.setdefault("OrdinalNumber", str(len(used) + 1))
    if "EmailAddress" in row:
        row["SearchEmailAddress"] = row["EmailAddress"][:20].upper()
    return row


def _communication(row: Row) -> str:
    return "A_AddressEmailAddress" if "EmailAddress" in row else "A_AddressPhoneNumber"


def _create_role(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = _owned(tenant, values)
    row.setdefault("ValidFrom", datetime.combine(tenant.today(), time(), UTC))
    row.setdefault("ValidTo", FOREVER)
    return row


def _created_role(tenant: Tenant, key: Key) -> None:
    if tenant.store.is_new("A_BusinessPartner", (key[0],)):
        return
    if key[1] in CUSTOMER_ROLES and tenant.store.table("A_Customer").get((key[0],)) is None:
        make_customer(tenant, key[0], {})
    touch_later(tenant, key[0])


def make_customer(tenant: Tenant, partner: str, values: Values) -> None:
    """Let a customer be born under a business partner."""
    tenant.store.table("A_Customer").put((partner,), _customer(tenant, partner, values))


def _customer(tenant: Tenant, partner: str, values: Values) -> Values:
    partners = tenant.store.table("A_BusinessPartner")
    head = partners.get((partner,))
    if head is None:
        raise Refusal(f"Business partner {partner} does not exist", code="R11/110")
    partners.put((partner,), {**head, "Customer": partner})
    row: dict[str, Any] = {"CustomerAccountGroup": "CUST", **given(values)}
    name = str(head.get("BusinessPartnerFullName", ""))
    return row | {
        "Customer": partner,
        "CustomerName": name[:80],
        "BPCustomerName": name,
        "CustomerFullName": name,
        "BPCustomerFullName": name,
        "CreatedByUser": tenant.user,
        "CreationDate": tenant.today(),
    }


def _create_customer(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    if parent is None or "BusinessPartner" not in parent:
        raise Refusal("A customer is created with a business partner", code="R11/500")
    partner = str(parent["BusinessPartner"])
    row = _customer(tenant, partner, values)
    roles = tenant.store.table("A_BusinessPartnerRole")
    if roles.get((partner, "FLCU00")) is None and not tenant.store.is_new("A_BusinessPartner", (partner,)):
        _give_role(tenant, partner)
    return row


def _create_company(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    customer, company = row.get("Customer", ""), row.get("CompanyCode", "")
    _customer_exists(tenant, customer)
    if company not in tenant.organisation.companies:
        raise Refusal(f"Company code {company} does not exist", code="F2/163", target="CompanyCode")
    _check_reconciliation(tenant, row)
    return row


def _check_reconciliation(tenant: Tenant, row: Row) -> None:
    number = str(row.get("ReconciliationAccount", ""))
    if not number:
        raise Refusal("Enter a reconciliation account", code="F2/274", target="ReconciliationAccount")
    account = tenant.organisation.accounts.get(number)
    if account is None or account.subledger != "D":
        raise Refusal(
            f"Account {number} is no reconciliation account for customers",
            code="F2/306",
            target="ReconciliationAccount",
        )


def _change_company(tenant: Tenant, old: Row, changes: Values) -> Values:
    row = {**old, **changes}
    _check_reconciliation(tenant, {name: value for name, value in row.items() if value is not None})
    return row


def _create_area(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    _customer_exists(tenant, row.get("Customer", ""))
    organisation = tenant.organisation.sales.get(row.get("SalesOrganization", ""))
    if organisation is None:
        raise Refusal(
            f"Sales organization {row.get('SalesOrganization', '')} does not exist",
            code="F2/219",
            target="SalesOrganization",
        )
    company = tenant.organisation.companies[organisation.company]
    row.setdefault("Currency", company.currency)
    row.setdefault("CustomerPaymentTerms", "")
    return row


def _customer_exists(tenant: Tenant, customer: str) -> None:
    if tenant.store.table("A_Customer").get((customer,)) is None:
        raise Refusal(f"Customer {customer} has not been created", code="F2/153", target="Customer")


def touch_later(tenant: Tenant, partner: str) -> None:
    """Note a change, unless the business partner is only now being made."""
    if not tenant.store.is_new("A_BusinessPartner", (partner,)):
        touch(tenant, partner)


def _touched(tenant: Tenant, key: Key) -> None:
    touch_later(tenant, key[0])


def _touched_row(tenant: Tenant, row: Row) -> None:
    touch_later(tenant, str(row.get("BusinessPartner", "")))


def _create_below_area(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    area = tuple(
        str(row.get(name, "")) for name in ("Customer", "SalesOrganization", "DistributionChannel", "Division")
    )
    if tenant.store.table("A_CustomerSalesArea").get(area) is None:
        raise Refusal(f"Customer {area[0]} has no sales area {' '.join(area[1:])}", code="F2/220")
    return row if "CustomerTaxCategory" in row else {"PartnerCounter": "0", **row}


def _touch_owner(tenant: Tenant, key: Key) -> None:
    owner = tenant.store.table(OWNERS).get((key[0],))
    if owner is not None:
        touch_later(tenant, str(owner["BusinessPartner"]))


_COMMUNICATION = Rules(
    create=_create_communication,
    created=_touch_owner,
    changed=_touch_owner,
    deleted=lambda tenant, row: _touch_owner(tenant, (str(row["AddressID"]),)),
)
_BELOW_AREA = Rules(
    create=_create_below_area,
    created=_touched,
    changed=_touched,
    deleted=lambda tenant, row: _touched(tenant, (str(row["Customer"]),)),
)
_PART = Rules(
    create=lambda tenant, values, parent: _owned(tenant, values),
    created=_touched,
    changed=_touched,
    deleted=_touched_row,
)
RULES = {
    "A_BusinessPartner": Rules(create=_create, created=_created, change=_change, changed=_changed),
    "A_BusinessPartnerAddress": Rules(create=_create_address, created=_touched, changed=_touched, deleted=_touched_row),
    "A_AddressEmailAddress": _COMMUNICATION,
    "A_AddressPhoneNumber": _COMMUNICATION,
    "A_CustSalesPartnerFunc": _BELOW_AREA,
    "A_CustomerSalesAreaTax": _BELOW_AREA,
    "A_BusinessPartnerRole": Rules(create=_create_role, created=_created_role, changed=_touched),
    "A_BusinessPartnerTaxNumber": _PART,
    "A_BuPaIdentification": _PART,
    "A_Customer": Rules(create=_create_customer, changed=_touched),
    "A_CustomerCompany": Rules(create=_create_company, created=_touched, change=_change_company, changed=_touched),
    "A_CustomerSalesArea": Rules(create=_create_area, created=_touched, changed=_touched),
}
