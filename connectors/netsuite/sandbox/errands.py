"""One request to the record service, as it came over the wire or as a job carries it out later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote

from aiohttp import web

#: Where the record service begins.
RECORDS = "/services/rest/record/v1"
#: What the service's own bodies are called.
RESOURCE = "application/vnd.oracle.resource+json"


@dataclass(slots=True, kw_only=True)
class Errand:
    """What is asked: method, the decoded parts of the address below the service, query, headers and body.

    The names of headers are lower-case; `marker` names the business object once it is known, for the request log.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    marker: str = ""

    @property
    def media(self) -> tuple[str, str]:
        """Give the body's media type, and its `type` parameter (`singular`, `collection`)."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        kind = message.get_param("type", "")
        return message.get_content_type(), kind if isinstance(kind, str) else ""

    @property
    def preferences(self) -> frozenset[str]:
        """Give what the `Prefer` header asks for."""
        return frozenset(part.strip().lower() for part in self.headers.get("prefer", "").split(",") if part.strip())


async def errand_of(request: web.Request) -> Errand:
    """Read a request that came over the wire."""
    below = request.rel_url.raw_path.removeprefix(RECORDS).strip("/")
    return Errand(
        method=request.method,
        path=tuple(unquote(part) for part in below.split("/")) if below else (),
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
    )
