"""Who sends events over the API: a token stands for one sender, and may send what its sender may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.access.permissions import SENDERS, Permission
from hub.access.sessions import token_hash
from hub.errors import NotAllowed, NotAuthenticated
from hub.model.sender import Sender

#: What tokens of senders begin with, so that one which lies about is seen for what it is.
TOKEN_PREFIX = "concord_send_"
#: Shorter ones were made by nobody's chance.
LEAST_TOKEN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A sender at the door, with the name of the token that it has shown."""

    sender: Sender
    token: str

    @property
    def actor(self) -> str:
        """Give who it is to the audit log."""
        return f"sender:{self.sender.name}/{self.token}"

    def require(self, permission: Permission) -> None:
        """Raise `NotAllowed` for anything but sending events."""
        if permission not in SENDERS:
            raise NotAllowed("A sender's token sends events, and does nothing else.", permission=permission.value)


def by_token(senders: Iterable[Sender]) -> Mapping[str, Sending]:
    """Give who stands behind each token, by its hash."""
    return {digest: Sending(sender=sender, token=name) for sender in senders for name, digest in sender.tokens.items()}


def recognise(known: Mapping[str, Sending], token: str) -> Sending:
    """Find who shows a token; `NotAuthenticated` when it is nobody's.

    A look-up by the hash tells nothing of a token by the time that it takes.
    """
    found = known.get(token_hash(token)) if len(token) >= LEAST_TOKEN else None
    if found is None:
        raise NotAuthenticated("Send the token of a sender as `Authorization: Bearer …`.", code="no-sender")
    return found
