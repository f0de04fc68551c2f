"""Signing in and out, and the first administrator of a new hub."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from hub.access.people import PersonId
from hub.access.permissions import Permission
from hub.access.sessions import same_token
from hub.access.sign_in import add_first_admin, sign_in, sign_out
from hub.errors import HubError, LimitReached, NotAllowed
from ui import cookies
from ui.doors import Door, Open
from ui.troubles import advice_for
from ui.visits import Visit

#: Under this name wrong setup tokens are counted.
_SETUP = "setup token"


async def show_login(visit: Visit) -> Response:
    """Show the form, or where the first administrator is added while there is nobody."""
    if not await visit.console.directory.anybody():
        return visit.go("/setup")
    if visit.person is not None:
        return visit.go(visit.local(visit.query("next")))
    return visit.page(
        "login.html", next=visit.local(visit.query("next")), ended=visit.query("why") == "ended", error=None
    )


async def login(visit: Visit) -> Response:
    """Open a session, or show the form again with what was wrong."""
    console, back = visit.console, visit.local(visit.form.get("next"))
    try:
        token, _, _ = await sign_in(
            console.directory,
            console.attempts,
            email=visit.form.get("email", ""),
            password=visit.form.get("password", ""),
            now=console.ambient.now(),
            random=console.random,
        )
    except HubError as error:
        return visit.page("login.html", status=advice_for(error).status, next=back, ended=False, error=error)
    return _signed_in(visit, token, back)


async def logout(visit: Visit) -> Response:
    """End the session."""
    token = cookies.session_token(visit.request, https=visit.console.https)
    if token is not None:
        await sign_out(visit.console.directory, token)
    response = visit.go("/login", said="signed-out")
    cookies.clear_session(response, https=visit.console.https)
    return response


async def show_setup(visit: Visit) -> Response:
    """Show the form for the first administrator, as long as there is nobody."""
    if await visit.console.directory.anybody():
        return visit.go("/login")
    return visit.page("setup.html", error=None, token=visit.query("token") or "", email="", name="")


async def setup(visit: Visit) -> Response:
    """Add the first administrator for whoever holds the token from the server's terminal, and sign them in."""
    console, form = visit.console, visit.form
    now = console.ambient.now()
    try:
        _check_setup_token(visit)
        person = await add_first_admin(
            console.directory,
            person_id=PersonId(console.ambient.new_id("person")),
            email=form.get("email", ""),
            name=form.get("name", ""),
            password=form.get("password", ""),
            now=now,
        )
        token, _, _ = await sign_in(
            console.directory,
            console.attempts,
            email=person.email,
            password=form.get("password", ""),
            now=now,
            random=console.random,
        )
    except HubError as error:
        return visit.page(
            "setup.html",
            status=advice_for(error).status,
            error=error,
            token=form.get("token", ""),
            email=form.get("email", ""),
            name=form.get("name", ""),
        )
    return _signed_in(visit, token, "/?said=welcome")


def _check_setup_token(visit: Visit) -> None:
    attempts, now = visit.console.attempts, visit.console.ambient.now()
    if wait := attempts.wait(_SETUP, now):
        raise LimitReached("Too many wrong tokens; try again later.", after=wait, code="too-many-attempts")
    if not same_token(visit.form.get("token", "").strip(), visit.console.setup_token):
        attempts.failed(_SETUP, now)
        raise NotAllowed(
            "This is not the setup token. The server printed it on its terminal when it started.", code="wrong-token"
        )


def _signed_in(visit: Visit, token: str, target: str) -> Response:
    response = visit.secured(RedirectResponse(target, status_code=303))
    cookies.set_session(response, token, https=visit.console.https)
    return response


DOORS = (
    Door(method="GET", path="/login", needs=Open.PUBLIC, handler=show_login),
    Door(method="POST", path="/login", needs=Open.PUBLIC, handler=login),
    Door(method="POST", path="/logout", needs=Permission.VIEW, handler=logout),
    Door(method="GET", path="/setup", needs=Open.PUBLIC, handler=show_setup),
    Door(method="POST", path="/setup", needs=Open.PUBLIC, handler=setup),
)
