"""How the hub signs in: a signed assertion, client credentials, or a refresh token that Salesforce may replace.

The answer names the org and the host of every later call. Credentials are bound to the hosts of the settings, so an
answer that names another one ends the login instead of taking the token there. It does not say how long the token
lasts: a 401 does, and then one new login follows, by one caller while the others wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.answers import read_object
from hub.sdk.auth import Alone, Authorizer, BearerToken, Keep, Turn
from hub.sdk.errors import FixConnection, FixData, HubError, LimitKind, LimitReached, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import http_date
from hub.sdk.signing import signed_assertion
from hub.sdk.values import Request, Response

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Seconds an assertion is valid; Salesforce takes no more than three minutes.
ASSERTION_LIFE = 170
#: Near the life of an assertion a refusal is the clock's.
CLOCK_OFF = 120
#: Seconds that a token is used at the most, since no answer says how long it lasts.
TOKEN_LIFE = 86_400.0
HOST_ADVICE = (
    "Set `base_url` to the org's own host, as Setup > My Domain shows it, such as https://acme.my.salesforce.com."
)
#: A fresh token would be refused with these words too.
_HOPELESS = ("This session is not valid for use with the REST API", "Connected app is not attached to Agent")
_HOURS = 3600.0

#: What a refused login means: the error, a word of its description, the code, what is wrong, and what mends it.
_REFUSALS: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "invalid_grant",
        "approved this consumer",
        "app-not-approved",
        "The user may not use the app.",
        "In the app's policies let admin-approved users be pre-authorized, and give the app to the user's profile.",
    ),
    (
        "invalid_grant",
        "audience",
        "audience-refused",
        "The assertion is meant for another kind of org.",
        "Set `audience` to https://test.salesforce.com for a sandbox and to https://login.salesforce.com otherwise.",
    ),
    (
        "invalid_grant",
        "assertion",
        "assertion-refused",
        "Salesforce does not take the assertion.",
        "`private_key` must belong to the certificate of the app of `consumer_key`, and `username` to this org.",
    ),
    (
        "invalid_grant",
        "expired authorization code",
        "assertion-expired",
        "The assertion has expired on its way.",
        "Set this machine's clock by a time server.",
    ),
    (
        "invalid_grant",
        "refresh token",
        "refresh-token-ended",
        "The refresh token has ended or was revoked.",
        "Authorize the app once more, and store the new token as `refresh_token`.",
    ),
    (
        "invalid_grant",
        "inactive user",
        "user-inactive",
        "The user is not active.",
        "Let an administrator activate the user of `username`, or name another.",
    ),
    (
        "invalid_grant",
        "",
        "login-refused",
        "Salesforce refused the login.",
        "The user's login history in Setup tells why: login hours, IP ranges, or a frozen or locked user.",
    ),
    (
        "invalid_client_id",
        "",
        "client-refused",
        "Salesforce does not know the app.",
        "Compare `consumer_key` with the app's consumer key; a new app takes up to ten minutes until it is known.",
    ),
    (
        "invalid_client",
        "",
        "client-refused",
        "Salesforce does not take the app's credentials.",
        "Compare `consumer_key` and `consumer_secret` with the app's consumer details.",
    ),
    (
        "unsupported_grant_type",
        "",
        "flow-not-enabled",
        "The app does not allow this way of signing in.",
        "Enable it in the app's OAuth settings, or choose another in `auth`.",
    ),
    (
        "invalid_request",
        "",
        "login-not-complete",
        "Salesforce misses something in the login.",
        "Look whether `consumer_key` and what `auth` needs are filled in.",
    ),
    (
        "inactive_org",
        "",
        "account-inactive",
        "The org is not active.",
        "Ask Salesforce, or whoever owns the org, about its licence.",
    ),
)


def authorizer(settings: SalesforceSettings) -> Authorizer:
    """Make what signs the attempts of one connection."""
    return Login(settings)


class Login:
    """One session of an org, with a new login where it has ended."""

    def __init__(self, settings: SalesforceSettings) -> None:
        """Sign in nowhere yet."""
        self._settings = settings
        self._keep: Keep | None = None
        self._token = BearerToken(
            ask=lambda now: token_request(settings, now),
            read=lambda response: read_token(settings, response),
            refusal=token_refusal,
            renewed=self._renewed,
            ended=may_be_mended,
            lock=settings.learned.renewing,
            begin=self._begin,
        )

    def keep_with(self, keep: Keep) -> None:
        """Take what makes a renewed refresh token durable."""
        self._keep = keep

    def alone_with(self, alone: Alone) -> None:
        """Take what lets one process at a time use the refresh token; nothing else dies of being used."""
        if self._settings.auth == "refresh_token":
            self._token.alone = alone

    async def headers(self, request: Request, send: Any, now: datetime) -> Mapping[str, str]:
        """Give the bearer header, signing in where there is no session."""
        return await self._token.headers(request, send, now)

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Forget a session that has ended; True when a new login may help."""
        return self._token.refused(response, headers)

    def _begin(self, turn: Turn) -> None:
        """Sign in with the newest refresh token: another process may have used the one that is known here."""
        learned, stored = self._settings.learned, turn.stored.get("refresh_token")
        # What is not durable yet came after what is stored.
        if stored and not learned.unkept:
            learned.refresh_token = stored

    async def _renewed(self, response: Response) -> None:
        """Keep the refresh token that came in the place of the one that was used, which is dead now.

        It stands in memory first: where it cannot be made durable now, the next login uses it and tries once more.
        """
        learned, stored = self._settings.learned, self._settings.refresh_token.get_secret_value()
        given = read_object(response).get("refresh_token")
        if self._settings.auth != "refresh_token":
            return
        if isinstance(given, str) and given and given != (learned.refresh_token or stored):
            learned.used = (*learned.used, learned.refresh_token or stored)
            learned.refresh_token, learned.unkept = given, True
        if learned.unkept and learned.refresh_token is not None and self._keep is not None:
            for used in reversed(learned.used):
                await self._keep({"refresh_token": used}, {"refresh_token": learned.refresh_token})
            learned.used, learned.unkept = (), False


def token_request(settings: SalesforceSettings, now: datetime) -> Request:
    """Form the token request; raises `FixConnection` for a private key that cannot sign."""
    secret = settings.consumer_secret.get_secret_value()
    if settings.auth == "jwt":
        claims = {
            "iss": settings.consumer_key,
            "sub": settings.username,
            "aud": settings.assertion_audience,
            "exp": int(now.timestamp()) + ASSERTION_LIFE,
        }
        key = settings.private_key.get_secret_value()
        form = {
            "grant_type": JWT_BEARER,
            "assertion": signed_assertion(claims=claims, private_key_pem=key, algorithm="RS256"),
        }
    elif settings.auth == "client_credentials":
        form = {"grant_type": "client_credentials", "client_id": settings.consumer_key, "client_secret": secret}
    else:
        token = settings.learned.refresh_token or settings.refresh_token.get_secret_value()
        form = {"grant_type": "refresh_token", "client_id": settings.consumer_key, "refresh_token": token}
        # An app of the public kind has none.
        form |= {"client_secret": secret} if secret else {}
    return Request(
        method="POST",
        url=settings.token_url,
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        body=urlencode(form).encode(),
    )


def read_token(settings: SalesforceSettings, response: Response) -> tuple[str, float]:
    """Read the token, whose life is not told; raises `FixConnection` where it is for another host or another org."""
    try:
        answer = read_object(response)
        token, instance, identity = answer["access_token"], answer["instance_url"], str(answer.get("id", ""))
    except (OutcomeUnknown, KeyError):
        token, instance, identity = None, None, ""
    if response.status != 200 or not (isinstance(token, str) and token and isinstance(instance, str)):
        raise _elsewhere(settings, status=response.status)
    if _origin(instance) != _origin(settings.base_url):
        raise FixConnection(
            "The session belongs to another host than `base_url`.",
            code="wrong-host",
            advice=f"Set `base_url` to {instance[:200]}, if that is the org that is meant, and store the secret again.",
            host=instance[:200],
        )
    organization = organization_of(identity)
    if settings.organization_id and organization and not is_same_id(organization, settings.organization_id):
        raise FixConnection(
            "The session belongs to another org than `organization_id`.",
            code="wrong-account",
            advice="Let `organization_id` and the credentials belong to the same org.",
            account=organization,
            expected=settings.organization_id,
        )
    return token, TOKEN_LIFE


def token_refusal(response: Response, now: datetime) -> HubError:
    """Say what a refused login means; `now` is when the assertion was signed."""
    if response.status in (408, 420, 425, 499) or response.status >= 500:
        return RetryLater("The token endpoint is not available.", status=response.status)
    error, description = _told(response)
    facts: dict[str, Any] = {"status": response.status, "error": error, "reason": description}
    if error in ("rate_limit_exceeded", "login_rate_exceeded"):
        return LimitReached("Too many logins in an hour.", after=_HOURS, kind=LimitKind.RATE, **facts)
    if error == "server_error":
        return RetryLater("The token endpoint is not available.", **facts)
    seconds = _clock_off(response, now)
    if error == "invalid_grant" and seconds is not None:
        return FixConnection(
            "This machine's clock differs from Salesforce's by more than an assertion lives.",
            code="clock-off",
            advice="Set the clock by a time server.",
            seconds=round(seconds),
            **facts,
        )
    for known, word, code, told, advice in _REFUSALS:
        if error == known and word in description.lower():
            return FixConnection(told, code=code, advice=advice, **facts)
    if error:
        return FixConnection("Salesforce refused the login.", code="login-refused", **facts)
    return FixConnection(
        "What answers for the token endpoint is not Salesforce's.", code="wrong-host", advice=HOST_ADVICE, **facts
    )


def may_be_mended(response: Response) -> bool:
    """Tell whether a new login may mend a 401; some are about the user or the app, and would loop."""
    text = response.body[:4000].decode("utf-8", "replace")
    return not any(words in text for words in _HOPELESS)


def organization_of(identity: str) -> str:
    """Give the org's id out of the identity's address (`…/id/{org}/{user}`); nothing where there is none."""
    parts = urlsplit(identity).path.rstrip("/").split("/")
    return parts[-2] if len(parts) >= 2 and parts[-2].startswith("00D") else ""


def is_same_id(one: str, other: str) -> bool:
    """Tell whether two ids are of one record: the long form only adds to the short one what tells its cases apart."""
    return bool(one) and one[:15] == other[:15] and (len(one) != len(other) or one == other)


def _elsewhere(settings: SalesforceSettings, **facts: object) -> FixConnection:
    return FixConnection(
        "What answers for the token endpoint is not Salesforce's.",
        code="wrong-host",
        advice=HOST_ADVICE,
        host=urlsplit(settings.token_url).hostname or "",
        **facts,
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _told(response: Response) -> tuple[str, str]:
    try:
        body = loads(response.body)
    except FixData:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    error, description = body.get("error"), body.get("error_description")
    return (
        error[:80] if isinstance(error, str) else "",
        description[:300] if isinstance(description, str) else "",
    )


def _clock_off(response: Response, signed_at: datetime) -> float | None:
    """Give by how many seconds the answer's clock is ahead of ours, when that is enough for a refusal."""
    told = http_date(response.headers.get("date", ""))
    seconds = None if told is None else (told - signed_at).total_seconds()
    return seconds if seconds is not None and abs(seconds) >= CLOCK_OFF else None
