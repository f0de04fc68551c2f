"""Bringing a database to the newest tables, by the steps in `hub/store/migrations/versions`.

Each step is of a phase. One of `pre` only adds, so that processes that do not know it work on; it is taken before or
while those that need it start. One of `post` takes something away, or alters it: it names with `without` the step
since which processes do without that, and is taken when no process lives that knows less. The steps are one line: each
is taken after all before it. Which step a process must know at least is written down with each step, so that an
older process can tell whether it may go on with newer tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from hub.errors import Fatal, Refused
from hub.sdk import exact_json

if TYPE_CHECKING:
    from alembic.config import Config

    from hub.store.migrations.indexes import LateIndex

#: Where Alembic finds the steps.
LOCATION = "hub.store:migrations"
_FOLDER = Path(__file__).parent / "migrations" / "versions"
#: The newest step in `hub/store/migrations/versions`.
NEWEST = max(path.name[:4] for path in _FOLDER.glob("[0-9][0-9][0-9][0-9]_*.py"))
#: The mark that says which step a process must know at least; `hub/store/migrations/env.py` writes it.
MARK = "tables"
#: Gives something where there is such a table.
_THERE = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name = :table",
    "postgresql": "SELECT to_regclass(:table)::text",
}


class Phase(StrEnum):
    """When a step may be taken: while processes work that do not know it, or after them."""

    PRE = "pre"
    POST = "post"


class Reach(StrEnum):
    """How far a database is brought: not at all, as far as this version needs, or to the newest tables."""

    NOTHING = "nothing"
    NEEDED = "needed"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its name, what it is for in a sentence, and indexes that are made apart from it on a server.

    `without` is set for one of `post`: processes that know this step do without what it takes away.
    """

    name: str
    phase: Phase
    what: str
    without: str | None
    late: Sequence[LateIndex]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a database stands: the step that it has come to, and which one a process must know at least.

    `found` is None without tables; `least` is None where nobody has written it down.
    """

    found: str | None
    least: str | None


@cache
def steps() -> Sequence[Step]:
    """Give every step of this version in the order in which they are taken."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see `upgrade`

    scripts = reversed([*ScriptDirectory.from_config(_config()).walk_revisions()])
    return [
        Step(
            name=script.revision,
            phase=Phase(script.module.phase),
            what=(script.module.__doc__ or "").strip().splitlines()[0],
            without=getattr(script.module, "without", None),
            late=getattr(script.module, "late", ()),
        )
        for script in scripts
    ]


def least_at(step: str) -> str:
    """Give the step that a process must know at least to work on tables that have come to a step."""
    known = [each.without for each in steps() if each.without is not None and each.name <= step]
    return max(known, default=steps()[0].name)


def needed() -> str:
    """Give the step without which this version cannot work: the last that adds something."""
    return max(each.name for each in steps() if each.phase is Phase.PRE)


def outstanding(found: str | None, reach: Reach) -> Sequence[Step]:
    """Give the steps that are to be taken from where a database stands, in their order."""
    if reach is Reach.NOTHING or found == NEWEST:
        return []
    # Tables that nobody uses yet have nobody who could need their older form.
    last = NEWEST if reach is Reach.ALL or found is None else needed()
    return [each for each in steps() if (found or "") < each.name <= last]


def revision(connection: Connection) -> str | None:
    """Give the step that a database has come to, asked in the caller's transaction; None for one without tables."""
    if not _is_there(connection, "alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def standing(connection: Connection) -> Standing:
    """Tell where a database stands, asked in the caller's transaction."""
    found = revision(connection)
    if found is None or not _is_there(connection, "marks"):
        return Standing(found=found, least=None)
    value = connection.execute(text("SELECT value FROM marks WHERE name = :name"), {"name": MARK}).scalar()
    return Standing(found=found, least=None if value is None else str(exact_json.loads(value)["least"]))


def _is_there(connection: Connection, table: str) -> bool:
    return connection.execute(text(_THERE[connection.dialect.name]), {"table": table}).scalar() is not None


def assert_workable(stands: Standing) -> None:
    """Raise `Fatal` for tables from which a newer version has taken what this one needs.

    Tables to which newer versions have only added something serve this one as well.
    """
    if stands.found is None or stands.found <= NEWEST:
        return
    if stands.least is None or stands.least > NEWEST:
        raise Fatal(
            "The data was written by a newer version of Concord. Start that one, or use a copy from before it.",
            code="newer-data",
            tables=stands.found,
            known=NEWEST,
            needed=stands.least or "unknown",
        )


def assert_enough(stands: Standing) -> None:
    """Raise `Refused` for tables that lack what this version needs, for a process that does not make them itself."""
    if stands.found is None or (stands.found < NEWEST and stands.found < needed()):
        raise Refused(
            "The database does not have the tables that this version needs. Start a process of this version with the "
            "role api first, or run `concord migrate --pre`; then start this one again.",
            code="tables-missing",
            found=stands.found or "none",
            needed=needed(),
        )


def upgrade(connection: Connection, step: str = "head") -> None:
    """Take the steps that are missing up to one; within a transaction of the caller's they count together."""
    # Alembic takes a third of a second to import, and nearly every start finds the newest tables.
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, step)


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.set_main_option("path_separator", "os")
    return config
