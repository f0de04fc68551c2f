"""Tax overrides: a day whose rates apply, or the tax as somebody else found it, of a document or of its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.fields import day, number, text
from connectors.avatax.sandbox.refusals import Refusal

#: The types that need no right of their own; under another the account may override nothing.
_TYPES = {"none": "None", "taxamount": "TaxAmount", "taxdate": "TaxDate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a document or a line asks for; `amount` is the tax of a `TaxAmount`, `day` the day whose rates apply."""

    type: str
    amount: Decimal | None = None
    day: date | None = None
    reason: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """Give it as answers tell it."""
        return {
            "taxOverrideType": self.type,
            "taxOverrideAmount": 0 if self.amount is None else self.amount,
            "taxOverrideReason": self.reason,
        }


NOTHING = Override(type="None")


def read_override(model: Any, where: str) -> Override:
    """Read the override of a document or a line (`where`), `NOTHING` when there is none; raises `Refusal`."""
    if model is None:
        return NOTHING
    if not isinstance(model, dict):
        raise Refusal("ModelStateInvalid", "The tax override must be an object.", refers_to=where)
    kind = _TYPES.get(text(model, "type", 30).lower() or "none")
    if kind is None:
        raise Refusal("GetTaxError", "This account may not override taxes so.", refers_to=f"{where}.type")
    if kind == "None":
        return NOTHING
    reason, told = text(model, "reason", 255), text(model, "taxdate", 30)
    if kind == "TaxDate":
        if not reason:
            raise Refusal("ModelStateInvalid", "A tax override needs a reason.", refers_to=f"{where}.reason")
        return Override(type=kind, day=day(told, f"{where}.taxDate"), reason=reason)
    if model.get("taxamount") is None:
        raise Refusal("ModelStateInvalid", "The taxAmount field is required.", refers_to=f"{where}.taxAmount")
    return Override(
        type=kind,
        amount=number(model, "taxamount"),
        day=day(told, f"{where}.taxDate") if told else None,
        reason=reason,
    )


def refuse_both(whole: Override, lines: Sequence[Override]) -> None:
    """Refuse an override of the document beside one of a line: it must be one or the other."""
    if whole is not NOTHING and any(line is not NOTHING for line in lines):
        raise Refusal(
            "GetTaxError",
            "The tax could not be calculated.",
            description="A tax override stands on the document or on its lines, not on both.",
            refers_to="taxOverride",
        )
