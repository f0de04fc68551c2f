"""How each attempt is signed: by the communication user or a bearer token, and writes by a CSRF token with its session.

Gateway takes a write only with a token that it gave to the same session before. The session is the connection's own: a
token and its cookies are fetched once, by one caller while the others wait, and once more after Gateway has refused
them. Neither is ever part of a recorded request.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.auth import Authorizer, BearerToken, FixedHeaders, Send
from hub.sdk.errors import FixConnection, FixData, HubError, RetryLater
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import retry_after
from hub.sdk.values import Request, Response

_ODATA = "/sap/opu/"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF = "x-csrf-token"
HOST_ADVICE = "Set `base_url` to the tenant's API host, such as https://my300000-api.s4hana.cloud.sap."


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session at one host: the token that is bound to it, and its cookies as they are sent."""

    token: str
    cookies: str


def authorizer(settings: S4HanaSettings) -> Authorizer:
    """Make what signs the attempts of one connection."""
    inner: Authorizer = FixedHeaders({"authorization": basic(settings)})
    if settings.auth == "oauth2":
        inner = BearerToken(ask=lambda _: token_request(settings), read=read_token, refusal=token_refusal)
    return SessionLogin(inner, language=settings.language)


def basic(settings: S4HanaSettings) -> str:
    """Give the header of the communication user."""
    login = f"{settings.user}:{settings.password.get_secret_value()}".encode()
    return "Basic " + base64.b64encode(login).decode()


def token_request(settings: S4HanaSettings) -> Request:
    """Form the request for an access token of the communication user."""
    form = {"grant_type": "client_credentials", **({"scope": settings.scope} if settings.scope else {})}
    return Request(
        method="POST",
        url=settings.token_endpoint,
        headers={
            "authorization": basic(settings),
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        },
        body=urlencode(form).encode(),
    )


def read_token(response: Response) -> tuple[str, float]:
    """Read the token and its life in seconds."""
    try:
        answer = loads(response.body)
        return str(answer["access_token"]), float(str(answer["expires_in"]))
    except (FixData, KeyError, TypeError, ValueError):
        raise FixConnection(
            "What answers for the token endpoint is not SAP's.",
            code="wrong-host",
            advice=HOST_ADVICE,
            status=response.status,
        ) from None


def token_refusal(response: Response, now: datetime) -> HubError:
    """Say what a refused token request means."""
    if response.status in (408, 425, 499) or response.status >= 500:
        return RetryLater("The token endpoint is not available.", status=response.status)
    return FixConnection(
        "S/4HANA does not give a token for these credentials.",
        code="token-refused",
        advice="The communication arrangement must allow OAuth 2.0 with client credentials; else use `auth: basic`.",
        status=response.status,
    )


class SessionLogin:
    """Adds to what `inner` signs a session's token and cookies, where an OData request changes something."""

    def __init__(self, inner: Authorizer, *, language: str = "en") -> None:
        """Take what signs in; nothing is fetched yet."""
        self._inner = inner
        self._language = language
        self._session: Session | None = None
        self._lock = asyncio.Lock()
        self._failures = 0
        self._failure: HubError | None = None

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Sign one attempt, fetching a session when a write needs one."""
        signed = {**await self._inner.headers(request, send, now), "accept-language": self._language}
        if not needs_session(request):
            return signed
        session = self._session or await self._open(request, signed, send, now)
        return {**signed, CSRF: session.token, **({"cookie": session.cookies} if session.cookies else {})}

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Forget a session that Gateway refuses, or credentials as `inner` does."""
        ended = wants_token(response)
        # Of many writes that are refused at once, only the first finds its token still in use. Who has to sign in anew
        # gets another session as well.
        if (ended or response.status == 401) and self._session is not None and headers.get(CSRF) == self._session.token:
            self._session = None
        return CSRF in headers if ended else self._inner.refused(response, headers)

    async def _open(self, request: Request, signed: Mapping[str, str], send: Send, now: datetime) -> Session:
        """Fetch a session, or share in what came of the fetching that was under way."""
        failures = self._failures
        async with self._lock:
            if self._session is not None:
                return self._session
            if self._failures != failures and self._failure is not None:
                # Who waited for a fetching that failed does not try by itself: all would do so one after the other.
                raise copy(self._failure)
            try:
                self._session = await self._fetch(request, signed, send, now)
            except HubError as error:
                self._failures, self._failure = self._failures + 1, copy(error)
                raise
            return self._session

    async def _fetch(self, request: Request, signed: Mapping[str, str], send: Send, now: datetime) -> Session:
        answer = await _asked(send, fetching(request, "HEAD", signed))
        if answer.status == 401 and self._inner.refused(answer, signed):
            signed = {**await self._inner.headers(request, send, now), "accept-language": self._language}
            answer = await _asked(send, fetching(request, "HEAD", signed))
        if answer.status != 401 and not token_of(answer):
            answer = await _asked(send, fetching(request, "GET", signed))
        return read_session(answer)


def needs_session(request: Request) -> bool:
    """Tell whether Gateway wants a CSRF token for a request; SOAP services take none."""
    return request.method not in _READS and urlsplit(request.url).path.startswith(_ODATA)


def wants_token(response: Response) -> bool:
    """Tell whether Gateway refused a write for its token: nothing of it was done."""
    return response.status == 403 and response.headers.get(CSRF, "").strip().lower() == "required"


def fetching(request: Request, method: str, signed: Mapping[str, str]) -> Request:
    """Form the request that fetches a token, at the service that is about to be written to."""
    address = urlsplit(request.url)
    parts = address.path.split("/")
    # /sap/opu/odata/sap/SERVICE or /sap/opu/odata4/sap/GROUP/srvd_a2x/sap/SERVICE/VERSION
    depth = 10 if parts[3:4] == ["odata4"] else 6
    root = address._replace(path="/".join(parts[:depth]) + "/", query="", fragment="").geturl()
    return Request(method=method, url=root, headers={**signed, "accept": "application/json", CSRF: "Fetch"})


def read_session(answer: Response) -> Session:
    """Read a session; an error may bear a token as well, since it is the session that counts.

    Raises `FixConnection` when whoever answers gives none, and `RetryLater` when it cannot for now.
    """
    status, token = answer.status, token_of(answer)
    if token and status != 401:
        return Session(token=token, cookies=cookies_of(answer.headers.get("set-cookie", "")))
    after = retry_after(answer.headers)
    if status in (408, 425, 429, 499) or status >= 500:
        raise RetryLater("No CSRF token could be fetched.", after=after, status=status)
    if status == 401:
        raise FixConnection("S/4HANA refused the login.", code="login-refused", status=status)
    if status == 403:
        raise FixConnection("The communication user may not use this service.", code="not-authorised", status=status)
    raise FixConnection(
        "What answers gives no CSRF token, so it is not Gateway.", code="wrong-host", advice=HOST_ADVICE, status=status
    )


def token_of(answer: Response) -> str:
    """Give the token that an answer bears; empty where it bears none."""
    token = answer.headers.get(CSRF, "").strip()
    return "" if token.lower() in ("required", "fetch") or not token.isascii() else token


def cookies_of(lines: str) -> str:
    """Give the cookies of an answer (one a line) as they are sent back: names and values alone."""
    pairs = [line.partition(";")[0].strip() for line in lines.split("\n")]
    return "; ".join(pair for pair in pairs if "=" in pair)


async def _asked(send: Send, request: Request) -> Response:
    try:
        return await send(request)
    except FixConnection:
        # A certificate that does not hold, or a host that may not be reached, is not mended by waiting.
        raise
    except HubError as error:
        # No business write happened: whatever befell the fetching, trying again is safe.
        raise RetryLater("No CSRF token could be fetched.", reason=error.code) from error
