"""Signing in over the API, for what only a person may do."""

from __future__ import annotations

import secrets as entropy

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.access.sign_in import sign_in, sign_out
from hub.api.answers import answer
from hub.api.security import token_of

router = APIRouter(prefix="/api/sessions")


class SignIn(BaseModel):
    """A person's mail address and password."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=254)
    password: SecretStr = Field(max_length=1024)


@router.post("", status_code=201, summary="Sign in")
async def open_session(request: Request, who: SignIn) -> Response:
    """Give the token of a new session; it ends after half an hour without use, and after twelve hours."""
    state = request.app.state
    token, _, person = await sign_in(
        state.directory,
        state.attempts,
        email=who.email,
        password=who.password.get_secret_value(),
        now=state.view.now(),
        random=entropy.token_bytes,
    )
    return answer({"token": token, "person": person.id, "name": person.name, "role": person.role}, status=201)


@router.delete("", status_code=204, summary="Sign out")
async def close_session(request: Request) -> Response:
    """End the session whose token is sent; one that has ended is no error."""
    await sign_out(request.app.state.directory, token_of(request))
    return Response(status_code=204)
