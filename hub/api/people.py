"""People over the API: who may sign in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.access.passwords import check_password, hash_password
from hub.access.people import Person, PersonId, plain_email
from hub.access.permissions import Permission, Principal, Role
from hub.api.security import needs
from hub.queries.view import View

router = APIRouter(prefix="/api/people")


class NewPerson(BaseModel):
    """Somebody who shall sign in with a mail address and a password."""

    model_config = ConfigDict(extra="forbid")

    email: str
    name: str = Field(min_length=1, max_length=200)
    role: Role
    password: SecretStr


@router.post("", status_code=201, summary="Add a person")
async def add(
    request: Request,
    person: NewPerson,
    principal: Annotated[Principal, Depends(needs(Permission.MANAGE_PEOPLE))],
) -> dict[str, str]:
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
