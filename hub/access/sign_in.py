"""Signing in and out, and finding who stands behind a token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from hub.access.attempts import Attempts
from hub.access.passwords import check_password, hash_password, verify_password
from hub.access.people import Directory, Person, PersonId, Session, plain_email
from hub.access.permissions import Role
from hub.access.sessions import Standing, new_session, standing, token_hash, worth_noting
from hub.errors import FixData, LimitReached, NotAllowed, NotAuthenticated


async def sign_in(
    directory: Directory,
    attempts: Attempts,
    *,
    email: str,
    password: str,
    now: datetime,
    random: Callable[[int], bytes],
) -> tuple[str, Session, Person]:
    """Open a session: give its token (for the cookie, never kept), the session and the person.

    Raises `NotAuthenticated` in the same words and after the same time whatever was wrong, and `LimitReached` with the
    wait in seconds after several wrong passwords.
    """
    try:
        address = plain_email(email)
    except FixData:
        address = ""
    if wait := attempts.wait(address, now):
        await directory.refuse_sign_in("too-many-attempts")
        raise LimitReached("Too many wrong passwords; try again later.", after=wait, code="too-many-attempts")
    person = await directory.person_by_email(address) if address else None
    # Counted before the slow check, so that many tries at once cannot slip past the limit.
    attempts.failed(address, now)
    fits = await asyncio.to_thread(verify_password, password, None if person is None else person.password)
    if person is None or not fits or person.disabled:
        await directory.refuse_sign_in("disabled" if fits else "wrong-credentials")
        raise NotAuthenticated("The address or the password is wrong.", code="wrong-credentials")
    attempts.succeeded(address)
    token, session = new_session(person.id, now=now, random=random)
    await directory.open_session(session)
    return token, session, person


async def confirm(directory: Directory, attempts: Attempts, person: Person, *, password: str, now: datetime) -> None:
    """Make sure that it is the person and not somebody at their open desk, by their password once more.

    Raises `NotAllowed` when it is wrong, and `LimitReached` after several wrong ones.
    """
    if wait := attempts.wait(person.email, now):
        raise LimitReached("Too many wrong passwords; try again later.", after=wait, code="too-many-attempts")
    attempts.failed(person.email, now)
    if not await asyncio.to_thread(verify_password, password, person.password):
        await directory.refuse_sign_in("wrong-password")
        raise NotAllowed("The password is wrong; nothing was done.", code="wrong-password")
    attempts.succeeded(person.email)


async def authenticate(directory: Directory, token: str, now: datetime) -> tuple[Session, Person]:
    """Find the open session and the person behind a token, and note its use; `NotAuthenticated` when there is none."""
    session = await directory.session(token_hash(token))
    if session is None:
        raise NotAuthenticated("Nobody is signed in.", code="no-session")
    if (state := standing(session, now)) is not Standing.OPEN:
        await directory.close_session(session.token_hash, actor="local")
        raise NotAuthenticated("The session has ended; sign in again.", code=f"session-{state}")
    person = await directory.person(session.person_id)
    if person is None or person.disabled:
        raise NotAuthenticated("Nobody is signed in.", code="no-session")
    if worth_noting(session, now):
        await directory.see_session(session.token_hash, now)
    return session, person


async def sign_out(directory: Directory, token: str) -> None:
    """Close the session of a token; it is no error when there is none."""
    session = await directory.session(token_hash(token))
    if session is not None:
        await directory.close_session(session.token_hash, actor=f"person:{session.person_id}")


async def add_first_admin(
    directory: Directory, *, person_id: PersonId, email: str, name: str, password: str, now: datetime
) -> Person:
    """Add the first person of a new hub, as its administrator.

    Raises `Conflict` when there is anybody already, and `FixData` for an address or a password that will not do.
    """
    person = await new_person(person_id=person_id, email=email, name=name, role=Role.ADMIN, password=password, now=now)
    await directory.add_person(person, actor="local", only_first=True)
    return person


async def new_person(*, person_id: PersonId, email: str, name: str, role: Role, password: str, now: datetime) -> Person:
    """Make a person of checked facts and a hashed password; nothing is kept yet."""
    address = plain_email(email)
    check_password(password, email=address, name=name)
    return Person(
        id=person_id,
        email=address,
        name=name.strip() or address,
        role=role,
        password=await asyncio.to_thread(hash_password, password),
        created_at=now,
    )
