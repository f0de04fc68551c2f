"""What goes wrong, how often, and where: plans for the sandboxes by profile, and gusts that pass.

Rates draw by chance; an entry with `times` makes sure that its kind strikes however small the demo is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Plan = Sequence[Mapping[str, Any]]

_RECORD = r"^/services/rest/record/v1/(invoice|customerPayment)\b"
_SUITEQL = r"^/services/rest/query/v1/suiteql"
_RESTLET = r"^/app/site/hosting/restlet\.nl"
_TAX = r"^/api/v2/"
_CREATE_TAX = r"^/api/v2/transactions/create"
_INVOICES = r"^/v1/invoices/"
_ORG = r"^/services/data/v[0-9.]+/(sobjects|query|composite)"
_STANDING = r"^/services/data/v[0-9.]+/sobjects/(Invoice__c|Contract)/"
_SOLD = r"^/v1/(customers|products|prices|subscriptions|subscription_items)\b"
_ORDERED = r"^/services/rest/record/v1/(customer|salesOrder|\w*[iI]tem)/"
_QUERY = r"^/services/data/v[0-9.]+/query"
_JOURNAL = r"^/sap/bc/srt/scs_ext/sap/journalentry"
_ODATA = r"^/sap/opu/odata/sap/"
_PARTNERS = r"API_BUSINESS_PARTNER/A_BusinessPartner"
_SOLD_THERE = r"/API_(PRODUCT|SALES_ORDER)_SRV/"


class Profile(StrEnum):
    """How rough it gets."""

    NONE = "none"
    STANDARD = "standard"
    STORM = "storm"


def _fault(kind: str, *, path: str | None = None, method: str | None = None, **how: Any) -> dict[str, Any]:
    match = {name: value for name, value in (("path", path), ("method", method)) if value is not None}
    return {"kind": kind, **({"match": match} if match else {}), **how}


def _sure(kind: str, rate: float, *, path: str, method: str | None = None, **how: Any) -> list[dict[str, Any]]:
    """Strike once for certain, a little after the start, and then by chance."""
    return [
        _fault(kind, path=path, method=method, times=1, **{"from": 0.5}, **how),
        _fault(kind, path=path, method=method, rate=rate, **how),
    ]


_STRIPE_STORM: Plan = (
    _fault("webhook_duplicate", rate=0.10, seconds=3),
    _fault("webhook_shuffle", rate=0.10, seconds=2),
    *_sure("webhook_malformed", 0.02, path=r"."),
    *_sure("webhook_torn", 0.01, path=r"."),
    *_sure("webhook_lost", 0.01, path=r"."),
    *_sure("429", 0.03, path=_INVOICES),
    *_sure("lock_timeout", 0.02, path=_INVOICES, method="POST"),
    *_sure("500", 0.02, path=_INVOICES, method="GET"),
    *_sure("503", 0.01, path=_INVOICES),
    *_sure("reset_before", 0.01, path=_INVOICES),
    *_sure("slow", 0.03, path=_INVOICES, seconds=0.4),
    *_sure("malformed_body", 0.02, path=_INVOICES),
    *_sure("timeout_after_commit", 0.01, path=_INVOICES, method="POST"),
    *_sure("reset_after_commit", 0.03, path=_INVOICES, method="POST"),
)

#: Together the three let 30 % of the writes go unanswered; each entry is asked after the one before it.
_NETSUITE_STORM: Plan = (
    *_sure("reset_after_commit", 0.25, path=_RECORD),
    *_sure("timeout_after_commit", 0.07, path=_RECORD),
    *_sure("500_after_commit", 0.02, path=_RECORD),
    *_sure("429", 0.02, path=_RECORD),
    *_sure("503", 0.02, path=_RECORD),
    *_sure("500", 0.01, path=_RECORD),
    *_sure("reset_before", 0.01, path=_RECORD),
    *_sure("slow", 0.02, path=_RECORD, seconds=0.3),
    *_sure("malformed_body", 0.02, path=_RECORD, method="GET"),
    *_sure("malformed_body", 0.02, path=_SUITEQL),
)

_TAX_STORM: Plan = (
    *_sure("timeout_after_commit", 0.02, path=_CREATE_TAX),
    *_sure("reset_after_commit", 0.06, path=_CREATE_TAX),
    *_sure("429", 0.02, path=_TAX),
    *_sure("500", 0.02, path=_TAX),
    *_sure("503", 0.01, path=_TAX),
    *_sure("reset_before", 0.01, path=_TAX),
    *_sure("slow", 0.03, path=_TAX, seconds=0.3),
    *_sure("malformed_body", 0.02, path=_TAX),
)

#: Salesforce knows no 429; a gateway before it answers with a page, and a record that somebody else holds is refused.
_SALESFORCE_STORM: Plan = (
    *_sure("unable_to_lock_row", 0.05, path=_STANDING, method="PATCH"),
    *_sure("reset_after_commit", 0.10, path=_STANDING, method="PATCH"),
    *_sure("timeout_after_commit", 0.03, path=_STANDING, method="PATCH"),
    *_sure("500_after_commit", 0.02, path=_STANDING, method="PATCH"),
    *_sure("query_timeout", 0.02, path=_QUERY),
    *_sure("gateway_html", 0.01, path=_ORG),
    *_sure("503", 0.01, path=_ORG),
    *_sure("500", 0.01, path=_ORG),
    *_sure("reset_before", 0.01, path=_ORG),
    *_sure("slow", 0.02, path=_ORG, seconds=0.3),
    *_sure("malformed_body", 0.02, path=_ORG, method="GET"),
)

#: An entry is posted as often as its message comes, so that what goes unanswered after it was done weighs most here.
_S4HANA_STORM: Plan = (
    *_sure("reset_after_commit", 0.20, path=_JOURNAL),
    *_sure("timeout_after_commit", 0.05, path=_JOURNAL),
    *_sure("500_after_commit", 0.02, path=_JOURNAL),
    *_sure("429", 0.02, path=_JOURNAL),
    *_sure("503", 0.02, path=_JOURNAL),
    *_sure("500", 0.01, path=_JOURNAL),
    *_sure("reset_before", 0.01, path=_JOURNAL),
    *_sure("slow", 0.02, path=_JOURNAL, seconds=0.3),
    *_sure("malformed_body", 0.02, path=_ODATA, method="GET"),
    *_sure("csrf_lost", 0.05, path=_PARTNERS),
    *_sure("locked", 0.05, path=_PARTNERS),
    *_sure("reset_after_commit", 0.15, path=_PARTNERS, method="POST"),
)

#: Master data and contracts, which come to it with a CRM.
_FURTHER: Mapping[str, Plan] = {
    "stripe": (
        *_sure("reset_after_commit", 0.10, path=_SOLD, method="POST"),
        *_sure("timeout_after_commit", 0.03, path=_SOLD, method="POST"),
        *_sure("500", 0.02, path=_SOLD, method="GET"),
    ),
    "netsuite": (
        *_sure("reset_after_commit", 0.15, path=_ORDERED, method="PUT"),
        *_sure("timeout_after_commit", 0.03, path=_ORDERED, method="PUT"),
        *_sure("500_after_commit", 0.02, path=_ORDERED, method="PUT"),
        *_sure("503", 0.02, path=_ORDERED),
    ),
    "s4hana": (
        *_sure("reset_after_commit", 0.15, path=_SOLD_THERE, method="POST"),
        *_sure("timeout_after_commit", 0.03, path=_SOLD_THERE, method="POST"),
        *_sure("csrf_lost", 0.05, path=_SOLD_THERE),
        *_sure("locked", 0.05, path=_SOLD_THERE),
        *_sure("503", 0.02, path=_SOLD_THERE),
    ),
}

_PLANS: Mapping[Profile, Mapping[str, Plan]] = {
    Profile.NONE: {"stripe": (), "netsuite": (), "tax": (), "salesforce": (), "s4hana": ()},
    Profile.STANDARD: {
        "stripe": (
            _fault("webhook_duplicate", rate=0.05, seconds=2),
            _fault("webhook_shuffle", rate=0.05, seconds=1),
            _fault("429", path=_INVOICES, rate=0.01),
            _fault("500", path=_INVOICES, method="GET", rate=0.01),
        ),
        "netsuite": (
            _fault("reset_after_commit", path=_RECORD, rate=0.05),
            _fault("timeout_after_commit", path=_RECORD, rate=0.02),
            _fault("503", path=_RECORD, rate=0.01),
            _fault("slow", path=_RECORD, rate=0.02, seconds=0.3),
        ),
        "tax": (
            _fault("reset_after_commit", path=_CREATE_TAX, rate=0.02),
            _fault("503", path=_TAX, rate=0.01),
        ),
        "salesforce": (
            _fault("unable_to_lock_row", path=_STANDING, method="PATCH", rate=0.02),
            _fault("reset_after_commit", path=_STANDING, method="PATCH", rate=0.05),
            _fault("query_timeout", path=_QUERY, rate=0.01),
            _fault("503", path=_ORG, rate=0.01),
        ),
        "s4hana": (
            _fault("reset_after_commit", path=_JOURNAL, rate=0.05),
            _fault("timeout_after_commit", path=_JOURNAL, rate=0.02),
            _fault("503", path=_JOURNAL, rate=0.01),
            _fault("locked", path=_PARTNERS, rate=0.03),
            _fault("csrf_lost", path=_PARTNERS, rate=0.03),
        ),
    },
    Profile.STORM: {
        "stripe": _STRIPE_STORM,
        "netsuite": _NETSUITE_STORM,
        "tax": _TAX_STORM,
        "salesforce": _SALESFORCE_STORM,
        "s4hana": _S4HANA_STORM,
    },
}


def plan(profile: Profile, vendor: str, *, further: bool = False) -> Plan:
    """Give what goes wrong at a vendor all the time; with `further` also at what comes to it with a CRM."""
    more = _FURTHER.get(vendor, ()) if further and profile is Profile.STORM else ()
    return [*_PLANS[profile][vendor], *more]


def timeouts(percent: int, vendor: str) -> Plan:
    """Let so many in a hundred writes time out at a vendor after they were done, and nothing else go wrong."""
    written = {"stripe": (_INVOICES, "POST"), "netsuite": (_RECORD, None), "tax": (_CREATE_TAX, None)}
    path, method = written[vendor]
    return [_fault("timeout_after_commit", path=path, method=method, rate=percent / 100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gust:
    """Something that strikes every request for some seconds and passes."""

    vendor: str
    kind: str
    seconds: float

    def entry(self) -> dict[str, Any]:
        """Give it as an entry that comes before all others."""
        if self.kind == "outage":
            # Long enough for whoever ends it; half of the requests meet no server at all, half a gateway's 503.
            return _fault("outage", answer="mixed")
        return _fault(self.kind, rate=0.8, path=_PATHS[self.vendor], retry_after=1)


_PATHS = {
    "stripe": _INVOICES,
    "netsuite": r"^/services/rest/(record|query)/",
    "tax": _TAX,
    "s4hana": f"{_JOURNAL}|{_ODATA}",
}

#: What passes over a storm: a vendor is away for two seconds, or refuses most requests.
OUTAGES = tuple(Gust(vendor=vendor, kind="outage", seconds=2.0) for vendor in ("stripe", "tax", "netsuite"))
REFUSALS = tuple(Gust(vendor=vendor, kind="429", seconds=1.5) for vendor in ("netsuite", "stripe"))
#: What comes to it with a CRM and a second ERP: sessions that all end, and calls that are too many at once, too.
SESSIONS, TOO_MANY = "sessions_ended", "too_many_at_once"
FURTHER = (
    Gust(vendor="salesforce", kind="outage", seconds=2.0),
    Gust(vendor="s4hana", kind=SESSIONS, seconds=0.0),
    Gust(vendor="s4hana", kind="429", seconds=1.5),
    Gust(vendor="salesforce", kind=SESSIONS, seconds=0.0),
    Gust(vendor="s4hana", kind="outage", seconds=2.0),
    Gust(vendor="salesforce", kind=TOO_MANY, seconds=1.5),
)


def silent_notices(numbers: Sequence[str]) -> Plan:
    """Let the notice script run for these invoices, and lose its answer once."""
    return [
        {"kind": "reset_after_commit", "times": 1, "match": {"path": _RESTLET, "body": re.escape(f'"{number}"')}}
        for number in numbers
    ]


def expected_kinds(profile: Profile, vendor: str, gusts: Sequence[Gust]) -> frozenset[str]:
    """Name the kinds that must have struck at a vendor by the end."""
    return frozenset(
        [str(entry["kind"]) for entry in plan(profile, vendor)] + [gust.kind for gust in gusts if gust.vendor == vendor]
    )


def by_kind(injected: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Sum over the vendors."""
    summed: Counter[str] = Counter()
    for counts in injected.values():
        summed.update(counts)
    return dict(sorted(summed.items()))
