"""Security sessions and the CSRF tokens that are bound to them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from random import Random

from hub.sandbox.world import World

COOKIE = "SAP_SESSIONID_CCC_100"
CONTEXT = "sap-usercontext"


@dataclass(slots=True, kw_only=True)
class Session:
    """One session: whose it is, its CSRF token, and when it was last used (monotonic seconds)."""

    id: str
    user: str
    token: str
    used: float


class Sessions:
    """The sessions of a tenant."""

    def __init__(self, world: World, dice: Random) -> None:
        """Start without sessions; ids and tokens are drawn from `dice`."""
        self._world = world
        self._dice = dice
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self._sessions)

    def find(self, cookie: str | None, user: str, life: float) -> Session | None:
        """Give the session of a cookie, if it is this user's and was used in the last `life` seconds."""
        session = self._sessions.get(cookie or "")
        now = self._world.clock.monotonic()
        if session is None or session.user != user:
            return None
        if now - session.used > life:
            del self._sessions[session.id]
            return None
        session.used = now
        return session

    def open(self, user: str, life: float) -> Session:
        """Begin a session, and forget those that nobody used for `life` seconds."""
        now = self._world.clock.monotonic()
        if len(self._sessions) % 256 == 255:
            self._sessions = {key: each for key, each in self._sessions.items() if now - each.used <= life}
        identity = base64.urlsafe_b64encode(self._dice.randbytes(30)).decode()
        token = base64.b64encode(self._dice.randbytes(16)).decode()
        session = Session(id=identity, user=user, token=token, used=now)
        self._sessions[identity] = session
        return session

    def end_all(self) -> None:
        """End all sessions, as a restarted server does."""
        self._sessions.clear()
