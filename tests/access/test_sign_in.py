"""Signing in, staying in, and being put out, against a directory held in memory."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.access.attempts import FREE, WINDOW, Attempts
from hub.access.local_token import read_local_token, write_local_token
from hub.access.people import Directory, Person, PersonId, Session, plain_email
from hub.access.permissions import Role
from hub.access.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT, same_token, token_hash
from hub.access.sign_in import add_first_admin, authenticate, confirm, sign_in, sign_out
from hub.errors import Conflict, FixData, LimitReached, NotAllowed, NotAuthenticated

NOW = datetime(2026, 1, 2, 9, tzinfo=UTC)
PASSWORD = "seven quiet harbours"


class Ledger:
    """People and sessions in two dictionaries; refusals in a list."""

    def __init__(self) -> None:
        self.people: dict[PersonId, Person] = {}
        self.sessions: dict[str, Session] = {}
        self.refusals: list[str] = []

    async def person(self, person_id: PersonId) -> Person | None:
        return self.people.get(person_id)

    async def person_by_email(self, email: str) -> Person | None:
        return next((person for person in self.people.values() if person.email == email), None)

    async def anybody(self) -> bool:
        return bool(self.people)

    async def add_person(self, person: Person, *, actor: str, only_first: bool = False) -> None:
        if only_first and self.people:
            raise Conflict("There is an administrator already.", actor=actor)
        self.people[person.id] = person

    async def change_person(self, person: Person, *, actor: str) -> None:
        assert actor
        self.people[person.id] = person

    async def session(self, token_hash: str) -> Session | None:
        return self.sessions.get(token_hash)

    async def open_session(self, session: Session) -> None:
        self.sessions[session.token_hash] = session

    async def see_session(self, token_hash: str, seen_at: datetime) -> None:
        self.sessions[token_hash] = replace(self.sessions[token_hash], seen_at=seen_at)

    async def close_session(self, token_hash: str, *, actor: str) -> None:
        assert actor
        self.sessions.pop(token_hash, None)

    async def refuse_sign_in(self, reason: str) -> None:
        self.refusals.append(reason)


async def ledger_with_admin() -> Ledger:
    """Give a directory with one administrator."""
    ledger = Ledger()
    directory: Directory = ledger
    await add_first_admin(
        directory, person_id=PersonId("p_1"), email=" Ada@Example.com", name="Ada", password=PASSWORD, now=NOW
    )
    return ledger


async def enter(ledger: Ledger, attempts: Attempts, password: str = PASSWORD, now: datetime = NOW) -> str:
    """Sign the administrator in and give the token."""
    token, _, _ = await sign_in(
        ledger, attempts, email="ada@example.com", password=password, now=now, random=os.urandom
    )
    return token


async def test_the_first_person_is_admin_and_only_the_first() -> None:
    ledger = await ledger_with_admin()
    assert [(person.email, person.role) for person in ledger.people.values()] == [("ada@example.com", Role.ADMIN)]
    with pytest.raises(Conflict):
        await add_first_admin(
            ledger, person_id=PersonId("p_2"), email="eve@example.com", name="Eve", password=PASSWORD, now=NOW
        )


async def test_a_token_opens_its_session_and_is_not_kept() -> None:
    ledger = await ledger_with_admin()
    token = await enter(ledger, Attempts())
    session, person = await authenticate(ledger, token, NOW)
    assert person.principal().actor == "person:p_1"
    assert token not in repr(ledger.sessions)
    assert session.csrf not in repr(session)
    with pytest.raises(NotAuthenticated):
        await authenticate(ledger, token_hash(token), NOW)
    await sign_out(ledger, token)
    await sign_out(ledger, token)
    with pytest.raises(NotAuthenticated):
        await authenticate(ledger, token, NOW)


async def test_a_person_confirms_with_their_password_and_not_by_guessing() -> None:
    """Wrong ones count together with those of the sign-in, so that neither door helps at the other."""
    ledger, attempts = await ledger_with_admin(), Attempts()
    (ada,) = ledger.people.values()
    await confirm(ledger, attempts, ada, password=PASSWORD, now=NOW)
    for _ in range(FREE):
        with pytest.raises(NotAllowed) as caught:
            await confirm(ledger, attempts, ada, password="wrong", now=NOW)
        assert caught.value.code == "wrong-password"
    with pytest.raises(LimitReached):
        await confirm(ledger, attempts, ada, password=PASSWORD, now=NOW)
    with pytest.raises(LimitReached):
        await enter(ledger, attempts)
    assert ledger.refusals == ["wrong-password"] * FREE + ["too-many-attempts"]
    await confirm(ledger, attempts, ada, password=PASSWORD, now=NOW + WINDOW)


async def test_each_session_has_tokens_of_its_own() -> None:
    ledger = await ledger_with_admin()
    one, other = [await enter(ledger, Attempts()) for _ in range(2)]
    assert not same_token(one, other)
    assert len({session.csrf for session in ledger.sessions.values()}) == 2


async def test_whatever_is_wrong_sounds_the_same() -> None:
    ledger = await ledger_with_admin()
    said = set()
    for email, password in [("ada@example.com", "wrong"), ("eve@example.com", PASSWORD), ("no address", PASSWORD)]:
        with pytest.raises(NotAuthenticated) as caught:
            await sign_in(ledger, Attempts(), email=email, password=password, now=NOW, random=os.urandom)
        said.add(str(caught.value))
    ledger.people[PersonId("p_1")] = replace(ledger.people[PersonId("p_1")], disabled=True)
    with pytest.raises(NotAuthenticated) as caught:
        await enter(ledger, Attempts())
    assert {*said, str(caught.value)} == {"The address or the password is wrong."}
    assert ledger.refusals == ["wrong-credentials"] * 3 + ["disabled"]


async def test_guessing_has_to_wait_and_then_may_go_on() -> None:
    ledger = await ledger_with_admin()
    attempts = Attempts()
    for _ in range(FREE):
        with pytest.raises(NotAuthenticated):
            await enter(ledger, attempts, "wrong")
    with pytest.raises(LimitReached) as caught:
        await enter(ledger, attempts)
    assert caught.value.after == WINDOW.total_seconds()
    assert await enter(ledger, attempts, now=NOW + WINDOW)
    assert attempts.wait("ada@example.com", NOW) == 0.0


async def test_a_session_ends_when_idle_and_when_old() -> None:
    ledger = await ledger_with_admin()
    token = await enter(ledger, Attempts())
    moment = NOW
    while moment + IDLE_LIMIT / 2 < NOW + ABSOLUTE_LIMIT:
        moment += IDLE_LIMIT / 2
        await authenticate(ledger, token, moment)
    with pytest.raises(NotAuthenticated) as caught:
        await authenticate(ledger, token, NOW + ABSOLUTE_LIMIT)
    assert caught.value.code == "session-expired"
    idle = await enter(ledger, Attempts())
    with pytest.raises(NotAuthenticated) as caught:
        await authenticate(ledger, idle, NOW + IDLE_LIMIT)
    assert caught.value.code == "session-idle"
    assert ledger.sessions == {}


async def test_a_disabled_person_is_out_at_once() -> None:
    ledger = await ledger_with_admin()
    token = await enter(ledger, Attempts())
    ledger.people[PersonId("p_1")] = replace(ledger.people[PersonId("p_1")], disabled=True)
    with pytest.raises(NotAuthenticated):
        await authenticate(ledger, token, NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a b@example.com",
        "a@b@c.com",
        "x" * 250 + "@b.cc",
        "a\u200bda@b.cc",
        "ada@b\u00ad.cc",
    ],
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(FixData):
        plain_email(text)


@pytest.mark.parametrize("text", [" Ada@Example.COM ", "\uff21\uff24\uff21@example.com", "ada\uff20example.com"])
def test_two_addresses_that_look_alike_are_one(text: str) -> None:
    """Nobody gets a second account, and with it a second pair of eyes, by writing the same otherwise."""
    assert plain_email(text) == "ada@example.com"


def test_the_local_token_is_private_and_made_anew(tmp_path: Path) -> None:
    assert read_local_token(tmp_path) is None
    first = write_local_token(tmp_path, os.urandom)
    assert read_local_token(tmp_path) == first
    second = write_local_token(tmp_path, os.urandom)
    assert read_local_token(tmp_path) == second != first
    (only,) = tmp_path.iterdir()
    assert stat.S_IMODE(only.stat().st_mode) == 0o600
