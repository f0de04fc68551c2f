"""Forms as browsers send them: small, urlencoded, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from hub.errors import FixData

#: No form of the console is larger, unless its door says so.
MAX_BODY = 64 * 1024
_MAX_FIELDS = 100
_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request, most: int = MAX_BODY) -> Mapping[str, str]:
    """Give the fields of a form, the last value of each; raises `FixData` for anything that is not one."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise FixData("The console takes forms only.", code="not-a-form")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise FixData("The form is too large.", code="form-too-large", limit=most)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise FixData("The form cannot be read.", code="form-unreadable") from None
    return dict(pairs)
