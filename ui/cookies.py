"""The console's cookies: the session, which only the server can read, and the chosen theme."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

#: The prefix makes the browser refuse the cookie unless it is secure, for this host alone, and for every path.
_SECURE_SESSION = "__Host-concord-session"
_PLAIN_SESSION = "concord-session"
_THEME = "concord-theme"
THEMES = ("auto", "light", "dark")
_YEAR = 365 * 24 * 3600


def session_token(request: Request, *, https: bool) -> str | None:
    """Give the token a browser sent, if any."""
    return request.cookies.get(_SECURE_SESSION if https else _PLAIN_SESSION) or None


def set_session(response: Response, token: str, *, https: bool) -> None:
    """Let the browser keep the token until it is closed; the server ends the session earlier."""
    response.set_cookie(
        _SECURE_SESSION if https else _PLAIN_SESSION, token, path="/", secure=https, httponly=True, samesite="strict"
    )


def clear_session(response: Response, *, https: bool) -> None:
    """Let the browser forget the token."""
    response.delete_cookie(
        _SECURE_SESSION if https else _PLAIN_SESSION, path="/", secure=https, httponly=True, samesite="strict"
    )


def theme(request: Request) -> str:
    """Give the chosen theme, `auto` when none was chosen."""
    chosen = request.cookies.get(_THEME, "auto")
    return chosen if chosen in THEMES else "auto"


def set_theme(response: Response, chosen: str, *, https: bool) -> None:
    """Keep the chosen theme for a year."""
    response.set_cookie(_THEME, chosen, path="/", max_age=_YEAR, secure=https, httponly=True, samesite="strict")
