"""JSON for sandboxes in which no number becomes a float: `Decimal` in, every digit out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def loads(body: bytes | str) -> Any:
    """Read JSON with int and `Decimal` numbers; raises `ValueError` for anything else."""
    return _decoder.decode(body)


def dumps(value: Any) -> bytes:
    """Write compact JSON; a `Decimal` becomes a number with all its digits."""
    return _encoder.encode(value)


def json_answer(
    value: Any,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=dumps(value), status=status, headers=headers, content_type=content_type)
