"""Stripe's API versions: the release that a version belongs to, and the name of what its objects look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

#: Release → the version of the schemas that describe it. Each month a version named after a release adds to it
#: (`2025-10-29.clover`), so that its release's schemas hold. Dahlia took nothing from these objects, and endive only
#: added what nobody need give: endive's schemas describe both.
RELEASES: Mapping[str, str] = {
    "acacia": "2024-09-30",
    "basil": "2025-03-31",
    "clover": "2025-09-30",
    "dahlia": "2026-09-30",
    "endive": "2026-09-30",
}
NEWEST = RELEASES["endive"]
#: Objects that have schemas of each release; those of the two sets below need fewer, and others travel without any.
KINDS = frozenset({"credit_note", "customer", "invoice", "invoice_payment", "invoiceitem"})
#: Objects from which basil alone took something: one schema is of acacia, and the newest describes all releases since.
SETTLED = frozenset({"charge", "payment_intent", "price", "subscription"})
#: Objects from which no release took anything that must be there: the newest schema describes them in all of them.
STEADY = frozenset(
    {
        "balance_transaction",
        "billing.meter",
        "dispute",
        "payout",
        "product",
        "refund",
        "subscription_item",
        "tax.calculation",
        "tax.transaction",
    }
)
#: Objects whose events and reads claim a schema.
DESCRIBED = KINDS | SETTLED | STEADY
#: What the schema of an object is called whose event names no version.
UNKNOWN = "unknown"
_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.([a-z]+))?")
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


def release_of(version: str) -> str | None:
    """Give the release that a version belongs to (`clover` for `2025-10-29.clover`); None for one that is not known."""
    match = _VERSION.fullmatch(version)
    return match[2] if match is not None and match[2] in RELEASES else None


def schema_version(version: str) -> str:
    """Give the version of the schemas for an API version; one that is not known stands for itself.

    Of a release that is not known yet, the date says all; a preview is another shape than the release of its date.
    """
    release = release_of(version)
    if release is not None:
        return RELEASES[release]
    match = _VERSION.fullmatch(version)
    if match is not None and match[2] != "preview":
        return match[1]
    return _ODD.sub("-", version)[:40] or UNKNOWN


def claimed_schema(kind: Any, version: Any) -> str | None:
    """Give the schema that an event claims for its object: never None for an object that has a series."""
    if not isinstance(kind, str) or kind not in DESCRIBED:
        return None
    return f"stripe.{kind}@{schema_of(kind, version) if isinstance(version, str) else UNKNOWN}"


def pinned(kind: str) -> Callable[[Any], str]:
    """Give what tells the schema of an object as a connection sees it that is pinned to a version."""
    return lambda settings: f"stripe.{kind}@{schema_of(kind, settings.api_version)}"


def schema_of(kind: str, version: str) -> str:
    """Give the version of the schema that describes an object of a kind as an API version shows it."""
    release = release_of(version)
    newest = kind in STEADY or (kind in SETTLED and release != "acacia")
    return NEWEST if newest and release is not None else schema_version(version)
