"""Logins that one process at a time makes: who makes one now, and the session that the last one gave, sealed.

A vendor that replaces what was used to sign in kills it with its answer. Two processes that sign in with the same would
lose both, so each takes its turn by a lease, and the others take the session that came of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from hub.store import marks
from hub.store.writes import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How it stands with one secret; times are of the database's clock (microseconds).

    - `number` counts the sessions; `sealed` is the last one, which lasts until `ends`.
    - `holder` makes a login just now, until `until` at the latest. One that is still named after that has died, or was
      cut off; so it is with `broken_off`: nobody knows whether the vendor has replaced the secret.
    """

    number: int = 0
    sealed: str | None = None
    ends: int = 0
    holder: str | None = None
    until: int = 0
    broken_off: bool = False


def take(
    transaction: Transaction, *, environment: str, name: str, holder: str, after: int, seconds: float
) -> tuple[Login, int]:
    """Take the turn, unless there is a session with a higher number than `after`, or another one has the turn.

    Gives how it stands from here on, and the time.
    """
    found = find(transaction.connection, environment=environment, name=name) or Login()
    if found.number > after and found.sealed is not None and found.ends > transaction.now:
        return found, transaction.now
    if found.holder is not None and found.holder != holder and found.until > transaction.now:
        return found, transaction.now
    taken = replace(
        found,
        holder=holder,
        until=transaction.now + round(seconds * 1_000_000),
        broken_off=found.broken_off or found.holder is not None,
    )
    _put(transaction, environment, name, taken)
    return taken, transaction.now


def tell(
    transaction: Transaction, *, environment: str, name: str, holder: str, number: int, sealed: str, seconds: float
) -> None:
    """Give the others a session, and the turn; nothing where another one has the turn by now."""
    found = find(transaction.connection, environment=environment, name=name)
    if found is None or found.holder != holder:
        return
    ends = transaction.now + round(seconds * 1_000_000)
    _put(transaction, environment, name, Login(number=number, sealed=sealed, ends=ends))


def give_up(transaction: Transaction, *, environment: str, name: str, holder: str, broken_off: bool) -> None:
    """Give the turn to others without a session; `broken_off` says that nobody knows what the vendor has done."""
    found = find(transaction.connection, environment=environment, name=name)
    if found is not None and found.holder == holder:
        left = replace(found, holder=None, until=0, broken_off=broken_off)
        _put(transaction, environment, name, left)


def find(connection: Connection, *, environment: str, name: str) -> Login | None:
    """Give how it stands; None where nobody has signed in yet."""
    found = marks.get(connection, _name(environment, name))
    if found is None:
        return None
    value: dict[str, Any] = dict(found[0])
    return Login(**value)


def _put(transaction: Transaction, environment: str, name: str, login: Login) -> None:
    value = {each: getattr(login, each) for each in Login.__dataclass_fields__}
    marks.put(transaction, _name(environment, name), value)


def _name(environment: str, name: str) -> str:
    return f"login:{environment}:{name}"
