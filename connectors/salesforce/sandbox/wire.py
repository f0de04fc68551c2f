"""One call below `/services/data/vXX.X` and its reply, and the table that leads from the first to the second.

Calls are values, so that a composite request makes them as a client does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from connectors.salesforce.sandbox.refusals import Refusal, missing_resource
from connectors.salesforce.sandbox.values import Double, write_number
from hub.sandbox.exact_json import loads

#: The oldest version that still answers, and the one that is now.
OLDEST, NEWEST = 31, 68


def _hook(value: object) -> msgspec.Raw:
    if isinstance(value, Double):
        return msgspec.Raw(write_number(value).encode())
    raise NotImplementedError(type(value))


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_hook)


def dumps(value: Any) -> bytes:
    """Write JSON, with numbers as Salesforce writes them: `1234567.0`, but `1.2345678E7`."""
    return _encoder.encode(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked: `path` is still percent-encoded and begins behind the version; `given` is a body read before.

    Names of headers are in small letters; `user` is the id of who is signed in.
    """

    method: str
    path: str
    version: int
    query: Mapping[str, str]
    headers: Mapping[str, str]
    user: str
    body: bytes = b""
    given: Any = None

    @property
    def base(self) -> str:
        """Give the address that everything of this version is below."""
        return f"/services/data/v{self.version}.0"

    def json(self) -> Any:
        """Read the body; refuses what is no JSON."""
        if self.given is not None:
            return self.given
        kind = self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind not in ("application/json", ""):
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", f"Content type {kind} not supported", status=415)
        try:
            return loads(self.body)
        except ValueError as error:
            raise Refusal("JSON_PARSER_ERROR", f"Unexpected character: {error}") from error

    def object(self) -> dict[str, Any]:
        """Read the body as a JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise Refusal("JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered: a JSON `body`, or `text` of its own kind, or nothing at all."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: bytes | None = None
    content_type: str = "application/json"


Handler = Callable[..., Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address and method; names in braces stand for one part of the path and are given to the handler."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Router:
    """All addresses of the org's REST API."""

    def __init__(self) -> None:
        """Start empty."""
        self._routes: list[Route] = []

    def add(self, method: str, address: str, handler: Handler) -> None:
        """Add an address below the version, such as `/sobjects/{name}/describe`."""
        pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(address)), re.IGNORECASE)
        self._routes.append(Route(method=method, pattern=pattern, handler=handler))

    def dispatch(self, call: Call) -> Reply:
        """Answer a call; raises `Refusal`."""
        path = call.path.rstrip("/")
        allowed: list[str] = []
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match is None:
                continue
            if route.method == call.method or (call.method == "HEAD" and route.method == "GET"):
                return route.handler(call, **{name: unquote(value) for name, value in match.groupdict().items()})
            allowed.append(route.method)
        if allowed:
            raise Refusal(
                "METHOD_NOT_ALLOWED",
                f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(sorted(set(allowed)))}",
                status=405,
                headers={"Allow": ",".join(sorted(set(allowed)))},
            )
        raise missing_resource()


def split_url(url: str) -> tuple[int, str, dict[str, str]]:
    """Cut the address of a subrequest into version, path and parameters; refuses what is not below a version."""
    path, _, query = url.partition("?")
    found = re.fullmatch(r"/?(?:services/data/)?v(\d+)\.0(/.*)?", path)
    if found is None:
        raise missing_resource()
    return int(found[1]), found[2] or "", dict(parse_qsl(query, keep_blank_values=True))
