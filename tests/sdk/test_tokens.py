"""Why a token could not be fetched decides who is told: what waiting mends waits, the rest is for the connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub.errors import FixConnection, HubError, NotSent, OutcomeUnknown, RetryLater
from hub.model.exchange import Request, Response
from hub.sdk.auth import BearerToken

ASKED = Request(method="POST", url="https://vendor.example/token")


@pytest.mark.parametrize(
    ("met", "family"),
    [
        (FixConnection("The host's certificate does not hold.", code="bad-certificate"), FixConnection),
        (FixConnection("This host may not be reached.", code="host-not-allowed"), FixConnection),
        (NotSent("No connection could be made."), RetryLater),
        (OutcomeUnknown("No answer came in time.", code="timeout"), RetryLater),
    ],
)
async def test_what_keeps_a_token_away_says_what_to_do(met: HubError, family: type[HubError]) -> None:
    token = BearerToken(ask=lambda _now: ASKED, read=lambda _response: ("t", 60.0))

    async def send(_request: Request) -> Response:
        raise met

    with pytest.raises(family):
        await token.headers(ASKED, send, datetime(2026, 1, 1, tzinfo=UTC))
