"""People over the API: who may sign in, and as what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.access.passwords import check_password, hash_password
from hub.access.people import Person, PersonId, plain_email
from hub.access.permissions import Permission, Principal, Role
from hub.api.answers import answer
from hub.api.security import needs
from hub.errors import NotFound
from hub.queries.view import View

router = APIRouter(prefix="/api/people")

Manager = Annotated[Principal, Depends(needs(Permission.MANAGE_PEOPLE))]


class NewPerson(BaseModel):
    """Somebody who shall sign in with a mail address and a password."""

    model_config = ConfigDict(extra="forbid")

    email: str
    name: str = Field(min_length=1, max_length=200)
    role: Role
    password: SecretStr


class PersonChange(BaseModel):
    """What changes; what is left out stays. Who is disabled, or has a new password, is signed out everywhere."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = None
    password: SecretStr | None = None


@router.get("", summary="List people")
async def listing(request: Request, _principal: Manager) -> Response:
    """List who may sign in, by mail address, with those who no longer may."""
    found: tuple[Person, ...] = await request.app.state.directory.everybody()
    names = ("id", "email", "name", "role", "disabled", "created_at")
    return answer({"people": [{name: getattr(person, name) for name in names} for person in found]})


@router.post("/{person_id}", summary="Change a person")
async def change(request: Request, person_id: str, wanted: PersonChange, principal: Manager) -> Response:
    """Give a person another role or password, or say that they may no longer sign in, or may again."""
    directory = request.app.state.directory
    person: Person | None = await directory.person(PersonId(person_id))
    if person is None:
        raise NotFound("There is no such person.", person=person_id)
    changed = replace(
        person,
        role=person.role if wanted.role is None else wanted.role,
        disabled=person.disabled if wanted.disabled is None else wanted.disabled,
    )
    if wanted.password is not None:
        password = wanted.password.get_secret_value()
        check_password(password, email=person.email, name=person.name)
        changed = replace(changed, password=await asyncio.to_thread(hash_password, password))
    await directory.change_person(changed, actor=principal.actor)
    return answer({"person": person.id, "role": changed.role, "disabled": changed.disabled})


@router.post("", status_code=201, summary="Add a person")
async def add(request: Request, person: NewPerson, principal: Manager) -> dict[str, str]:
    """Add a person; gives the id."""
    view: View = request.app.state.view
    email, password = plain_email(person.email), person.password.get_secret_value()
    check_password(password, email=email, name=person.name)
    added = Person(
        id=PersonId(view.ambient.new_id("person")),
        email=email,
        name=person.name,
        role=person.role,
        password=hash_password(password),
        created_at=view.now(),
    )
    await request.app.state.directory.add_person(added, actor=principal.actor)
    return {"person": added.id}
