"""How each attempt is signed: with the API key, and at the host of the meter stream with a session's token instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors.stripe.client import asking_json
from connectors.stripe.failures import classify, is_session_over
from connectors.stripe.settings import METER_STREAM, StripeSettings
from hub.sdk.auth import Authorizer, BearerToken, Send
from hub.sdk.errors import FixConnection, FixData, HubError, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import loads
from hub.sdk.values import Request, Response

_SESSION = "v2.billing.meter_event_session"


def authorizer(settings: StripeSettings) -> Authorizer:
    """Make what signs the attempts of one connection."""
    return Logins(settings)


class Logins:
    """Signs with the API key; at the stream, which may stand at another host, only with a token made for it.

    One caller opens a session while the others wait; it is renewed a minute before it ends (it lasts a quarter of an
    hour), and once when Stripe says that it has ended.
    """

    def __init__(self, settings: StripeSettings) -> None:
        """Take the API key; a session is opened when the stream is used first."""
        self._key = {"authorization": f"Bearer {settings.api_key.get_secret_value()}"}

        def ask(_: datetime) -> Request:
            asked = asking_json(settings, "v2", "billing", "meter_event_session", body={})
            return replace(asked, headers={**asked.headers, **self._key})

        self._session = BearerToken(ask=ask, read=read_session, refusal=session_refusal)

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Give the headers that authorise this attempt."""
        # By its path: one that was recorded before the settings named another host is not given the key either.
        if urlsplit(request.url).path == METER_STREAM:
            return await self._session.headers(request, send, now)
        return self._key

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Forget a session that has ended; there is nothing fresher than the key."""
        if headers == self._key:
            return False
        # Stripe does not promise the status under which it says so.
        return self._session.refused(replace(response, status=401) if is_session_over(response) else response, headers)


def read_session(response: Response) -> tuple[str, float]:
    """Read a session's token and its life in seconds, by Stripe's clock alone."""
    try:
        answer: Any = loads(response.body)
        if answer["object"] == _SESSION and isinstance(answer["authentication_token"], str):
            seconds = (_moment(answer["expires_at"]) - _moment(answer["created"])).total_seconds()
            if seconds > 0 and answer["authentication_token"].isprintable() and answer["authentication_token"]:
                return answer["authentication_token"], seconds
    except (FixData, KeyError, TypeError, ValueError):
        pass
    raise RetryLater("The answer is no session of Stripe's.", code="unreadable-answer", status=response.status)


def session_refusal(response: Response, _: datetime) -> HubError:
    """Say what a refused session means: nothing was sent yet, so that only the connection can be wrong."""
    error = classify(response)
    if isinstance(error, FixConnection | RetryLater):
        return error
    if isinstance(error, OutcomeUnknown):
        return RetryLater(error.detail, status=response.status)
    detail = "Stripe opens no session." if error is None else error.detail
    return FixConnection(
        detail,
        code="session-refused",
        advice="Give the key the right to write meter events, and look at `base_url` and `api_version`.",
        status=response.status,
    )


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
