"""Read models as JSON answers: exact numbers, times in UTC."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from hub.sdk import exact_json


def answer(value: Any, *, status: int = 200) -> Response:
    """Give a read model (a dataclass of `hub.queries`, or plain JSON) as an answer."""
    return Response(exact_json.dumps(value), status_code=status, media_type="application/json")
