"""Under whom customers stand: the CRM's groups of companies, as billing and the ERP must have them in the end.

Where an account stands below another one, and both are customers of billing's, billing's customer names the account
above, and the ERP's record of the one stands below that of the other, where one ERP has both. Everybody else stands
below nobody, as far as the hub goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hub.proof.invariants import Finding, Invariant


def parents(accounts: list[Mapping[str, Any]], billing: Mapping[str, str]) -> dict[str, tuple[str, str] | None]:
    """Give, by billing's id of a customer, the account above it and that one's customer; None at the top.

    `billing` is the CRM's id of an account → billing's id of its customer. A customer that is several accounts is left
    out: which of them speaks for it only the hub knows.
    """
    several = {name for name, count in Counter(billing.values()).items() if count > 1}
    found: dict[str, tuple[str, str] | None] = {}
    for account in accounts:
        customer, above = billing.get(account["Id"]), account.get("ParentId")
        if customer is not None and customer not in several:
            found[customer] = None if above is None or above not in billing else (above, billing[above])
    return found


def find(
    crm: Mapping[str, Any],
    stripe: Mapping[str, Any],
    erp: Mapping[str, Any],
    *,
    billing: Mapping[str, str],
    records: Mapping[str, str],
) -> Iterator[Finding]:
    """Give what billing and the ERP have otherwise than the CRM.

    `billing` ties an account to its customer of billing's, `records` such a customer to its record in the ERP.
    """
    customers = {one["id"]: one for one in stripe["customers"] if not one.get("deleted")}
    written = {one["id"]: one for one in erp["customers"]}
    for name, above in parents(crm["records"]["Account"], billing).items():
        if name not in customers:
            continue
        has = (customers[name].get("metadata") or {}).get("crm_parent") or None
        must = None if above is None else above[0]
        if has != must:
            yield _broken(f"billing has {name} below {has}, must be below {must}")
        record = written.get(records.get(name, ""))
        if record is not None and above is not None and above[1] in records:
            own, its = record.get("parent"), records[above[1]]
            if own != its:
                yield _broken(f"the ERP has {record['id']} below {own}, must be below {its}")
        elif record is not None and record.get("parent") in records.values():
            yield _broken(f"the ERP has {record['id']} below {record['parent']}, must be below nobody")


def _broken(detail: str) -> Finding:
    return Finding(invariant=Invariant.BOOKS_AGREE, family=None, detail=detail)
