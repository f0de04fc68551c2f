"""Currencies of the org: rates against the corporate one, by day where opportunities have rates of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_DATED = {"Opportunity": "CloseDate"}
#: Whose records keep the currency in which they were made.
_KEEPS = frozenset({"PricebookEntry"})
_OF_OPPORTUNITY = frozenset({"OpportunityLineItem"})


class Currencies:
    """Amounts in the corporate and in the user's currency; rates are units for one unit of the corporate currency."""

    def __init__(self, org: Org) -> None:
        """Begin with one currency."""
        self._org = org
        self.home = "USD"
        self._rates: dict[str, tuple[Decimal, int]] = {}
        #: Currency → (first day, rate), the latest first.
        self._dated: dict[str, list[tuple[str, Decimal]]] = {}

    def have_alone(self, code: str) -> None:
        """Give an org with one currency another one; raises `ValueError` where it has several."""
        if self._org.schema.multi_currency or len(code) != 3:
            raise ValueError(f"currency: {code!r} is not a code, or the org has several currencies")
        self.home = code
        self._tell_home()

    def set_up(self, said: Sequence[Mapping[str, Any]]) -> None:
        """Make the org one with several currencies; raises `ValueError` for rates that make no sense."""
        home = [one for one in said if one.get("IsCorporate")]
        if len(home) != 1 or Decimal(str(home[0].get("ConversionRate", 1))) != 1:
            raise ValueError("currencies: exactly one has IsCorporate, and its ConversionRate is 1")
        org = self._org
        self.home = str(home[0]["IsoCode"])
        org.schema.multi_currency = True
        for record in list(org.store.rows("CurrencyType")):
            org.store.remove("CurrencyType", record.id)
        for one in said:
            rate, places = Decimal(str(one.get("ConversionRate", 1))), int(one.get("DecimalPlaces", 2))
            if rate <= 0:
                raise ValueError(f"currencies: {one['IsoCode']} has no rate above zero")
            self._rates[str(one["IsoCode"])] = (rate, places)
            self._put("CurrencyType", {"IsActive": True, "IsCorporate": False, "DecimalPlaces": 2, **one}, rate)
        self.spread()

    def add_dated(self, said: Sequence[Mapping[str, Any]]) -> None:
        """Give currencies rates by day, which hold until the next one begins."""
        for one in said:
            rate = Decimal(str(one["ConversionRate"]))
            self._dated.setdefault(str(one["IsoCode"]), []).append((str(one["StartDate"]), rate))
            self._put("DatedConversionRate", dict(one), rate)
        for rates in self._dated.values():
            rates.sort(reverse=True)

    def _put(self, kind: str, values: dict[str, Any], rate: Decimal) -> None:
        org, found = self._org, self._org.schema.get(kind)
        org.put(found, org.ids.next(found.prefix), {**values, "ConversionRate": rate}, user=org.user_id, before=None)

    def spread(self) -> None:
        """Give every object its currency field, and every record that is there the corporate currency."""
        org = self._org
        said = {
            "name": "CurrencyIsoCode",
            "label": "Currency ISO Code",
            "type": "picklist",
            "length": 3,
            "restricted": True,
            "values": sorted(self._rates),
        }
        for kind in list(org.schema):
            if kind.currency:
                org.schema.put_field(kind.name, {**said, "updateable": kind.name not in _KEEPS}, now=org.now())
                for record in list(org.store.rows(kind.name)):
                    if record.get("CurrencyIsoCode") is None:
                        values = {**record.values, "CurrencyIsoCode": self.home}
                        org.put(kind, record.id, values, user=org.user_id, before=record, quiet=True)
        self._tell_home()

    def _tell_home(self) -> None:
        org = self._org
        organization = org.store.get(org.organization_id)
        if organization is not None:
            values = {**organization.values, "DefaultCurrencyIsoCode": self.home}
            kind = org.schema.get("Organization")
            org.put(kind, organization.id, values, user=org.user_id, before=organization)

    def corporate(self, amount: Decimal, code: str | None, record: Record | None) -> Decimal:
        """Give an amount in the corporate currency, rounded half up to its places."""
        rate = self._rate(code or self.home, record)
        return (amount / rate).quantize(self._unit(self.home), ROUND_HALF_UP)

    def of_user(self, amount: Decimal, code: str | None, record: Record) -> Decimal:
        """Give an amount in the currency of the user who asks."""
        wanted = self._org.user_currency
        if wanted == code:
            return amount
        converted = amount / self._rate(code or self.home, record) * self._rate(wanted, record)
        return converted.quantize(self._unit(wanted), ROUND_HALF_UP)

    def _unit(self, code: str) -> Decimal:
        return Decimal(1).scaleb(-self._rates.get(code, (Decimal(1), 2))[1])

    def _rate(self, code: str, record: Record | None) -> Decimal:
        """Give the rate that applies: for opportunities and their products that of the close date."""
        day = self._day(record)
        if day is not None:
            for begin, rate in self._dated.get(code, ()):
                if begin <= day:
                    return rate
        return self._rates.get(code, (Decimal(1), 2))[0]

    def _day(self, record: Record | None) -> str | None:
        if record is None or not self._dated:
            return None
        if record.kind in _OF_OPPORTUNITY:
            record = self._org.store.get(record.get("OpportunityId")) or record
        name = _DATED.get(record.kind)
        return record.get(name) if name else None
