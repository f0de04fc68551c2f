"""Sealing the audit log: a signed tree head over all that is committed, kept outside the database."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from threading import Lock

from hub.audit.frontier import Frontier
from hub.audit.heads import NO_HEAD, SignedHead, TreeHead, sign
from hub.audit.merkle import leaf_hash
from hub.model.ambient import Ambient
from hub.store import audit, heads
from hub.store.database import Database


class Sealer:
    """Signs heads of one process's log; `signer` is the private key's signing function."""

    def __init__(
        self, *, database: Database, ambient: Ambient, key_id: str, signer: Callable[[bytes], bytes], log: str = "main"
    ) -> None:
        """Begin with an empty tree; the first sealing reads the whole log."""
        self._database = database
        self._ambient = ambient
        self._key_id = key_id
        self._signer = signer
        self._log = log
        self._tree = Frontier()
        self._last: SignedHead | None = None
        self._sealing = Lock()

    def sign_with(self, *, key_id: str, signer: Callable[[bytes], bytes]) -> None:
        """Sign with another key from the next head on."""
        with self._sealing:
            self._key_id, self._signer = key_id, signer

    def seal(self, *, most: int | None = None) -> SignedHead | None:
        """Sign and keep a head over what came since the last one; None when nothing came.

        With `most`, nothing is sealed when more entries than that would have to be read first.
        """
        # The last sealing of a process may meet a regular one that is still going on in another thread.
        with self._sealing:
            return self._seal(most)

    def _seal(self, most: int | None) -> SignedHead | None:
        with self._database.reading() as connection:
            end = next((head for head in audit.logs(connection) if head.log == self._log), None)
            if end is None or end.size == 0 or (most is not None and end.size - self._tree.size > most):
                return None
            fresh = audit.entries_after(connection, self._log, self._tree.size)
            self._tree = self._tree.add(leaf_hash(entry.leaf) for entry in islice(fresh, end.size - self._tree.size))
        if self._last is None:
            earlier = heads.read(self._database.directory)
            self._last = earlier[-1] if earlier else None
        if self._last is not None and self._last.head.size == self._tree.size:
            return None
        head = TreeHead(
            size=self._tree.size,
            root=self._tree.root(),
            at=self._ambient.now(),
            key_id=self._key_id,
            previous=self._last.head.digest() if self._last is not None else NO_HEAD,
            logs=(end,),
        )
        signed = sign(head, self._signer)
        heads.append(self._database.directory, signed)
        # Only what is on the disk is what the next head names as its predecessor.
        self._last = signed
        return signed
