"""The directory of people and sessions that is kept in the hub's own database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hub.access.people import Person, PersonId, Session
from hub.access.permissions import Permission, Principal, Role
from hub.model.ambient import of_micros, to_micros
from hub.store import approvals, people
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database


class StoredDirectory:
    """People and sessions in the database; a change is durable, with its audit entry, when its call returns."""

    def __init__(self, database: Database, committer: Committer) -> None:
        """Take where it is read and how it is written."""
        self._database = database
        self._committer = committer

    async def person(self, person_id: PersonId) -> Person | None:
        """Find a person by id."""
        with self._database.reading() as connection:
            return _person(people.find(connection, person_id))

    async def person_by_email(self, email: str) -> Person | None:
        """Find a person by lower-case mail address."""
        with self._database.reading() as connection:
            return _person(people.find_by_email(connection, email))

    async def everybody(self) -> tuple[Person, ...]:
        """Give all people, by address."""
        with self._database.reading() as connection:
            return tuple(made for row in people.everybody(connection) if (made := _person(row)) is not None)

    async def anybody(self) -> bool:
        """Tell whether there is a person at all."""
        with self._database.reading() as connection:
            return people.anybody(connection)

    async def add_person(self, person: Person, *, actor: str, only_first: bool = False) -> None:
        """Keep a new person; `Conflict` for a used address, or with `only_first` when there is anybody already."""
        await self._write(lambda tx: people.add(tx, _person_row(person), actor=actor, only_first=only_first))

    async def change_person(self, person: Person, *, actor: str) -> None:
        """Keep a person's new state; their sessions end when they are disabled or their password changed."""

        def change(transaction: Transaction) -> None:
            people.change(transaction, _person_row(person), actor=actor)
            approvals.recount(transaction, person.principal().actor, actor=actor)

        await self._write(change)

    async def session(self, token_hash: str) -> Session | None:
        """Find a session."""
        with self._database.reading() as connection:
            row = people.session(connection, token_hash)
        if row is None:
            return None
        return Session(
            token_hash=row["token_hash"],
            person_id=PersonId(row["person_id"]),
            csrf=row["csrf"],
            created_at=of_micros(row["created_at"]),
            seen_at=of_micros(row["seen_at"]),
        )

    async def open_session(self, session: Session) -> None:
        """Keep a new session."""
        row = {
            "token_hash": session.token_hash,
            "person_id": session.person_id,
            "csrf": session.csrf,
            "created_at": to_micros(session.created_at),
            "seen_at": to_micros(session.seen_at),
        }
        await self._write(lambda tx: people.open_session(tx, row))

    async def see_session(self, token_hash: str, seen_at: datetime) -> None:
        """Note that a session was used."""
        await self._write(lambda tx: people.see_session(tx, token_hash, to_micros(seen_at)))

    async def close_session(self, token_hash: str, *, actor: str) -> None:
        """Forget a session; one that is gone already is no error."""
        await self._write(lambda tx: people.close_session(tx, token_hash, actor=actor))

    async def refuse_sign_in(self, reason: str) -> None:
        """Audit that somebody could not sign in; never who it claimed to be."""
        await self._write(lambda tx: people.refuse_sign_in(tx, reason))

    async def deny(self, principal: Principal, permission: Permission) -> None:
        """Audit that a person asked for what their role does not allow."""
        await self._write(lambda tx: people.deny(tx, actor=principal.actor, permission=permission.value))

    async def _write(self, work: Callable[[Transaction], None]) -> None:
        await self._committer.commit(Work(work))


def _person(row: Mapping[str, Any] | None) -> Person | None:
    if row is None:
        return None
    return Person(
        id=PersonId(row["id"]),
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        password=row["password"],
        created_at=of_micros(row["created_at"]),
        disabled=row["disabled"],
    )


def _person_row(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "role": person.role.value,
        "password": person.password,
        "created_at": to_micros(person.created_at),
        "disabled": person.disabled,
    }
