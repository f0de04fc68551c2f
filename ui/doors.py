"""The doors of the console: each says who may come in, and nobody else gets past it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.access.permissions import Permission
from hub.access.sessions import Standing, same_token, standing, token_hash
from hub.access.sign_in import authenticate
from hub.errors import HubError, NotAllowed, NotAuthenticated
from ui import cookies
from ui.console import Console
from ui.forms import MAX_BODY, read_form
from ui.troubles import trouble
from ui.visits import Visit

#: Live refreshes carry this header; they do not count as use of the session.
LIVE_HEADER = "Concord-Live"


class Open(Enum):
    """For the few doors that stand open to whoever is not signed in."""

    PUBLIC = auto()


Handler = Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One address: how it is asked, what the asker must be allowed, and what answers."""

    method: Literal["GET", "POST"]
    path: str
    needs: Permission | Open
    handler: Handler
    #: How large its form may be, in bytes.
    most: int = MAX_BODY


async def enter(console: Console, door: Door, request: Request) -> Response:
    """Answer a request at a door; whatever goes wrong becomes a page that says what to do."""
    visit = Visit(console=console, request=request)
    try:
        visit = await recognise(visit, door.needs, counts=LIVE_HEADER not in request.headers)
        await require(visit, door.needs)
        if door.method == "POST":
            visit = await _with_form(visit, door.most)
        return await _answer(door.handler, visit)
    except NotAuthenticated as error:
        return _to_sign_in(visit, error)
    except HubError as error:
        return await run_in_threadpool(trouble, visit, error)


async def recognise(visit: Visit, needs: Permission | Open, *, counts: bool = True) -> Visit:
    """Find out who asks; it counts as use of the session unless told otherwise.

    Raises `NotAuthenticated` for a session that has ended, unless the door stands open.
    """
    token = cookies.session_token(visit.request, https=visit.console.https)
    if token is None:
        return visit
    try:
        return await _signed_in(visit.console, visit.request, token, counts=counts)
    except NotAuthenticated:
        if needs is Open.PUBLIC:
            return visit
        raise


async def require(visit: Visit, needs: Permission | Open) -> None:
    """Refuse who may not come in, and have it audited; raises `NotAuthenticated` or `NotAllowed`."""
    if needs is Open.PUBLIC:
        return
    if visit.principal is None:
        raise NotAuthenticated("Nobody is signed in.", code="no-session")
    if not visit.principal.may(needs):
        await visit.console.directory.deny(visit.principal, needs)
    visit.principal.require(needs)


async def _signed_in(console: Console, request: Request, token: str, *, counts: bool) -> Visit:
    now = console.ambient.now()
    if not counts:
        session = await console.directory.session(token_hash(token))
        if session is None or standing(session, now) is not Standing.OPEN:
            raise NotAuthenticated("The session has ended; sign in again.", code="session-ended")
        person = await console.directory.person(session.person_id)
        if person is None or person.disabled:
            raise NotAuthenticated("Nobody is signed in.", code="no-session")
    else:
        session, person = await authenticate(console.directory, token, now)
    return Visit(console=console, request=request, person=person, session=session)


async def _with_form(visit: Visit, most: int) -> Visit:
    """Read the form of an order, which must come from a page of this console itself."""
    if not same_origin(visit.request):
        raise NotAllowed(
            "The form did not come from this console. Open the page again and send it from there.",
            code="cross-site",
        )
    form = await read_form(visit.request, most)
    if visit.session is not None:
        sent = form.get("csrf") or visit.request.headers.get("X-CSRF-Token", "")
        if not same_token(sent, visit.session.csrf):
            raise NotAllowed(
                "The form is from an earlier session. Open the page again and send it from there.", code="stale-form"
            )
    return visit.with_form(form)


def same_origin(request: Request) -> bool:
    """Tell whether the browser says that a request was made by a page of this very origin."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        # A proxy in front may end TLS, so the scheme may differ from what arrives here; the host may not.
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return site == "same-origin"


async def _answer(handler: Handler, visit: Visit) -> Response:
    # Reading and rendering block, so they happen beside the event loop; orders are awaited in it.
    made: Response | Awaitable[Response] = await run_in_threadpool(handler, visit)
    return made if isinstance(made, Response) else await made


def _to_sign_in(visit: Visit, error: NotAuthenticated) -> Response:
    request = visit.request
    why = "ended" if error.code.startswith("session-") else ""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or LIVE_HEADER in request.headers:
        back = urlsplit(request.headers.get("referer", "/")).path or "/"
    target = "/login" + (f"?next={quote(back, safe='/')}" if back != "/" else "")
    if why:
        target += ("&" if "?" in target else "?") + f"why={why}"
    if "HX-Request" in request.headers:
        return visit.secured(Response(status_code=401, headers={"HX-Redirect": target}))
    response = visit.secured(RedirectResponse(target, status_code=303))
    cookies.clear_session(response, https=visit.console.https)
    return response
