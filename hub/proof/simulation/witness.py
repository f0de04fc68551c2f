"""What the database itself witnessed: each change of a state, each vote and each hold, at its true time."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.proof.evidence import Approval, Change, Hold, Vote


@dataclass(slots=True)
class Seen:
    """All of it, in the oracle's words; `intended` is by effect, `away` by person."""

    changes: list[Change] = field(default_factory=list)
    intended: dict[str, list[float]] = field(default_factory=dict)
    approvals: Sequence[Approval] = ()
    holds: list[Hold] = field(default_factory=list)
    away: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def read(connection: sqlite3.Connection) -> Seen:
    """Read what was witnessed."""
    seen = Seen()
    votes: dict[str, list[Vote]] = defaultdict(list)
    held: dict[tuple[str, str], float] = {}
    away: dict[str, float] = {}
    for kind, name, before, after, detail, at in connection.execute(
        "SELECT kind, id, before, after, detail, at FROM witnessed ORDER BY number"
    ):
        match kind:
            case "run" | "effect":
                seen.changes.append(Change(kind=kind, id=name, family="", before=before, after=after))
                if kind == "effect" and after == "intent":
                    seen.intended.setdefault(name, []).append(at)
            case "vote":
                votes[name].append(Vote(actor=detail, verdict=after, at=at))
            case "person" if after == "away":
                away.setdefault(f"person:{name}", at)
            case "person":
                begun = away.pop(f"person:{name}", at)
                seen.away.setdefault(f"person:{name}", []).append((begun, at))
            case _ if after == "held":
                held.setdefault((name, detail), at)
            case _:
                seen.holds.append(_hold(name, detail, held.pop((name, detail), at), at))
    seen.holds.extend(_hold(name, detail, begun, float("inf")) for (name, detail), begun in held.items())
    for person, begun in away.items():
        seen.away.setdefault(person, []).append((begun, float("inf")))
    seen.approvals = _approvals(connection, votes)
    return seen


def _hold(name: str, detail: str, begins: float, ends: float) -> Hold:
    kind, _, key = detail.partition(" ")
    return Hold(kind=kind, name=name, key=key, begins=begins, ends=ends)


def _approvals(connection: sqlite3.Connection, votes: Mapping[str, Sequence[Vote]]) -> list[Approval]:
    rows = connection.execute("SELECT id, record_hash FROM approvals").fetchall()
    return [Approval(id=name, record_hash=digest, votes=votes.get(name, ())) for name, digest in rows]
