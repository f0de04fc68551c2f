"""Business partners by the hundred thousand, each made only when somebody looks at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business.partners import FOREVER, OWNERS, etag
from connectors.s4hana.sandbox.store import Crowd, Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

_FIRST = 2_000_000
_FIRST_ADDRESS = 3_000_000
_BORN = datetime(2024, 1, 1, tzinfo=UTC)
_WORDS = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Larch", "Maple")
_KINDS = ("Works", "Trading", "Labs", "Systems", "Foods", "Media", "Logistics", "Energy", "Health", "Studios")
_CITIES = ("Berlin", "Hamburg", "Munich", "Cologne", "Leipzig", "Bremen")


def populate(tenant: Tenant, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let so many customers be there, in one company code; gives the first and the last of their numbers."""
    surplus = set(wish) - {"customers", "company_code"}
    if surplus:
        raise ValueError(f"generate: unknown key {', '.join(sorted(surplus))}")
    count = int(wish["customers"])
    company = tenant.organisation.companies[str(wish.get("company_code", "1010"))]
    if not 0 < count <= 5_000_000:
        raise ValueError("generate: customers are between 1 and 5000000")
    if tenant.store.table("A_BusinessPartner").crowds:
        raise ValueError("generate: there are generated customers already; reset first")
    makers = _makers(company.code, company.country, company.currency)
    for table, (key, number, make) in makers.items():
        crowd = Crowd(count=count, key=key, number=_within(number, count), make=make)
        tenant.store.table(table).crowds.append(crowd)
    return {"first": _partner(0), "last": _partner(count - 1)}


Maker = tuple[Callable[[int], Key], Callable[[str], int], Callable[[int], Row]]


def _makers(company: str, country: str, currency: str) -> dict[str, Maker]:
    def head(number: int) -> Row:
        at = _changed(number)
        name = _name(number)
        return {
            "BusinessPartner": _partner(number),
            "Customer": _partner(number),
            "BusinessPartnerCategory": "2",
            "BusinessPartnerGrouping": "BP02",
            "OrganizationBPName1": name,
            "BusinessPartnerFullName": name,
            "BusinessPartnerName": name,
            "SearchTerm1": name[:20].upper(),
            "BusinessPartnerIDByExtSystem": f"cus_{number:08d}",
            "BusinessPartnerUUID": f"00000000-0000-4000-8000-{number:012d}",
            "Language": "EN",
            "CreatedByUser": "SAP_SYSTEM",
            "CreationDate": _BORN.date(),
            "CreationTime": _BORN.time(),
            "LastChangeDate": at.date(),
            "LastChangeTime": at.time(),
            "LastChangedByUser": "SAP_SYSTEM",
            "ETag": etag(at),
        }

    def address(number: int) -> Row:
        return {
            "BusinessPartner": _partner(number),
            "AddressID": _address(number),
            "Country": country,
            "CityName": _CITIES[number % len(_CITIES)],
            "PostalCode": f"{10000 + number % 80000:05d}",
            "StreetName": f"{_WORDS[number % len(_WORDS)]} Street",
            "HouseNumber": str(number % 200 + 1),
            "Language": "EN",
            "ValidityStartDate": _BORN,
            "ValidityEndDate": FOREVER,
        }

    def owner(number: int) -> Row:
        return {"BusinessPartner": _partner(number)}

    def email(number: int) -> Row:
        text = f"billing{number}@example.com"
        return {
            "AddressID": _address(number),
            "Person": "",
            "OrdinalNumber": "1",
            "IsDefaultEmailAddress": True,
            "EmailAddress": text,
            "SearchEmailAddress": text[:20].upper(),
        }

    def customer(number: int) -> Row:
        name = _name(number)
        names = dict.fromkeys(("CustomerName", "CustomerFullName", "BPCustomerName", "BPCustomerFullName"), name)
        born: dict[str, date | str] = {"CreationDate": _BORN.date(), "CreatedByUser": "SAP_SYSTEM"}
        return {"Customer": _partner(number), "CustomerAccountGroup": "CUST", **names, **born}

    def books(number: int) -> Row:
        account = {"ReconciliationAccount": "12100000", "PaymentTerms": "0004"}
        return {"Customer": _partner(number), "CompanyCode": company, **account}

    def sales(number: int) -> Row:
        area = {"SalesOrganization": company, "DistributionChannel": "10", "Division": "00"}
        return {"Customer": _partner(number), **area, "Currency": currency, "CustomerPaymentTerms": "0004"}

    def role(number: int) -> Row:
        valid = {"ValidFrom": _BORN, "ValidTo": FOREVER}
        return {"BusinessPartner": _partner(number), "BusinessPartnerRole": "FLCU00", **valid}

    return {
        "A_BusinessPartner": (lambda n: (_partner(n),), _of_partner, head),
        "A_BusinessPartnerAddress": (lambda n: (_partner(n), _address(n)), _of_partner, address),
        OWNERS: (lambda n: (_address(n),), _of_address, owner),
        "A_AddressEmailAddress": (lambda n: (_address(n), "", "1"), _of_address, email),
        "A_BusinessPartnerRole": (lambda n: (_partner(n), "FLCU00"), _of_partner, role),
        "A_Customer": (lambda n: (_partner(n),), _of_partner, customer),
        "A_CustomerCompany": (lambda n: (_partner(n), company), _of_partner, books),
        "A_CustomerSalesArea": (lambda n: (_partner(n), company, "10", "00"), _of_partner, sales),
    }


def _partner(number: int) -> str:
    return str(_FIRST + number)


def _address(number: int) -> str:
    return str(_FIRST_ADDRESS + number)


def _of_partner(text: str) -> int:
    return int(text) - _FIRST


def _of_address(text: str) -> int:
    return int(text) - _FIRST_ADDRESS


def _within(number: Callable[[str], int], count: int) -> Callable[[str], int | None]:
    def found(text: str) -> int | None:
        if not text.isdigit() or len(text) > 10:
            return None
        place = number(text)
        return place if 0 <= place < count else None

    return found


def _name(number: int) -> str:
    return f"{_WORDS[number % len(_WORDS)]} {_KINDS[number // len(_WORDS) % len(_KINDS)]} {number}"


def _changed(number: int) -> datetime:
    """Spread the changes over a year, so that a question for what changed since finds some of them."""
    return _BORN + timedelta(seconds=number * 7919 % 31_536_000)
