"""Migrations bring a database to exactly the tables that the code knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.operations import AbstractOperations
from alembic.operations.ops import AddColumnOp, CreateIndexOp, CreateTableOp, ExecuteSQLOp, MigrateOperation
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from hub.errors import Fatal
from hub.model.event import EventFilter, EventState
from hub.proof.simulation.alike import replayed
from hub.store import (  # noqa: F401 - declares their tables
    account_tables,
    control_tables,
    crossrefs,
    events,
    migrating,
    outbox_tables,
    process_tables,
    thing_tables,
    things,
)
from hub.store.committer import Transaction
from hub.store.database import Database
from hub.store.migrating import NEWEST, Phase, Reach, Step
from hub.store.sqlite import FILE_NAME
from tests import postgres
from tests.store.additions import Shape, not_added, shape
from tests.store.declared import differences


class Bare:
    """A database without tables: of its own making, and as the hub opens it."""

    def __init__(self, directory: Path, url: str | None) -> None:
        """Take where it is: in a directory, or on a server."""
        self.directory, self.url = directory, url

    def engine(self) -> Engine:
        """Give an engine that knows nothing of the hub's ways."""
        if self.url is None:
            return create_engine(f"sqlite:///{self.directory / FILE_NAME}")
        return create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))

    def open(self) -> Database:
        """Open it as the hub does that takes every step, as the declared tables are those behind the last one."""
        return Database(self.directory, self.url, reach=Reach.ALL)


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    """Give a database without tables."""
    return Bare(tmp_path, postgres.databases().bare() if postgres.WANTED else None)


def test_the_newest_step_is_the_one_the_code_expects() -> None:
    """Otherwise a start would think that nothing is to be done."""
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_migrated_tables_are_the_declared_ones(bare: Bare) -> None:
    """No column, index or constraint is missing or left over."""
    database = bare.open()
    with database.writer.connect() as connection:
        assert differences(connection) == []
    database.close()


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """The newest tables are recognised."""
    Database(tmp_path).close()
    Database(tmp_path).close()


def test_what_an_earlier_release_kept_is_there_after_the_upgrade(bare: Bare) -> None:
    """Events of the first tables have neither flags nor a release, and are listed as ever."""
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    old = bare.engine()
    row: dict[str, Any] = {"id": "event_1", "environment": "test", "connection": "stripe", "external_id": "evt_1"}
    row["type"] = "unreadable"
    row |= {"subject": "", "occurred_at": 1, "received_at": 1, "via": "webhook", "state": "rejected", "deliveries": 2}
    row |= {"data": '{"body":"x"}', "body_hash": "00", "reason": "webhook-unreadable"}
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        names = ", ".join(row)
        connection.execute(text(f"insert into events ({names}) values ({', '.join(f':{name}' for name in row)})"), row)  # noqa: S608
    old.dispose()
    database = bare.open()
    with database.writer.connect() as connection:
        assert differences(connection) == []
    wanted = EventFilter(state=EventState.REJECTED)
    with database.reading() as connection:
        (kept,) = events.kept(connection, "test", wanted, after=None, limit=9)
    assert {name: kept[name] for name in row} == row and kept["flags"] is None and kept["release"] is None
    database.close()


def test_what_is_tied_has_a_history_after_the_upgrade(bare: Bare) -> None:
    """Ties of before stand, each as the primary id of its system, and their history begins with them."""
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    old = bare.engine()
    ties = [
        ("t", "customer", "stripe", "cus_1", "thing_1", 5, None, None),
        ("t", "customer", "netsuite", "1042", "thing_1", 5, "run_1", "link"),
        ("t", "invoice", "stripe", "in_1", "thing_2", 3, None, None),
    ]
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        names = "(:environment, :entity, :system, :id, :thing, :at, :run, :path)"
        given = [dict(zip(re.findall(r"\w+", names), tie, strict=True)) for tie in ties]
        connection.execute(text(f"INSERT INTO crossrefs VALUES {names}"), given)  # noqa: S608
    old.dispose()
    database = bare.open()
    with database.writer.connect() as connection:
        assert differences(connection) == []
        rows = things.history(connection, "t")
        assert [(row["position"], row["at"], row["system"], row["id"]) for row in rows] == [
            (1, 3, "stripe", "in_1"),
            (2, 5, "netsuite", "1042"),
            (3, 5, "stripe", "cus_1"),
        ]
        assert (rows[1]["run_id"], rows[1]["path"], rows[1]["actor"]) == ("run_1", "link", "before")
        assert replayed(rows).ids == {(tie[2], tie[3]): (tie[4], 0) for tie in ties}
        asked = {"environment": "t", "entity": "customer", "want": "netsuite"}
        assert crossrefs.find(connection, system="stripe", id="cus_1", **asked) == "1042"
    with database.writer.begin() as connection:
        # The next row of the history comes behind those.
        assert Transaction(connection=connection, now=9).next_values("thing", 1) == range(4, 5)
    database.close()


def test_each_step_says_when_it_may_be_taken() -> None:
    """One that takes away names a step that is there, not a later one; each is told in a sentence."""
    steps = migrating.steps()
    names = [step.name for step in steps]
    assert names == sorted(set(names)) and names[-1] == NEWEST
    for step in steps:
        assert (step.phase is Phase.POST) == (step.without is not None), step.name
        assert step.without is None or (step.without in names and step.without <= step.name), step.name
        assert step.what.endswith("."), step.name


#: From here on processes share a database, and work while a step is taken.
SHARED_SINCE = "0010"
#: It writes names of all events under a lock, which no version that shares a database can meet: none was published.
LOCKS = "0011"


def test_what_a_step_before_an_upgrade_does_only_adds(bare: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not know it reads and writes as before; on tables that were there it makes no index in its own time."""
    invoked: list[MigrateOperation] = []
    invoke = AbstractOperations.invoke

    def noted(self: AbstractOperations, operation: MigrateOperation) -> Any:
        invoked.append(operation)
        return invoke(self, operation)

    monkeypatch.setattr(AbstractOperations, "invoke", noted)
    engine = bare.engine()
    for step in migrating.steps():
        with engine.begin() as connection:
            before = shape(connection)
            invoked.clear()
            migrating.upgrade(connection, step.name)
            if step.phase is Phase.POST:
                continue
            assert [*not_added(before, shape(connection))] == [], step.name
            if step.name >= SHARED_SINCE and step.name != LOCKS:
                _assert_beside(step, invoked, before)
    engine.dispose()


def _assert_beside(step: Step, invoked: list[MigrateOperation], before: Shape) -> None:
    made = [index.statement() for index in step.late]
    for operation in invoked:
        if isinstance(operation, CreateIndexOp):
            assert operation.table_name not in before, f"{step.name}: list {operation.index_name} in `late`"
        elif isinstance(operation, ExecuteSQLOp):
            assert operation.sqltext in made, f"{step.name} runs {operation.sqltext}"
        else:
            assert isinstance(operation, CreateTableOp | AddColumnOp), f"{step.name} does {operation}"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE awaited", "awaited is gone"),
        ("ALTER TABLE runs DROP COLUMN output", "runs.output is gone"),
        ("ALTER TABLE runs RENAME COLUMN output TO result", "runs.output is gone"),
        ("CREATE UNIQUE INDEX ux ON runs (event_id)", "runs: another unique"),
        ("DROP INDEX uq_approvals_live", "approvals: another unique"),
    ],
)
def test_what_does_not_only_add_is_seen(bare: Bare, statement: str, told: str) -> None:
    """So the test before this one can fail."""
    bare.open().close()
    engine = bare.engine()
    with engine.begin() as connection:
        before = shape(connection)
        connection.exec_driver_sql(statement)
        assert told in [*not_added(before, shape(connection))]
    engine.dispose()


def _go_past(database: Database, value: str | None) -> None:
    """Leave tables as a newer version would."""
    with database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.execute(text("DELETE FROM marks WHERE name = 'tables'"))
        if value is not None:
            row = {"value": f'{{"least":"{value}","of":"a field of a newer version"}}'}
            connection.execute(text("INSERT INTO marks (name, value, at) VALUES ('tables', :value, 0)"), row)


def test_tables_to_which_a_newer_version_has_only_added_serve_an_older_one(tmp_path: Path) -> None:
    """It leaves them as they are."""
    database = Database(tmp_path)
    _go_past(database, NEWEST)
    database.close()
    for reach in Reach:
        opened = Database(tmp_path, reach=reach)
        with opened.reading() as connection:
            assert migrating.revision(connection) == "9999"
        opened.close()


@pytest.mark.parametrize("least", ["9998", None])
def test_data_from_which_a_newer_version_has_taken_something_is_refused(tmp_path: Path, least: str | None) -> None:
    """What to do is said, and nothing is changed; also where nobody has said what is needed."""
    database = Database(tmp_path)
    _go_past(database, least)
    database.close()
    with pytest.raises(Fatal, match="newer version of Concord"):
        Database(tmp_path)
