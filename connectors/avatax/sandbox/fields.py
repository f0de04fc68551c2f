"""Reads single fields of a request whose keys are in lower case: texts, exact numbers, flags, days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.refusals import Refusal


def text(model: Mapping[str, Any], name: str, longest: int) -> str:
    """Read a text field, empty when it is left out; raises `Refusal`."""
    value = model.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refusal("ModelStateInvalid", f"The field {name} must be text.", refers_to=name)
    if len(value) > longest:
        raise Refusal("ModelStateInvalid", f"The field {name} may have at most {longest} characters.", refers_to=name)
    return value


def number(model: Mapping[str, Any], name: str, default: str = "0") -> Decimal:
    """Read an exact number; raises `Refusal`."""
    value = model.get(name)
    if value is None:
        return Decimal(default)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refusal("ModelStateInvalid", f"The field {name} must be a number.", refers_to=name)
    exact = Decimal(value)
    places = exact.as_tuple().exponent
    if exact.adjusted() > 15 or not isinstance(places, int) or places < -10 or len(exact.as_tuple().digits) > 19:
        raise Refusal("InvalidDecimalValue", f"The number in {name} has too many digits.", refers_to=name)
    return exact


def flag(model: Mapping[str, Any], name: str) -> bool:
    """Read a yes or no, no when it is left out; raises `Refusal`."""
    value = model.get(name)
    if not isinstance(value, bool | None):
        raise Refusal("ModelStateInvalid", f"The field {name} must be true or false.", refers_to=name)
    return bool(value)


def day(value: str, name: str) -> date:
    """Read a day, whatever time stands behind it; raises `Refusal`."""
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise Refusal("ModelStateInvalid", f"The {name} field is required, as yyyy-MM-dd.", refers_to=name) from None
