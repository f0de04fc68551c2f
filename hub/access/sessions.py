"""Sessions: opaque tokens of which only a hash is kept, and when a session ends by itself."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from hub.access.people import PersonId, Session

#: 256 bits of chance.
TOKEN_BYTES = 32
#: A session that was not used for so long has ended.
IDLE_LIMIT = timedelta(minutes=30)
#: A session ends after so long however much it is used.
ABSOLUTE_LIMIT = timedelta(hours=12)
#: Use is noted no more often than this.
SEEN_STEP = timedelta(minutes=1)


class Standing(StrEnum):
    """Whether a session still counts, and if not, why."""

    OPEN = "open"
    IDLE = "idle"
    EXPIRED = "expired"


def new_token(random: Callable[[int], bytes]) -> str:
    """Make an opaque token of 43 characters that may stand in a URL or cookie; `random` must be a secure source."""
    return urlsafe_b64encode(random(TOKEN_BYTES)).rstrip(b"=").decode()


def token_hash(token: str) -> str:
    """Give what is stored of a token (SHA-256, hexadecimal); a token has too many bits to need a slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same_token(one: str, other: str) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def new_session(person_id: PersonId, *, now: datetime, random: Callable[[int], bytes]) -> tuple[str, Session]:
    """Make a session and the token that alone can use it."""
    token = new_token(random)
    session = Session(
        token_hash=token_hash(token), person_id=person_id, csrf=new_token(random), created_at=now, seen_at=now
    )
    return token, session


def standing(session: Session, now: datetime) -> Standing:
    """Decide whether a session still counts."""
    if now - session.created_at >= ABSOLUTE_LIMIT:
        return Standing.EXPIRED
    if now - session.seen_at >= IDLE_LIMIT:
        return Standing.IDLE
    return Standing.OPEN


def worth_noting(session: Session, now: datetime) -> bool:
    """Decide whether this use of a session should be kept."""
    return now - session.seen_at >= SEEN_STEP
