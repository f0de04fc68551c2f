"""Which taxes are on a sale: rates by place, what a product's tax code changes, and why there may be none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.stripe.sandbox.amounts import rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Levy:
    """One tax of one jurisdiction, in percent."""

    level: str
    name: str
    kind: str
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one levy comes to on an amount; `reason` says why it is so, or why it is nothing."""

    levy: Levy
    amount: int
    taxable: int
    reason: str


def _vat(percent: str, name: str = "VAT", kind: str = "vat") -> tuple[Levy, ...]:
    return (Levy(level="country", name=name, kind=kind, percent=Decimal(percent)),)


def _sales(*parts: tuple[str, str, str]) -> tuple[Levy, ...]:
    return tuple(
        Levy(level=level, name=name, kind="sales_tax", percent=Decimal(percent)) for level, name, percent in parts
    )


def _canada(*parts: tuple[str, str, str, str]) -> tuple[Levy, ...]:
    return tuple(
        Levy(level=level, name=name, kind=kind, percent=Decimal(percent)) for level, name, kind, percent in parts
    )


_GST = ("country", "GST", "gst", "5")
#: Place (country, or country and state) → its taxes. The rates are of 2026, for one town of each state.
_PLACES: Mapping[str, tuple[Levy, ...]] = {
    "AT": _vat("20"),
    "AU": _vat("10", "GST", "gst"),
    "BE": _vat("21"),
    "CH": _vat("8.1"),
    "DE": _vat("19"),
    "ES": _vat("21"),
    "FR": _vat("20"),
    "GB": _vat("20"),
    "IE": _vat("23"),
    "IT": _vat("22"),
    "JP": _vat("10", "JCT", "jct"),
    "NL": _vat("21"),
    "NO": _vat("25"),
    "SE": _vat("25"),
    "CA-BC": _canada(_GST, ("state", "British Columbia PST", "pst", "7")),
    "CA-ON": _canada(("country", "HST", "hst", "13")),
    "CA-QC": _canada(_GST, ("state", "QST", "qst", "9.975")),
    "US-CA": _sales(("state", "California", "6"), ("county", "San Mateo", "0.25"), ("district", "Transit", "3.625")),
    "US-NY": _sales(("state", "New York", "4"), ("city", "New York City", "4.5"), ("district", "MCTD", "0.375")),
    "US-OR": (),
    "US-TX": _sales(("state", "Texas", "6.25"), ("city", "Austin", "1"), ("district", "Austin MTA", "1")),
    "US-WA": _sales(("state", "Washington", "6.5"), ("city", "Seattle", "3.85")),
}
_UNION = frozenset({"AT", "BE", "DE", "ES", "FR", "IE", "IT", "NL", "SE"})
#: Countries whose states have taxes of their own, so that a place without a state is none.
BY_STATE = frozenset({"CA", "US"})
#: Tax code → its name, the places where it is not taxed, and the places where it is taxed less.
CODES: Mapping[str, tuple[str, frozenset[str], Mapping[str, str]]] = {
    "txcd_00000000": ("Nontaxable", frozenset(_PLACES), {}),
    "txcd_10000000": ("General - Electronically Supplied Services", frozenset({"US-CA"}), {}),
    "txcd_10103001": ("Software as a service (SaaS) - business use", frozenset({"US-CA"}), {}),
    "txcd_20030000": ("General - Services", frozenset({"US-CA", "US-NY", "US-TX", "US-WA"}), {}),
    "txcd_35010000": ("Books", frozenset({"GB"}), {"AT": "10", "DE": "7", "FR": "5.5", "NL": "9", "SE": "6"}),
    "txcd_92010001": ("Shipping", frozenset({"US-CA"}), {}),
    "txcd_99999999": ("General - Tangible Goods", frozenset(), {}),
}


def place_of(country: str, state: str | None) -> str | None:
    """Give the place of an address; None for one whose taxes cannot be told."""
    place = f"{country}-{state}" if country in BY_STATE else country
    if place in _PLACES:
        return place
    return None if country in BY_STATE and not state else place


def levied(
    amount: int,
    place: str,
    code: str,
    *,
    registered: Collection[str],
    home: str,
    override: str,
    business: bool,
    inclusive: bool,
    unit: int,
) -> list[Part]:
    """Give the taxes on an amount at a place: each levy's share, and its reason where there is none.

    `registered` are the places where the seller collects, `home` is the seller's; a `business` elsewhere in the union
    owes the tax itself. What is contained in an `inclusive` amount is told so that all shares sum to it exactly.
    """
    levies = _PLACES.get(place, ())
    _, exempt, reduced = CODES[code]
    reason = None
    if override == "customer_exempt":
        reason = "customer_exempt"
    elif override == "reverse_charge":
        reason = "reverse_charge"
    elif place not in registered:
        reason = "not_collecting"
    elif business and place in _UNION and home != place:
        reason = "reverse_charge"
    elif not levies:
        reason = "not_subject_to_tax"
    elif place in exempt:
        reason = "product_exempt"
    if reason is not None:
        shown = levies or (Levy(level="country", name=place[:2], kind="sales_tax", percent=Decimal(0)),)
        return [Part(levy=_free(levy), amount=0, taxable=0, reason=reason) for levy in shown[:1]]
    if place in reduced:
        levies = tuple(
            Levy(level=levy.level, name=levy.name, kind=levy.kind, percent=Decimal(reduced[place])) for levy in levies
        )
    return _shares(
        amount, levies, "reduced_rated" if place in reduced else "standard_rated", inclusive=inclusive, unit=unit
    )


def _shares(amount: int, levies: Sequence[Levy], reason: str, *, inclusive: bool, unit: int) -> list[Part]:
    percent = sum((levy.percent for levy in levies), Decimal(0))
    if not inclusive:
        return [
            Part(levy=levy, amount=rounded(amount * levy.percent / 100, unit), taxable=amount, reason=reason)
            for levy in levies
        ]
    net = rounded(Decimal(amount) * 100 / (100 + percent), unit)
    parts: list[Part] = []
    so_far, given = Decimal(0), 0
    for levy in levies:
        so_far += levy.percent
        share = rounded((amount - net) * so_far / percent, unit) - given
        given += share
        parts.append(Part(levy=levy, amount=share, taxable=net, reason=reason))
    return parts


def _free(levy: Levy) -> Levy:
    return Levy(level=levy.level, name=levy.name, kind=levy.kind, percent=Decimal(0))
