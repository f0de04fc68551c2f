"""Seeds the tenant through the control API: settings, users, organisation, business of any size, drift, and locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business import billing, ledger, products
from connectors.s4hana.sandbox.business.organisation import Account, Company
from connectors.s4hana.sandbox.business.sales import CREDIT, ORDER
from connectors.s4hana.sandbox.crowds import populate
from connectors.s4hana.sandbox.drift import drift
from connectors.s4hana.sandbox.events import WAITS, Webhook
from connectors.s4hana.sandbox.odata.entities import Entities, Place
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.odata.incoming import Reader
from connectors.s4hana.sandbox.samples import SAMPLE

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant


async def seed(tenant: Tenant, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make what is wished, in the order of the keys of `_MAKERS`; raises `ValueError` for what makes no sense.

    What each key takes stands in the README of the connector.
    """
    known = [*_MAKERS, "subscribe", "sample"]
    surplus = sorted(set(wish) - set(known))
    if surplus:
        raise ValueError(f"unknown key {', '.join(surplus)}; known are {', '.join(sorted(known))}")
    made: dict[str, Any] = {}
    if wish.get("sample"):
        made |= await seed(tenant, SAMPLE)
    tenant.user = "SAP_SYSTEM"
    for key, maker in _MAKERS.items():
        if key in wish:
            made[key] = [*made.get(key, []), *_made(key, maker, tenant, wish[key])]
    if "subscribe" in wish:
        made["subscribe"] = [await _subscribe(tenant, each) for each in wish["subscribe"]]
    return made


def _made(key: str, maker: Callable[..., Any], tenant: Tenant, wish: Any) -> list[Any]:
    entries = wish if isinstance(wish, list) else [wish]
    made = []
    for place, entry in enumerate(entries):
        try:
            made.append(maker(tenant, entry))
        except (Refusal, ledger.NotPosted) as refused:
            raise ValueError(f"{key}[{place}]: {refused}") from refused
        except KeyError as error:
            raise ValueError(f"{key}[{place}]: {error} is missing or unknown") from error
    return made


async def _subscribe(tenant: Tenant, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    webhook = Webhook(
        url=str(wish["url"]),
        types=tuple(str(each) for each in wish.get("types", ["*"])),
        headers={str(name): str(value) for name, value in wish.get("headers", {}).items()},
        waits=tuple(float(each) for each in wish.get("waits", WAITS)),
    )
    return {"url": webhook.url, "agreed": await tenant.events.subscribe(webhook)}


def _settings(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    for name, value in wish.items():
        if name in ("rate", "concurrency"):
            setattr(tenant.limiter, name, None if value is None else int(value))
        elif name == "end_sessions" and value:
            tenant.sessions.end_all()
        elif name == "revoke_tokens" and value:
            tenant.users.revoke_tokens()
        elif name not in ("end_sessions", "revoke_tokens"):
            tenant.settings.set(name, value)


def _user(tenant: Tenant, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    user = tenant.users.put(wish)
    return {"name": user.name, "password": user.password}


def _company(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    company = Company(**{name: str(value) for name, value in wish.items()})
    if company.currency not in tenant.organisation.rates:
        raise ValueError(f"companies: there is no rate for {company.currency}")
    tenant.organisation.put_company(tenant, company)
    return company.code


def _account(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    tenant.organisation.put_account(tenant, Account(**wish))
    return str(wish["number"])


def _block(tenant: Tenant, wish: str) -> None:
    tenant.organisation.block(tenant, str(wish), blocked=True)


def _unblock(tenant: Tenant, wish: str) -> None:
    tenant.organisation.block(tenant, str(wish), blocked=False)


def _period(tenant: Tenant, wish: Mapping[str, Any]) -> tuple[str, str, str]:
    company = tenant.organisation.companies[str(wish["company"])]
    if "day" in wish:
        return (company.code, *company.period(date.fromisoformat(str(wish["day"]))))
    return company.code, str(wish["year"]), f"{int(wish['period']):03d}"


def _close(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    tenant.organisation.closed.add(_period(tenant, wish))


def _open(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    tenant.organisation.closed.discard(_period(tenant, wish))


def _rates(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    tenant.organisation.rates |= {str(code): Decimal(str(rate)) for code, rate in wish.items()}


def _taxes(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    tenant.organisation.tax_codes |= {str(code): Decimal(str(rate)) for code, rate in wish.items()}


def _create(service: str, entity_set: str) -> Callable[[Tenant, Mapping[str, Any]], str]:
    def make(tenant: Tenant, wish: Mapping[str, Any]) -> str:
        described = tenant.services[service]
        node = Reader(service=described).node(dict(wish), described.sets[entity_set])
        key = Entities(tenant, described).create(Place(entity_set=described.sets[entity_set]), node)
        return key[0]

    return make


def _customer(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    """Make an organisation that is a customer in some company codes, and may order where they sell."""
    companies = [tenant.organisation.companies[str(code)] for code in wish.get("company_codes", ["1010"])]
    number = str(wish.get("number", ""))
    sales = [each for each in tenant.organisation.sales.values() if each.company in {one.code for one in companies}]
    area = {"DistributionChannel": "10", "Division": "00", "CustomerPaymentTerms": str(wish.get("terms", "0004"))}
    body: dict[str, Any] = {
        "BusinessPartnerCategory": "2",
        "BusinessPartnerGrouping": "BPEX" if number else "BP02",
        "OrganizationBPName1": str(wish["name"])[:40],
        "SearchTerm1": str(wish.get("search_term", wish["name"]))[:20].upper(),
        "BusinessPartnerIDByExtSystem": str(wish.get("external_id", "")),
        "to_BusinessPartnerAddress": [
            {"Country": str(wish.get("country", companies[0].country)), "CityName": str(wish.get("city", ""))}
        ],
        "to_Customer": {
            "to_CustomerCompany": [
                {
                    "CompanyCode": each.code,
                    "ReconciliationAccount": "12100000",
                    "PaymentTerms": area["CustomerPaymentTerms"],
                }
                for each in companies
            ],
            "to_CustomerSalesArea": [
                {"SalesOrganization": each.code, "Currency": _currency(tenant, wish, each.company), **area}
                for each in sales
            ],
        },
    }
    if number:
        body["BusinessPartner"] = number
    return _create("API_BUSINESS_PARTNER", "A_BusinessPartner")(tenant, body)


def _currency(tenant: Tenant, wish: Mapping[str, Any], company: str) -> str:
    return str(wish.get("currency", tenant.organisation.companies[company].currency))


def _product(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    body = {
        "Product": str(wish["product"]),
        "ProductType": str(wish.get("type", "SERV")),
        "BaseUnit": str(wish.get("unit", "PC")),
        "ProductGroup": str(wish.get("group", "P001")),
        "ProductOldID": str(wish.get("old_id", "")).upper(),
        "to_Description": [{"Language": "EN", "ProductDescription": str(wish.get("name", wish["product"]))[:40]}],
        "to_SalesDelivery": [
            {"ProductSalesOrg": str(each), "ProductDistributionChnl": products.CHANNEL}
            for each in wish.get("sales_organisations", tenant.organisation.sales)
        ],
    }
    number = _create("API_PRODUCT_SRV", "A_Product")(tenant, body)
    for currency, price in wish.get("prices", {}).items():
        products.set_price(tenant, number, str(currency), Decimal(str(price)))
    return number


def _price(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    products.set_price(tenant, str(wish["product"]), str(wish["currency"]), Decimal(str(wish["price"])))


def _bill(tenant: Tenant, wish: Mapping[str, Any] | str) -> str:
    """Bill an order or a credit memo request, given by its number or with a day."""
    given = {"document": wish} if isinstance(wish, str) else wish
    number = str(given["document"])
    day = date.fromisoformat(str(given["day"])) if "day" in given else None
    kind = CREDIT if tenant.store.table(CREDIT.head).get((number,)) is not None else ORDER
    return billing.bill(tenant, kind, number, day)


def _entry(tenant: Tenant, wish: Mapping[str, Any]) -> str:
    day = date.fromisoformat(str(wish["day"]))
    entry = ledger.Entry(
        company=str(wish["company"]),
        type=str(wish.get("type", "SA")),
        posting_date=day,
        document_date=day,
        currency=str(wish["currency"]),
        lines=[_line(tenant, each) for each in wish["lines"]],
        head={str(name): value for name, value in wish.get("head", {}).items()},
    )
    return ledger.post(tenant, entry).document


def _line(tenant: Tenant, wish: Mapping[str, Any]) -> ledger.Line:
    return ledger.Line(
        account=str(wish.get("account", "12100000")),
        amount=Decimal(str(wish["amount"])),
        customer=str(wish.get("customer", "")),
        more={str(name): value for name, value in wish.get("more", {}).items()},
    )


def _lock(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    ends = tenant.world.clock.monotonic() + float(wish["seconds"]) if "seconds" in wish else None
    key = tuple(str(each) for each in wish["key"])
    tenant.locks[str(wish["table"]), key] = (str(wish.get("user", "ASMITH")), ends)


def _unlock(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    tenant.locks.pop((str(wish["table"]), tuple(str(each) for each in wish["key"])), None)


def _change(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    """Change a row as people at the tenant do: by the rules of its table, or `raw`, past them."""
    table, key = tenant.store.table(str(wish["table"])), tuple(str(each) for each in wish["key"])
    old = table.get(key)
    if old is None:
        raise ValueError(f"changes: {wish['table']} has no row {'/'.join(key)}")
    values = dict(wish["set"])
    if wish.get("raw"):
        table.put(key, {**old, **values})
        return
    rules = tenant.rules(table.name)
    with tenant.unit_of_work():
        table.put(key, rules.change(tenant, old, values))
        rules.changed(tenant, key)


def _skip(tenant: Tenant, wish: Mapping[str, Any]) -> None:
    tenant.skip(str(wish["range"]), int(wish["count"]))


_MAKERS: Mapping[str, Callable[..., Any]] = {
    "settings": _settings,
    "users": _user,
    "rates": _rates,
    "tax_codes": _taxes,
    "companies": _company,
    "accounts": _account,
    "block_accounts": _block,
    "unblock_accounts": _unblock,
    "close": _close,
    "open": _open,
    "generate": populate,
    "products": _product,
    "prices": _price,
    "business_partners": _create("API_BUSINESS_PARTNER", "A_BusinessPartner"),
    "customers": _customer,
    "contacts": _create("API_BUSINESS_PARTNER", "A_BusinessPartnerContact"),
    "sales_orders": _create("API_SALES_ORDER_SRV", "A_SalesOrder"),
    "credit_memo_requests": _create("API_CREDIT_MEMO_REQUEST_SRV", "A_CreditMemoRequest"),
    "bill": _bill,
    "journal_entries": _entry,
    "changes": _change,
    "locks": _lock,
    "unlock": _unlock,
    "skip_numbers": _skip,
    "drift": drift,
}
