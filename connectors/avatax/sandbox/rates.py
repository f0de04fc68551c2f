"""Who taxes a sale at which rate: a small table by country and region, enough to test with, not to file with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

#: `jurisdictionType` → the three letters used in a line's details.
SHORT_TYPES = {"Country": "CNT", "State": "STA", "County": "CTY", "City": "CIT", "Special": "STJ"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Jurisdiction:
    """One authority and its rate as a fraction (0.0625 is 6.25 %)."""

    kind: str
    code: str
    name: str
    rate: Decimal
    tax_name: str
    tax_type: str = "Output"


def _us(region: str, *parts: tuple[str, str, str, str]) -> tuple[Jurisdiction, ...]:
    return tuple(
        Jurisdiction(
            kind=kind,
            code=code,
            name=name,
            rate=Decimal(rate),
            tax_name=f"{region} {kind.upper()} TAX",
            tax_type="Sales",
        )
        for kind, code, name, rate in parts
    )


_UNITED_STATES = {
    "AZ": _us(
        "AZ",
        ("State", "04", "ARIZONA", "0.056"),
        ("County", "013", "MARICOPA", "0.007"),
        ("City", "PX", "PHOENIX", "0.023"),
    ),
    "CA": _us(
        "CA",
        ("State", "06", "CALIFORNIA", "0.06"),
        ("County", "059", "ORANGE", "0.0025"),
        ("Special", "EMAZ0", "ORANGE COUNTY DISTRICT TAX SP", "0.005"),
        ("Special", "EMTN0", "ORANGE CO LOCAL TAX SL", "0.01"),
    ),
    "CO": _us(
        "CO",
        ("State", "08", "COLORADO", "0.029"),
        ("City", "20000", "DENVER", "0.0515"),
        ("Special", "RTD", "REGIONAL TRANSPORTATION", "0.01"),
    ),
    "FL": _us("FL", ("State", "12", "FLORIDA", "0.06"), ("County", "086", "MIAMI-DADE", "0.01")),
    "IL": _us(
        "IL",
        ("State", "17", "ILLINOIS", "0.0625"),
        ("County", "031", "COOK", "0.0175"),
        ("City", "14000", "CHICAGO", "0.0125"),
        ("Special", "RTA", "REGIONAL TRANSPORT AUTHORITY", "0.01"),
    ),
    "MA": _us("MA", ("State", "25", "MASSACHUSETTS", "0.0625")),
    "NJ": _us("NJ", ("State", "34", "NEW JERSEY", "0.06625")),
    "NY": _us(
        "NY",
        ("State", "36", "NEW YORK", "0.04"),
        ("City", "51000", "NEW YORK CITY", "0.045"),
        ("Special", "359071", "METROPOLITAN COMMUTER TRANSPORTATION", "0.00375"),
    ),
    "PA": _us("PA", ("State", "42", "PENNSYLVANIA", "0.06")),
    "TX": _us(
        "TX",
        ("State", "48", "TEXAS", "0.0625"),
        ("City", "05000", "AUSTIN", "0.01"),
        ("Special", "6000687", "AUSTIN MTA TRANSIT", "0.01"),
    ),
    "WA": _us("WA", ("State", "53", "WASHINGTON", "0.065"), ("City", "63000", "SEATTLE", "0.0385")),
}

#: States where the company has no duty to collect, and states without a sales tax.
_UNITED_STATES_UNTAXED = frozenset(
    [
        "AK",
        "AL",
        "AR",
        "CT",
        "DC",
        "DE",
        "GA",
        "HI",
        "IA",
        "ID",
        "IN",
        "KS",
        "KY",
        "LA",
        "MD",
        "ME",
        "MI",
        "MN",
        "MO",
        "MS",
        "MT",
        "NC",
        "ND",
        "NE",
        "NH",
        "NM",
        "NV",
        "OH",
        "OK",
        "OR",
        "PR",
        "RI",
        "SC",
        "SD",
        "TN",
        "UT",
        "VA",
        "VT",
        "WI",
        "WV",
        "WY",
    ]
)

#: Country → rate of its one national tax.
_NATIONAL = {
    "AE": "0.05", "AT": "0.20", "AU": "0.10", "BE": "0.21", "BH": "0.10", "CH": "0.081", "CL": "0.19", "CZ": "0.21",
    "DE": "0.19", "DK": "0.25", "ES": "0.21", "FI": "0.255", "FR": "0.20", "GB": "0.20", "HU": "0.27", "IE": "0.23",
    "IT": "0.22", "JP": "0.10", "KR": "0.10", "KW": "0", "LU": "0.17", "MX": "0.16", "NL": "0.21", "NO": "0.25",
    "NZ": "0.15", "PL": "0.23", "PT": "0.23", "SA": "0.15", "SE": "0.25", "SG": "0.09", "TN": "0.19", "ZA": "0.15",
}  # fmt: skip

_CANADA = {
    "AB": (("CA", "GST", "0.05"),),
    "BC": (("CA", "GST", "0.05"), ("BC", "PST", "0.07")),
    "NS": (("NS", "HST", "0.14"),),
    "ON": (("ON", "HST", "0.13"),),
    "QC": (("CA", "GST", "0.05"), ("QC", "QST", "0.09975")),
}


def is_known_region(country: str, region: str) -> bool:
    """Tell whether a region that must be known is (United States and Canada only)."""
    if country == "US":
        return region in _UNITED_STATES or region in _UNITED_STATES_UNTAXED
    return country != "CA" or region in _CANADA


def jurisdictions(country: str, region: str, own: dict[str, Decimal]) -> tuple[Jurisdiction, ...]:
    """Give who taxes a sale delivered there; nobody where the company is not registered.

    `own` are rates set for a test by `COUNTRY` or `COUNTRY-REGION`; they win over the table.
    """
    for place in (f"{country}-{region}", country):
        if place in own:
            return (_national(country, own[place]),)
    if country == "US":
        return _UNITED_STATES.get(region, ())
    if country == "CA":
        return tuple(
            Jurisdiction(
                kind="Country" if code == "CA" else "State",
                code=code,
                name="CANADA" if code == "CA" else f"CANADA {code}",
                rate=Decimal(rate),
                tax_name=f"{code} {name}",
                tax_type="Output",
            )
            for code, name, rate in _CANADA.get(region, ())
        )
    rate = _NATIONAL.get(country)
    return () if rate is None else (_national(country, Decimal(rate)),)


def _national(country: str, rate: Decimal) -> Jurisdiction:
    return Jurisdiction(kind="Country", code=country, name=country, rate=rate, tax_name=f"{country} STANDARD RATE")
