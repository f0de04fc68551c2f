"""What exists before any business: subsidiaries, currencies, accounts, items, tax codes, terms, periods."""

from __future__ import annotations

import calendar
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.netsuite.sandbox.problems import Refusal

#: Accounts that every account of NetSuite has by itself.
RECEIVABLES, UNDEPOSITED, TAX_PAYABLE, DISCOUNTS, SALES = "119", "122", "98", "56", "54"
DEPOSITS, ROUNDING, REALIZED = "99", "57", "58"
_RATE_DIGITS = Decimal("0.00000001")
_YEARS = range(2023, 2029)


@dataclass(slots=True, kw_only=True)
class Reference:
    """One entry of reference data; `facts` are what its kind needs (a currency's symbol and precision)."""

    id: str
    name: str
    external_id: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class ReferenceData:
    """All reference data of the account, by kind and internal id."""

    def __init__(self) -> None:
        """Start with a small account: nine currencies, five subsidiaries, monthly periods, all open."""
        self.kinds: dict[str, dict[str, Reference]] = {}
        written = json.loads((Path(__file__).parent / "reference_data.json").read_bytes(), parse_float=Decimal)
        for kind, entries in written.items():
            for entry in entries:
                self.put(kind, entry)
        for number, (year, month) in enumerate(((y, m) for y in _YEARS for m in range(1, 13)), start=1):
            last = calendar.monthrange(year, month)[1]
            self.put(
                "accountingPeriod",
                {
                    "id": str(number),
                    "name": f"{calendar.month_abbr[month]} {year}",
                    "start": f"{year}-{month:02}-01",
                    "end": f"{year}-{month:02}-{last:02}",
                    "closed": False,
                    "arLocked": False,
                    "apLocked": False,
                    "allLocked": False,
                },
            )

    def put(self, kind: str, entry: Mapping[str, Any]) -> Reference:
        """Add an entry or change the given facts of one; raises `ValueError` when it has no id."""
        if not entry.get("id"):
            raise ValueError(f"{kind}: an entry needs an id")
        facts = {name: value for name, value in entry.items() if name not in ("id", "name", "externalId")}
        entries = self.kinds.setdefault(kind, {})
        known = entries.get(str(entry["id"]))
        if known is None:
            known = entries[str(entry["id"])] = Reference(id=str(entry["id"]), name=str(entry.get("name", entry["id"])))
        known.name = str(entry.get("name", known.name))
        known.external_id = entry.get("externalId", known.external_id)
        known.facts.update(facts)
        return known

    def find(self, kind: str, internal_id: str) -> Reference | None:
        """Find an entry by internal id."""
        return self.kinds.get(kind, {}).get(internal_id)

    def by_external_id(self, kind: str, external_id: str) -> Reference | None:
        """Find an entry by external id."""
        return next((entry for entry in self.kinds.get(kind, {}).values() if entry.external_id == external_id), None)

    def currency(self, wanted: str) -> Reference:
        """Find a currency by internal id or symbol; raises `ValueError`."""
        for entry in self.kinds["currency"].values():
            if wanted in (entry.id, entry.facts["symbol"]):
                return entry
        raise ValueError(f"there is no currency {wanted!r}")

    def precision(self, currency: str) -> int:
        """Give a currency's number of digits by internal id."""
        return int(self.kinds["currency"][currency].facts["precision"])

    def symbol(self, currency: str) -> str:
        """Give a currency's ISO code by internal id."""
        return str(self.kinds["currency"][currency].facts["symbol"])

    def base_currency(self, subsidiary: str) -> str:
        """Give the internal id of the currency in which a subsidiary keeps its books."""
        return self.currency(str(self.kinds["subsidiary"][subsidiary].facts["currency"])).id

    def receivables(self) -> frozenset[str]:
        """Give the accounts that hold what customers owe."""
        return frozenset(entry.id for entry in self.kinds["account"].values() if entry.facts.get("type") == "AcctRec")

    def rate(self, currency: str, base: str, day: date) -> Decimal:
        """Give how much of `base` one unit of a currency is worth: the newest rate of the day, else the default one."""
        if currency == base:
            return Decimal(1)
        dated = [
            (str(entry.facts["effectiveDate"]), Decimal(str(entry.facts["exchangeRate"])))
            for entry in self.kinds.get("currencyRate", {}).values()
            if (str(entry.facts["transactionCurrency"]), str(entry.facts["baseCurrency"])) == (currency, base)
            and str(entry.facts["effectiveDate"]) <= day.isoformat()
        ]
        if dated:
            return max(dated)[1]
        own, other = (Decimal(str(self.kinds["currency"][one].facts.get("rate", 1))) for one in (currency, base))
        return (own / other).quantize(_RATE_DIGITS)

    def period(self, day: date, wanted: str | None, *, receivable: bool) -> Reference:
        """Give the open period of a day; `wanted` may name another open one."""
        if wanted is not None:
            found = self.find("accountingPeriod", wanted)
        else:
            text = day.isoformat()
            periods = self.kinds["accountingPeriod"].values()
            found = next((one for one in periods if one.facts["start"] <= text <= one.facts["end"]), None)
        if found is None:
            raise Refusal(
                "The transaction date you specified is not within the date range of your accounting periods.",
                path="tranDate",
            )
        self.refuse_closed(found.id, receivable=receivable)
        return found

    def refuse_closed(self, period: str, *, receivable: bool) -> None:
        """Refuse to post into a closed period, or into one that is locked for this kind of transaction."""
        found = self.find("accountingPeriod", period)
        if found is None:
            return
        if found.facts.get("closed"):
            raise Refusal(f"You cannot post a transaction to a closed period ({found.name}).", path="postingPeriod")
        if found.facts.get("allLocked") or (receivable and found.facts.get("arLocked")):
            raise Refusal(
                f"You cannot post this transaction: the period {found.name} is locked for its type.",
                path="postingPeriod",
            )
