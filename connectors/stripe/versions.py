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
#: Objects that have a series of schemas; others travel without one.
KINDS = frozenset({"credit_note", "customer", "invoice", "invoice_payment", "invoiceitem"})
#: Objects from which no release took anything that must be there: the newest schema describes them in all of them.
STEADY = frozenset(
    {
        "balance_transaction",
        "charge",
        "dispute",
        "payment_intent",
        "payout",
        "refund",
        "tax.calculation",
        "tax.transaction",
    }
)
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
    if not isinstance(kind, str) or kind not in KINDS | STEADY:
        return None
    return f"stripe.{kind}@{_of(kind, version) if isinstance(version, str) else UNKNOWN}"


def pinned(kind: str) -> Callable[[Any], str]:
    """Give what tells the schema of an object as a connection sees it that is pinned to a version."""
    return lambda settings: f"stripe.{kind}@{_of(kind, settings.api_version)}"


def _of(kind: str, version: str) -> str:
    return NEWEST if kind in STEADY and release_of(version) is not None else schema_version(version)
