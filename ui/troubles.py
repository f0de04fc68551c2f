"""Errors as pages: what happened, where, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from hub.errors import (
    Conflict,
    Fatal,
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RetryLater,
)
from ui.visits import Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """How a family of errors is shown."""

    status: int
    title: str
    todo: str
    icon: str


#: The first family that fits counts.
_ADVICE: tuple[tuple[type[HubError], Advice], ...] = (
    (
        NotFound,
        Advice(
            status=404,
            title="There is nothing here",
            todo="Check the address, or search for the id: it may belong to another environment.",
            icon="search-x",
        ),
    ),
    (
        NotAllowed,
        Advice(
            status=403,
            title="You may not do this",
            todo="Go back; if you need this, ask an administrator for another role.",
            icon="shield-alert",
        ),
    ),
    (
        NotAuthenticated,
        Advice(status=401, title="Please sign in", todo="Sign in and try again.", icon="log-in"),
    ),
    (
        Conflict,
        Advice(
            status=409,
            title="Something has changed meanwhile",
            todo="Nothing was done. Look at the page again as it is now, then decide.",
            icon="git-compare-arrows",
        ),
    ),
    (
        LimitReached,
        Advice(status=429, title="Too many tries", todo="Wait a little, then try again.", icon="timer"),
    ),
    (
        FixData,
        Advice(
            status=422,
            title="That does not fit",
            todo="Nothing was done. Go back, correct it, and send it again.",
            icon="pencil-line",
        ),
    ),
    (
        FixConnection,
        Advice(
            status=409,
            title="The connection needs attention",
            todo="See the connection's page for its last error.",
            icon="unplug",
        ),
    ),
    (RetryLater, Advice(status=503, title="Not right now", todo="Try again in a moment.", icon="timer")),
    (
        Fatal,
        Advice(
            status=503,
            title="The hub has stopped taking changes",
            todo="Nothing was lost. Look at the server's log and start the hub again.",
            icon="octagon-alert",
        ),
    ),
)
_OTHERWISE = Advice(status=400, title="This cannot be done", todo="Go back and try another way.", icon="circle-alert")


def advice_for(error: HubError) -> Advice:
    """Give how an error is shown."""
    return next((advice for family, advice in _ADVICE if isinstance(error, family)), _OTHERWISE)


def trouble(visit: Visit, error: HubError) -> Response:
    """Give an error as a page."""
    advice = advice_for(error)
    return visit.page("trouble.html", status=advice.status, error=error, advice=advice)
