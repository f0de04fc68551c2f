"""Who is asking at the API: the local token stands for the command line on the hub's machine.

Where it matters which person asks, they sign in and send the token of their session instead; that opens nothing else.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from hub.access.people import Person
from hub.access.permissions import LOCAL, Permission, Principal
from hub.access.sign_in import authenticate
from hub.errors import NotAllowed, NotAuthenticated


def needs(permission: Permission) -> Callable[[Request], Principal]:
    """Give the dependency that lets only those in who have this right; every handler names one."""

    def principal(request: Request) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expected: str = request.app.state.token
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), expected.encode()):
            raise NotAuthenticated("Send the token of the hub's data directory as `Authorization: Bearer …`.")
        LOCAL.require(permission)
        return LOCAL

    return principal


def person_with(permission: Permission) -> Callable[[Request], Awaitable[Person]]:
    """Give the dependency that lets only people in who have signed in and have this right; the command line is none."""

    async def person(request: Request) -> Person:
        found = await _person(request)
        if found is None:
            raise NotAllowed(
                "The command line is no person, and this takes one: sign in, and send the token of that session.",
                code="not-a-person",
            )
        await _require(request, found, permission)
        return found

    return person


def person_or_local(permission: Permission) -> Callable[[Request], Awaitable[Principal]]:
    """Give the dependency that lets in both: people who have signed in, and the command line."""
    local = needs(permission)

    async def principal(request: Request) -> Principal:
        found = await _person(request)
        if found is None:
            return local(request)
        await _require(request, found, permission)
        return found.principal()

    return principal


def token_of(request: Request) -> str:
    """Give the bearer's token; empty when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


async def _person(request: Request) -> Person | None:
    """Find who stands behind the token; None for the command line. Raises `NotAuthenticated` for nobody."""
    token, directory, view = token_of(request), request.app.state.directory, request.app.state.view
    if not token or hmac.compare_digest(token.encode(), request.app.state.token.encode()):
        needs(Permission.VIEW)(request)
        return None
    _, person = await authenticate(directory, token, view.now())
    return person


async def _require(request: Request, person: Person, permission: Permission) -> None:
    principal = person.principal()
    if not principal.may(permission):
        await request.app.state.directory.deny(principal, permission)
    principal.require(permission)


def allowed(permission: Permission) -> object:
    """Give the annotation of a handler's principal."""
    return Annotated[Principal, Depends(needs(permission))]
