"""Sealing the audit log: a signed tree head over all that is committed, kept outside the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from threading import Lock

from sqlalchemy import Connection

from hub.audit.chain import Link
from hub.audit.frontier import Frontier
from hub.audit.heads import NO_HEAD, SignedHead, TreeHead, sign
from hub.audit.merkle import leaf_hash
from hub.model.ambient import Ambient
from hub.store import audit, heads
from hub.store.database import Database


class Sealer:
    """Signs heads over all logs of a database; `signer` is the private key's signing function."""

    def __init__(self, *, database: Database, ambient: Ambient, key_id: str, signer: Callable[[bytes], bytes]) -> None:
        """Begin with an empty tree; the first sealing reads all logs, in the order in which they were sealed before."""
        self._database = database
        self._ambient = ambient
        self._key_id = key_id
        self._signer = signer
        self._tree = Frontier()
        #: How many entries of each log are in the tree.
        self._sizes: Mapping[str, int] = {}
        self._last: SignedHead | None = None
        self._sealing = Lock()

    def sign_with(self, *, key_id: str, signer: Callable[[bytes], bytes]) -> None:
        """Sign with another key from the next head on."""
        with self._sealing:
            self._key_id, self._signer = key_id, signer

    def begin_anew(self) -> None:
        """Forget the tree: another process may have sealed meanwhile, with heads in the same directory."""
        with self._sealing:
            self._tree, self._sizes, self._last = Frontier(), {}, None

    def seal(self, *, most: int | None = None) -> SignedHead | None:
        """Sign and keep a head over what came since the last one; None when nothing came.

        With `most`, nothing is sealed when more entries than that would have to be read first.
        """
        # The last sealing of a process may meet a regular one that is still going on in another thread.
        with self._sealing:
            return self._seal(most)

    def _seal(self, most: int | None) -> SignedHead | None:
        with self._database.reading() as connection:
            ends = tuple(head for head in audit.logs(connection) if head.size)
            fresh = sum(end.size for end in ends) - self._tree.size
            if not ends or (most is not None and fresh > most):
                return None
            earlier: Sequence[SignedHead] = heads.read(self._database.directory) if self._last is None else ()
            self._last = earlier[-1] if earlier else self._last
            # What is in the tree already has its place there.
            states = [head.head.logs for head in earlier] if self._tree.size == 0 else []
            self._grow(connection, ({log.log: log.size for log in state} for state in (*states, ends)))
        if self._last is not None and self._last.head.size == self._tree.size:
            return None
        head = TreeHead(
            size=self._tree.size,
            root=self._tree.root(),
            at=self._ambient.now(),
            key_id=self._key_id,
            previous=self._last.head.digest() if self._last is not None else NO_HEAD,
            logs=ends,
        )
        signed = sign(head, self._signer)
        heads.append(self._database.directory, signed)
        # Only what is on the disk is what the next head names as its predecessor.
        self._last = signed
        return signed

    def _grow(self, connection: Connection, states: Iterable[Mapping[str, int]]) -> None:
        """Add what came to the logs from each state to the next, log by log."""
        tree, sizes = self._tree, dict(self._sizes)
        streams: dict[str, Iterator[Link]] = {}
        with ExitStack() as stack:
            for state in states:
                for log, size in sorted(state.items()):
                    before = sizes.get(log, 0)
                    if size <= before:
                        continue
                    if log not in streams:
                        streams[log] = stack.enter_context(closing(audit.entries_after(connection, log, before)))
                    tree = tree.add(leaf_hash(entry.leaf) for entry in islice(streams[log], size - before))
                    sizes[log] = size
        self._tree, self._sizes = tree, sizes
