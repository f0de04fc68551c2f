"""Verifying the audit log: every entry of every log against its chain, its end, and what was anchored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from hub.audit.chain import ChainHead
from hub.audit.heads import head_faults
from hub.audit.verification import verify_chain
from hub.store import audit, heads
from hub.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verifying found: the logs with their sizes, how many signed heads were held against them, every fault."""

    logs: tuple[ChainHead, ...]
    heads: int
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Tell whether nothing was found."""
        return not self.faults

    def to_json(self) -> dict[str, object]:
        """Give the JSON form."""
        return {
            "holds": self.holds,
            "logs": [{"log": log.log, "entries": log.size} for log in self.logs],
            "heads": self.heads,
            "faults": list(self.faults),
        }


def verify(database: Database, verifier: Callable[[bytes, bytes], bool]) -> Verdict:
    """Read every log once and check it against its chain, its end, and the signed heads outside the database.

    `verifier(signature, message)` tells whether the hub's key signed a head. Memory does not grow with the log.
    """
    with database.reading() as connection:
        return verify_logs(connection, database.directory, verifier)


def verify_logs(connection: Connection, directory: Path, verifier: Callable[[bytes, bytes], bool]) -> Verdict:
    """Check the logs that a connection sees against the signed heads in a folder."""
    try:
        signed = heads.read(directory)
    except ValueError as error:
        return Verdict(logs=(), heads=0, faults=(str(error),))
    faults = head_faults(signed, verifier)
    trusted = [] if faults else [anchor for head in signed for anchor in head.head.logs]
    logs = audit.logs(connection)
    # A log that was sealed once is in every later head.
    known = {log.log for log in logs}
    sealed = signed[-1].head.logs if trusted else ()
    faults.extend(
        f"log {anchor.log}: it is gone, with {anchor.size} entries" for anchor in sealed if anchor.log not in known
    )
    for log in logs:
        anchors = [anchor for anchor in trusted if anchor.log == log.log]
        faults.extend(map(str, verify_chain(audit.entries(connection, log.log), log, anchors)))
    return Verdict(logs=tuple(logs), heads=len(signed), faults=tuple(faults))
