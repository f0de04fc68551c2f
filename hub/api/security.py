"""Who is asking at the API: the local token stands for the command line on the hub's machine; nobody else gets in."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from hub.access.permissions import LOCAL, Permission, Principal
from hub.errors import NotAuthenticated


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


def allowed(permission: Permission) -> object:
    """Give the annotation of a handler's principal."""
    return Annotated[Principal, Depends(needs(permission))]
