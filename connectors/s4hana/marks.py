"""The hub's mark on what it makes: the effect's key in the few signs that SAP's reference fields have."""

from __future__ import annotations

import base64
import hashlib

from hub.sdk.values import EffectKey

#: What keys have of codes, which are never filled up: the company codes 0100 and 100 are two.
_CODES = frozenset(
    {
        "BusinessPartnerRole",
        "ChartOfAccounts",
        "CompanyCode",
        "DistributionChannel",
        "Division",
        "FiscalYear",
        "PartnerFunction",
        "ProductDistributionChnl",
        "ProductSalesOrg",
        "SalesOrganization",
    }
)
#: Reference1InDocumentHeader and SearchTerm2 have 20 places, AssignmentReference 18.
REFERENCE, ASSIGNMENT = 20, 18


def mark(key: EffectKey, length: int = REFERENCE) -> str:
    """Give a key's mark: capital letters and digits alone, since SAP writes many such fields in capitals.

    20 signs tell 2^100 writes apart, 18 signs 2^90.
    """
    return base64.b32encode(hashlib.sha256(key.encode()).digest()).decode()[:length]


def number(text: object) -> str:
    """Give a document's or partner's number without leading zeros, which SAP shows in some services only."""
    told = str(text)
    return (told.lstrip("0") or told[-1:]) if told.isdigit() else told


def key_part(name: str, value: object) -> str:
    """Give a part of a key in one form, by its property's name: a number without leading zeros, a code as it is."""
    return str(value) if name in _CODES else number(value)


def named(company: str, year: str, document: str) -> str:
    """Give a document's whole name in one text: `1010/2026/1800000000`. Its number alone comes again each year."""
    return f"{company}/{year}/{number(document)}"


def padded(text: object, length: int = 10) -> str:
    """Give a number with leading zeros, as SOAP services want it; what has letters stays as it is."""
    told = str(text)
    return told.zfill(length) if told.isascii() and told.isdigit() else told
