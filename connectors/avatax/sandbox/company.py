"""The sandbox's account and books: companies, their tax profile, the ledger, and how a test fills and reads them."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.calculation import KNOWN_TAX_CODES, Rounding, TaxProfile, calculate
from connectors.avatax.sandbox.documents import Document, Ledger, Status
from connectors.avatax.sandbox.filters import Filter
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.replies import company_number
from connectors.avatax.sandbox.sales import RECORDED, Sale, read_sale
from hub.sandbox.limits import Limiter
from hub.sandbox.world import World

DEFAULT_COMPANY = "DEFAULT"
#: How long a forced timeout takes, as AvaTax describes it.
FORCED_TIMEOUT = 30.0


class Account:
    """One AvaTax account with its companies; these are the sandbox's books."""

    def __init__(self, world: World) -> None:
        """Draw the account's key from the sandbox's dice and open empty books."""
        self._world = world
        self.account_id = str(2_000_000_000 + world.seed)
        self.license_key = f"SANDBOX{world.random.getrandbits(64):016X}"
        self.limiter = Limiter(clock=world.clock)
        self.ledger = Ledger()
        self.companies = {DEFAULT_COMPANY}
        self.profile = TaxProfile()
        self.forced_timeout = FORCED_TIMEOUT

    def announce(self) -> Mapping[str, Any]:
        """Give the account's key and its company."""
        return {"account_id": self.account_id, "license_key": self.license_key, "company_code": DEFAULT_COMPANY}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fill the books.

        `companies` and `tax_codes` add to what is known, `rates` sets rates by `COUNTRY` or `COUNTRY-REGION`,
        `rounding` is `{"level": "Line" | "Document", "digits": {"JPY": 0}}`, `limits` is
        `{"rate", "concurrency"}`, `forced_timeout` is in seconds, `documents` are create calls, and `lock` names the
        codes of documents that were reported.
        """
        unknown = set(wish) - {
            "companies",
            "tax_codes",
            "rates",
            "rounding",
            "limits",
            "forced_timeout",
            "documents",
            "lock",
        }
        if unknown:
            raise ValueError(f"Unknown wishes: {', '.join(sorted(unknown))}.")
        self.companies |= set(wish.get("companies", ()))
        self.profile.tax_codes |= frozenset(wish.get("tax_codes", ()))
        self.profile.rates |= {place: Decimal(str(rate)) for place, rate in wish.get("rates", {}).items()}
        rounding = wish.get("rounding", {})
        self.profile.rounding = Rounding(rounding.get("level", self.profile.rounding))
        self.profile.digits |= rounding.get("digits", {})
        limits = wish.get("limits", {})
        self.limiter.rate = limits.get("rate", self.limiter.rate)
        self.limiter.concurrency = limits.get("concurrency", self.limiter.concurrency)
        self.forced_timeout = float(wish.get("forced_timeout", self.forced_timeout))
        try:
            created = [self.create(document).code for document in wish.get("documents", ())]
        except Refusal as refusal:
            raise ValueError(f"{refusal.code}: {refusal.description}") from refusal
        for document in self.ledger:
            if document.code in wish.get("lock", ()):
                document.locked = True
        return {"documents": created}

    def snapshot(self) -> Mapping[str, Any]:
        """Give every revision of every document in the order of acceptance, and the known tax codes."""
        return {
            "companies": sorted(self.companies),
            "tax_codes": sorted(self.profile.tax_codes),
            "refused_by_limit": self.limiter.refused,
            "documents": [document.to_books() for document in self.ledger],
        }

    async def reset(self) -> None:
        """Forget documents and wishes; the key stays."""
        self.ledger = Ledger()
        self.companies = {DEFAULT_COMPANY}
        self.profile = TaxProfile(tax_codes=KNOWN_TAX_CODES)
        self.limiter.rate = self.limiter.concurrency = None
        self.forced_timeout = FORCED_TIMEOUT

    def knows(self, authorization: str) -> bool:
        """Tell whether a Basic authorisation carries the account's number and key."""
        pair = f"{self.account_id}:{self.license_key}".encode()
        expected = "Basic " + base64.b64encode(pair).decode()
        return hmac.compare_digest(authorization.encode("utf-8", "replace"), expected.encode())

    def create(self, body: Any) -> Document:
        """Calculate a sale, and record it if its type is recorded."""
        sale = self._sale(body)
        lines = calculate(sale, self.profile)
        now = self._world.clock.now()
        if sale.type in RECORDED:
            return self.ledger.create(sale, lines, now)
        return Document(
            id=0, order=0, code=sale.code, sale=sale, lines=lines, status=Status.TEMPORARY, version=1, modified=now
        )

    def create_or_adjust(self, body: Any, *, reason: str, description: str) -> Document:
        """Record a sale, as a new revision where its document is committed."""
        sale = self._sale(body)
        if sale.type not in RECORDED:
            return self.create(body)
        lines = calculate(sale, self.profile)
        now = self._world.clock.now()
        return self.ledger.adjust(sale, lines, now, reason=reason, description=description)

    def _sale(self, body: Any) -> Sale:
        sale = read_sale(body, default_company=DEFAULT_COMPANY)
        if sale.company not in self.companies:
            raise Refusal("EntityNotFoundError", f"The company {sale.company} was not found.", refers_to="companyCode")
        # Without a code of the caller's the document gets a new one, so that a repeat makes a second document.
        return sale if sale.code else replace(sale, code=self.new_code())

    def company_list(self, wanted: str) -> Mapping[str, Any]:
        """List the companies; `wanted` may be a filter by `companyCode`. Raises `Refusal`."""
        rows = self._companies()
        if wanted:
            test = Filter(wanted, frozenset({"id", "companyCode", "name", "isDefault", "isActive"}))
            rows = [row for row in rows if test.matches(row.__getitem__)]
        return {"@recordsetCount": len(rows), "value": rows}

    def company(self, number: int) -> Mapping[str, Any]:
        """Give a company by its number; raises `Refusal`."""
        for row in self._companies():
            if row["id"] == number:
                return row
        raise Refusal("EntityNotFoundError", f"The company {number} was not found.", refers_to="id")

    def _companies(self) -> list[dict[str, Any]]:
        return [
            {
                "id": company_number(code),
                "accountId": int(self.account_id),
                "companyCode": code,
                "name": f"Company {code}",
                "isDefault": code == DEFAULT_COMPANY,
                "isActive": True,
                "hasProfile": True,
                "baseCurrencyCode": "USD",
                "defaultCountry": "US",
                "roundingLevelId": self.profile.rounding,
                "isTest": True,
            }
            for code in sorted(self.companies)
        ]

    def new_code(self) -> str:
        """Make up a name: for a document that came without a code, or for a request."""
        digits = f"{self._world.random.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
