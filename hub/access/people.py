"""People who sign in, and the records that the hub keeps of them and their sessions."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType, Protocol

from hub.access.permissions import Principal, Role
from hub.errors import FixData

PersonId = NewType("PersonId", str)

#: The longest mail address there is (RFC 5321, section 4.5.3.1).
MAX_EMAIL = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person: signs in with `email` (lower case) and a password, of which only the argon2id hash is kept."""

    id: PersonId
    email: str
    name: str
    role: Role
    password: str = field(repr=False)
    created_at: datetime
    disabled: bool = False

    def principal(self) -> Principal:
        """Give who this person is to the table of rights and to the audit log."""
        return Principal(actor=f"person:{self.id}", role=self.role, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser: known by the hash of its token, with the token that its forms must carry (`csrf`)."""

    token_hash: str
    person_id: PersonId
    csrf: str = field(repr=False)
    created_at: datetime
    seen_at: datetime


class Directory(Protocol):
    """Where people and sessions are kept; each change is durable, with its audit entry, when the call returns."""

    async def person(self, person_id: PersonId) -> Person | None:
        """Find a person by id."""
        ...

    async def person_by_email(self, email: str) -> Person | None:
        """Find a person by lower-case mail address."""
        ...

    async def anybody(self) -> bool:
        """Tell whether there is a person at all."""
        ...

    async def add_person(self, person: Person, *, actor: str, only_first: bool = False) -> None:
        """Keep a new person; `Conflict` for a used address, or with `only_first` when there is anybody already."""
        ...

    async def change_person(self, person: Person, *, actor: str) -> None:
        """Keep a person's new state; their sessions end when they are disabled or their password changed."""
        ...

    async def session(self, token_hash: str) -> Session | None:
        """Find a session."""
        ...

    async def open_session(self, session: Session) -> None:
        """Keep a new session."""
        ...

    async def see_session(self, token_hash: str, seen_at: datetime) -> None:
        """Note that a session was used."""
        ...

    async def close_session(self, token_hash: str, *, actor: str) -> None:
        """Forget a session; one that is gone already is no error."""
        ...

    async def refuse_sign_in(self, reason: str) -> None:
        """Audit that somebody could not sign in; never who it claimed to be."""
        ...


def plain_email(text: str) -> str:
    """Give a mail address as it is kept: trimmed, in lower case; `FixData` when it cannot be one.

    Two that look alike are one: signs that show nothing are refused, and those written in several ways are made equal.
    """
    email = unicodedata.normalize("NFKC", text.strip()).lower()
    local, _, domain = email.rpartition("@")
    plain = email.isprintable() and not any(sign.isspace() for sign in email)
    if not local or not domain or len(email) > MAX_EMAIL or not plain or "@" in local:
        raise FixData("This is not a mail address.", code="not-an-email")
    return email
