"""Contact persons: relationships between an organisation and a person, each for a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business.rules import Rules, Values, given
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.store import Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

TABLE = "A_BusinessPartnerContact"
CATEGORY = "BUR001"
FOREVER = date(9999, 12, 31)
FIRST = 300


def _create(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    if row.setdefault("RelationshipCategory", CATEGORY) != CATEGORY:
        raise Refusal(
            f"Relationship category {row['RelationshipCategory']} is no contact person",
            code="R11/402",
            target="RelationshipCategory",
        )
    _check_partner(tenant, row, "BusinessPartnerCompany", ("2", "3"))
    _check_partner(tenant, row, "BusinessPartnerPerson", ("1",))
    row.setdefault("ValidityStartDate", tenant.today())
    row.setdefault("ValidityEndDate", FOREVER)
    _check_validity(tenant, row, None)
    # One number has all the times of two partners; which one it is, nobody chooses.
    known = next(iter(_of_both(tenant, row)), None)
    row["RelationshipNumber"] = known["RelationshipNumber"] if known else str(tenant.number("relationship", FIRST))
    return row


def _check_partner(tenant: Tenant, row: Values, name: str, categories: tuple[str, ...]) -> None:
    partner = tenant.store.table("A_BusinessPartner").get((str(row.get(name, "")),))
    if partner is None:
        raise Refusal(f"Business partner {row.get(name, '')} does not exist", code="R11/110", target=name)
    if partner.get("BusinessPartnerCategory") not in categories:
        raise Refusal(
            f"Business partner {row[name]} has the wrong category for this relationship", code="R11/403", target=name
        )


def _check_validity(tenant: Tenant, row: Values, old: Row | None) -> None:
    if row["ValidityStartDate"] > row["ValidityEndDate"]:
        raise Refusal("The validity ends before it begins", code="R11/404", target="ValidityEndDate")
    others = [other for other in _of_both(tenant, row) if other is not old]
    if any(_overlap(row, other) for other in others):
        raise Refusal(
            f"Business partner {row['BusinessPartnerPerson']} is a contact person of "
            f"{row['BusinessPartnerCompany']} already in this period",
            code="R11/405",
        )
    if row.get("IsStandardRelationship") and any(
        other is not old
        and other["BusinessPartnerCompany"] == row["BusinessPartnerCompany"]
        and other.get("IsStandardRelationship")
        and _overlap(row, other)
        for _, other in tenant.store.table(TABLE).scan()
    ):
        raise Refusal("Another contact person is the standard one in this period", code="R11/406")


def _of_both(tenant: Tenant, row: Values) -> Iterator[Row]:
    names = ("BusinessPartnerCompany", "BusinessPartnerPerson")
    return (other for _, other in tenant.store.table(TABLE).scan() if all(other[name] == row[name] for name in names))


def _overlap(one: Any, other: Any) -> bool:
    return bool(
        one["ValidityStartDate"] <= other["ValidityEndDate"] and other["ValidityStartDate"] <= one["ValidityEndDate"]
    )


def _change(tenant: Tenant, old: Row, changes: Values) -> Values:
    if changes.get("RelationshipCategory") not in (None, CATEGORY):
        raise Refusal("The category of a relationship cannot be changed", code="R11/402", target="RelationshipCategory")
    row = {**old, **given(changes)}
    _check_validity(tenant, row, old)
    return row


RULES = {TABLE: Rules(create=_create, change=_change)}
