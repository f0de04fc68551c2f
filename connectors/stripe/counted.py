"""Counting in the books of the sandbox what a sample has left there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any


def updates(books: Mapping[str, Any], kind: str, identifier: str) -> int:
    """Count how often the vendor recorded a change of an object."""
    return sum(event["type"] == kind and event["object"] == identifier for event in books["events"])


def named(kind: str, field: str, value: Any) -> Callable[[Mapping[str, Any]], int]:
    """Count the objects of a kind in the books whose field has a value."""
    return lambda books: sum(one[field] == value for one in books[kind])


def counts(*values: str) -> Callable[[Mapping[str, Any]], int]:
    """Count how often the meters have counted each of these values; 0 where it is not as often as the others."""

    def documents(books: Mapping[str, Any]) -> int:
        found = {sum(one["value"] == Decimal(value) for one in books["usage"]) for value in values}
        return max(found) if len(found) == 1 or max(found) > 1 else 0

    return documents


def told(kind: str, identifier: str) -> Callable[[Mapping[str, Any]], int]:
    """Count how often the vendor told of something that happened to an object."""
    return lambda books: updates(books, kind, identifier)


def charged(identifier: str) -> Callable[[Mapping[str, Any]], int]:
    """Count the charges that have paid for an invoice."""

    def documents(books: Mapping[str, Any]) -> int:
        payments = next(one["payments"] for one in books["invoices"] if one["id"] == identifier)
        intents = {payment["payment"].get("payment_intent") for payment in payments}
        return sum(
            charge["status"] == "succeeded" and charge["payment_intent"] in intents for charge in books["charges"]
        )

    return documents
