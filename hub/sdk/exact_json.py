"""JSON in which no number loses a digit: decimals are read as `Decimal` and written as they are."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from hub.errors import FixData

#: Deeper documents are refused before they can exhaust the stack.
MAX_DEPTH = 200


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if abs(number.adjusted()) > 400:
        raise InvalidOperation(text)
    return number


_decoder = msgspec.json.Decoder(float_hook=_decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def loads(body: bytes | str) -> Any:
    """Read JSON with exact numbers (int or Decimal); `FixData` names the place of a mistake."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, InvalidOperation, RecursionError, UnicodeDecodeError) as error:
        raise FixData("This is not readable JSON.", code="not-json", reason=str(error)[:200]) from None


def dumps(value: Any) -> bytes:
    """Write JSON; a Decimal becomes a number with all its digits."""
    return _encoder.encode(value)


def canonical(value: Any) -> bytes:
    """Write JSON with sorted keys, so that equal values give equal bytes (for hashes)."""
    return _canonical.encode(value)
