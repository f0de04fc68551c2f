"""Journal entries: written whole, and taken back by an entry whose debits and credits have changed places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.upserts import Kind, lines, picked, read, taking_back, upsert
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

KIND = Kind(
    record="journalEntry",
    called="journal entry",
    schema="netsuite.journal_entry@2026.1",
    sublists=("line",),
    needed=("line",),
)
_KEPT = "subsidiary currency exchangeRate tranDate approvalStatus department class location".split()
_LINE = "account entity memo department class location startDate endDate eliminate".split()


def opposite(_settings: NetSuiteSettings, record: Record) -> tuple[str, Mapping[str, Any]]:
    """Form the entry that takes a journal back, on the journal's own day; `FixData` when that cannot be said."""
    if record.get("reversalDate"):
        raise FixData("NetSuite reverses this journal by itself, on its reversal date.", code="reverses-itself")
    if not lines(record, "line"):
        raise FixData("To take a journal back takes the record as it was written.", code="no-lines")
    return "journalEntry", {
        **picked(record, _KEPT),
        "line": {"items": [swapped(line) for line in lines(record, "line")]},
    }


def swapped(line: Mapping[str, Any]) -> dict[str, Any]:
    """Give a journal's line with its debit as a credit and its credit as a debit."""
    sides = {"debit": line.get("credit"), "credit": line.get("debit")}
    return {**picked(line, _LINE), **{side: amount for side, amount in sides.items() if amount}}


UPSERT = upsert(KIND, name="journal_entry.upsert")
READ = read(KIND, name="journal_entry.read", title="Read a journal entry with its lines")
REVERSE = taking_back(
    name="journal_entry.reverse",
    title="Take a journal entry back with the opposite entry",
    input={"$ref": KIND.schema},
    made="Journal",
    form=opposite,
)
