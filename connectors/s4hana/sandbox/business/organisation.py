"""How the company is organised: company codes, fiscal years, charts of accounts, sales areas, rates and taxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from connectors.s4hana.sandbox.edm.values import digits_of

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

CHART = "YCOA"
#: Months by which a fiscal year begins after the calendar year, by fiscal year variant.
_SHIFTS = {"K4": 0, "V3": 3, "V6": 6, "V9": 9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A company code; `variant` says when its fiscal year begins."""

    code: str
    name: str
    city: str
    country: str
    currency: str
    variant: str = "K4"
    language: str = "EN"

    def period(self, day: date) -> tuple[str, str]:
        """Give fiscal year and period of a day."""
        months = day.year * 12 + day.month - 1 - _SHIFTS.get(self.variant, 0)
        return str(months // 12), f"{months % 12 + 1:03d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A general ledger account; `kind` is X (balance sheet), C (cash), P (primary costs and revenue) or N.

    `subledger` is D where it is the reconciliation account of customers, K of suppliers; `tax` one of taxes.
    """

    number: str
    name: str
    kind: str
    subledger: str = ""
    tax: bool = False
    open_items: bool = False
    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesOrganisation:
    """A sales organisation and the company code it bills for; `plant` delivers."""

    code: str
    company: str
    plant: str


_COMPANIES = (
    Company(code="1010", name="Company Code 1010", city="Walldorf", country="DE", currency="EUR", language="DE"),
    Company(code="1110", name="Company Code 1110", city="London", country="GB", currency="GBP"),
    Company(code="1510", name="Company Code 1510", city="Tokyo", country="JP", currency="JPY", variant="V3"),
    Company(code="1710", name="Company Code 1710", city="Palo Alto", country="US", currency="USD"),
)
_ACCOUNTS = (
    Account(number="10010000", name="Petty Cash", kind="X"),
    Account(number="11001000", name="Bank 1 - Main Account", kind="C", open_items=False),
    Account(number="11001060", name="Bank 1 - Incoming Paymnt", kind="X", open_items=True),
    Account(number="11002080", name="Payment Provider Clearng", kind="X", open_items=True),
    Account(number="11002085", name="Payment Provider Convers", kind="X", open_items=True),
    Account(number="11002090", name="Payments in Dispute", kind="X", open_items=True),
    Account(number="12100000", name="Receivables Domestic", kind="X", subledger="D", open_items=True),
    Account(number="12110000", name="Receivables Foreign", kind="X", subledger="D", open_items=True),
    Account(number="12180000", name="Customer Down Payments", kind="X", subledger="D", open_items=True),
    Account(number="21100000", name="Payables Domestic", kind="X", subledger="K", open_items=True),
    Account(number="21400000", name="Deferred Revenue", kind="X"),
    Account(number="22000000", name="Output Tax", kind="X", tax=True),
    Account(number="12600000", name="Input Tax", kind="X", tax=True),
    Account(number="41000000", name="Billed Rev Domestic", kind="P"),
    Account(number="41000500", name="Billed Rev Foreign", kind="P"),
    Account(number="44000000", name="Sales Deductions", kind="P"),
    Account(number="62001000", name="Bad Debt Expense", kind="P"),
    Account(number="65100000", name="Payment Fees", kind="P"),
    Account(number="65301000", name="Office Supplies", kind="P"),
    Account(number="71100000", name="Exchange Gain", kind="N"),
    Account(number="72010000", name="Exchange Loss", kind="N"),
    Account(number="79999000", name="Closed Account", kind="P", blocked=True),
)
_SALES = (
    SalesOrganisation(code="1010", company="1010", plant="1010"),
    SalesOrganisation(code="1110", company="1110", plant="1110"),
    SalesOrganisation(code="1510", company="1510", plant="1510"),
    SalesOrganisation(code="1710", company="1710", plant="1710"),
)
#: What one unit of a currency is worth in US dollars; all other rates follow.
_RATES = {"USD": "1", "EUR": "1.10", "GBP": "1.25", "JPY": "0.0068", "CHF": "1.12", "CAD": "0.74", "KWD": "3.25"}
#: Output tax by country: code and rate in percent; `0` is the code for what is not taxed.
_TAXES = {"DE": ("A1", "19"), "GB": ("A1", "20"), "JP": ("A1", "10"), "US": ("O1", "0")}
DOCUMENT_TYPES: Mapping[str, tuple[str, int]] = {
    "SA": ("G/L Account Posting", 100_000_000),
    "AB": ("Journal Entry", 100_000_000),
    "DR": ("Customer Invoice", 1_800_000_000),
    "DG": ("Customer Credit Memo", 1_600_000_000),
    "DZ": ("Customer Payment", 1_400_000_000),
    "DA": ("Customer Document", 1_600_000_000),
    "RV": ("Billing Doc. Transfer", 9_000_000_000),
    "KR": ("Supplier Invoice", 1_900_000_000),
    "KZ": ("Supplier Payment", 1_500_000_000),
    "ZP": ("Payment Posting", 2_000_000_000),
}


class Organisation:
    """The organisational data of a tenant; changed through the control API alone."""

    def __init__(self) -> None:
        """Start with four company codes of four currencies."""
        self.companies = {each.code: each for each in _COMPANIES}
        self.accounts = {each.number: each for each in _ACCOUNTS}
        self.sales = {each.code: each for each in _SALES}
        self.rates = {code: Decimal(text) for code, text in _RATES.items()}
        self.taxes = {country: (code, Decimal(rate)) for country, (code, rate) in _TAXES.items()}
        self.tax_codes: dict[str, Decimal] = {"A0": Decimal(0), "O0": Decimal(0), "V0": Decimal(0), "V1": Decimal(19)}
        self.tax_codes |= {code: rate for code, rate in self.taxes.values() if code == "O1"}
        self.tax_codes["A1"] = Decimal(19)
        #: Periods in which nothing may be posted: company code, fiscal year, period.
        self.closed: set[tuple[str, str, str]] = set()

    def write(self, tenant: Tenant) -> None:
        """Put company codes and accounts into the tables that the services show."""
        for company in self.companies.values():
            self._write_company(tenant, company)
        for account in self.accounts.values():
            self._write_account(tenant, account)

    def put_company(self, tenant: Tenant, company: Company) -> None:
        """Add or change a company code, with a sales organisation and plant of the same code."""
        self.companies[company.code] = company
        self.sales.setdefault(
            company.code, SalesOrganisation(code=company.code, company=company.code, plant=company.code)
        )
        self._write_company(tenant, company)

    def put_account(self, tenant: Tenant, account: Account) -> None:
        """Add or change an account."""
        self.accounts[account.number] = account
        self._write_account(tenant, account)

    def block(self, tenant: Tenant, number: str, *, blocked: bool) -> None:
        """Block an account for posting, or open it."""
        if number not in self.accounts:
            raise ValueError(f"there is no account {number}")
        self.put_account(tenant, replace(self.accounts[number], blocked=blocked))

    def is_open(self, company: Company, day: date) -> bool:
        """Tell whether something may be posted on a day."""
        return (company.code, *company.period(day)) not in self.closed

    def tax_rate(self, code: str, country: str) -> Decimal | None:
        """Give a tax code's rate in percent in a country; None for a code that is not there."""
        own = self.taxes.get(country)
        if own is not None and own[0] == code:
            return own[1]
        return self.tax_codes.get(code)

    def converted(self, amount: Decimal, currency: str, target: str) -> Decimal:
        """Give an amount in another currency, rounded to its minor unit; `KeyError` for a currency without a rate."""
        if currency == target:
            return amount
        exact = amount * self.rates[currency] / self.rates[target]
        return rounded(exact, target)

    def rate(self, currency: str, target: str) -> Decimal:
        """Give an exchange rate with five decimals."""
        exact = Decimal(1) if currency == target else self.rates[currency] / self.rates[target]
        return exact.quantize(Decimal("0.00001"))

    def _write_company(self, tenant: Tenant, company: Company) -> None:
        row = {
            "CompanyCode": company.code,
            "CompanyCodeName": company.name,
            "CityName": company.city,
            "Country": company.country,
            "Currency": company.currency,
            "Language": company.language,
            "ChartOfAccounts": CHART,
            "FiscalYearVariant": company.variant,
            "ControllingArea": "A000",
            "FieldStatusVariant": "0010",
        }
        tenant.store.table("A_CompanyCode").put((company.code,), row)

    def _write_account(self, tenant: Tenant, account: Account) -> None:
        balance = account.kind in ("X", "C")
        row = {
            "ChartOfAccounts": CHART,
            "GLAccount": account.number,
            "GLAccountExternal": account.number,
            "IsBalanceSheetAccount": balance,
            "IsProfitLossAccount": not balance,
            "ProfitLossAccountType": "" if balance else "X",
            "GLAccountType": account.kind,
            "GLAccountGroup": "BSAC" if balance else "PLAC",
            "AccountIsBlockedForPosting": account.blocked,
            "CreationDate": date(2020, 1, 1),
            "CreatedByUser": "SAP_SYSTEM",
            "LastChangeDateTime": tenant.now().replace(microsecond=0),
        }
        tenant.store.table("A_GLAccountInChartOfAccounts").put((CHART, account.number), row)
        for language in ("DE", "EN"):
            text = {
                "ChartOfAccounts": CHART,
                "GLAccount": account.number,
                "Language": language,
                "GLAccountName": account.name[:20],
                "GLAccountLongName": account.name,
                "LastChangeDateTime": row["LastChangeDateTime"],
            }
            tenant.store.table("A_GLAccountText").put((CHART, account.number, language), text)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round half up to a currency's minor unit, as SAP does."""
    return amount.quantize(Decimal(1).scaleb(-digits_of(currency)), ROUND_HALF_UP)
