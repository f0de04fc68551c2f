"""How far the tables of a database are brought: what was done, what is outstanding, and who keeps it so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from hub.queries.checkup import Finding, fail, note, ok, warn
from hub.store import migrating
from hub.store.migrating import Phase, Reach
from hub.store.sqlite import FILE_NAME

_AFTER = "When every process is of this version: `concord migrate --post`."


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step of a list: `state` is `done`, `outstanding`, or `unknown` for what a newer version has done.

    `needed_by` are workers that have not ended and need what it takes away.
    """

    step: str
    phase: str
    state: str
    what: str
    needed_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where a database stands beside this version: the step that it has come to, and what a process must know."""

    found: str | None
    newest: str
    needed: str
    least: str | None
    steps: Sequence[StepLine]

    @property
    def outstanding(self) -> Sequence[StepLine]:
        """Give what is still to be done."""
        return [line for line in self.steps if line.state == "outstanding"]


def tables_of(connection: Connection) -> Tables:
    """Tell where a database stands, asked in the caller's transaction."""
    stands = migrating.standing(connection)
    found = stands.found or ""
    lines = []
    for step in migrating.steps():
        needed_by: Sequence[str] = ()
        if step.name > found and step.without is not None and connection.dialect.name != "sqlite":
            from hub.store import upgrading  # noqa: PLC0415 - nothing of a server's is asked of a file

            needed_by = [f"{each.id} ({each.version})" for each in upgrading.older(connection, step.without)]
        state = "done" if step.name <= found else "outstanding"
        lines.append(StepLine(step=step.name, phase=step.phase.value, state=state, what=step.what, needed_by=needed_by))
    if found > migrating.NEWEST:
        lines.append(StepLine(step=found, phase="", state="unknown", what="Done by a newer version."))
    return Tables(
        found=stands.found, newest=migrating.NEWEST, needed=migrating.needed(), least=stands.least, steps=tuple(lines)
    )


def examined(connection: Connection) -> Finding:
    """Give what a doctor has to say of the tables."""
    stands = migrating.standing(connection)
    if stands.found == migrating.NEWEST:
        return ok("tables", f"the newest of this version ({migrating.NEWEST})")
    tables = tables_of(connection)
    if tables.found is not None and tables.found > migrating.NEWEST:
        if tables.least is not None and tables.least <= migrating.NEWEST:
            return note("tables", f"of a newer version ({tables.found}), which has only added to them")
        advice = "Start the version that wrote them, or restore a backup from before it."
        return fail("tables", f"of a newer version ({tables.found}), which this one cannot work on", advice)
    left = tables.outstanding
    if any(line.step <= tables.needed for line in left):
        advice = "Make a backup, then start the hub: it brings them to this version."
        return warn("tables", f"of another version ({tables.found})", advice)
    by = [name for line in left for name in line.needed_by]
    held = f"; {len(by)} processes still need it: {', '.join(by[:3])}" if by else ""
    return note("tables", f"{len(left)} steps of {Phase.POST.value} are outstanding{held}", _AFTER)


@contextmanager
def looking_at(data: Path, url: str | None) -> Iterator[Connection]:
    """Give a connection that changes nothing; the data is there."""
    if url is not None:
        from hub.store import postgres  # noqa: PLC0415 - its driver is installed only where it is used

        with postgres.reading(url) as connection:
            yield connection
        return
    place = f"file:{quote(str(data / FILE_NAME))}?mode=ro"
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: sqlite3.connect(place, uri=True))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def bring(data: Path, url: str | None, reach: Reach) -> None:
    """Bring a database as far as is wanted; a file always comes to the newest tables, and nobody may be using it."""
    from hub.store.database import Database  # noqa: PLC0415 - a look needs none of it

    Database(data, url, reach=reach).close()
