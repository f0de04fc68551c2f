"""Credit memos: the whole target state with what it settles, and the invoice that takes one back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.netsuite.client import sublists
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.upserts import Kind, find, lines, picked, read, taking_back, upsert
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

KIND = Kind(
    record="creditMemo",
    called="credit memo",
    schema="netsuite.credit_memo@2026.1",
    sublists=("item", "taxDetails", "apply"),
    needed=("item",),
)
_CHARGED_AGAIN = (
    "entity subsidiary currency exchangeRate tranDate account department class location otherRefNum discountItem "
    "discountRate taxDetailsOverride item taxDetails"
).split()


def charged_again(_settings: NetSuiteSettings, record: Record) -> tuple[str, Mapping[str, Any]]:
    """Form the invoice of a credit memo's lines, as it was written; `FixData` when it has none."""
    if not lines(record, "item"):
        raise FixData("To charge a credit memo again takes the record as it was written.", code="no-lines")
    return "invoice", sublists(picked(record, _CHARGED_AGAIN), "item", "taxDetails")


UPSERT = upsert(KIND, name="credit_memo.upsert")
READ = read(KIND, name="credit_memo.read", title="Read a credit memo with its lines and applications")
FIND = find(KIND, name="credit_memo.find")
REVERSE = taking_back(
    name="credit_memo.reverse",
    title="Charge a credit memo's lines again with an invoice",
    input={"$ref": KIND.schema},
    made="CustInvc",
    form=charged_again,
)
