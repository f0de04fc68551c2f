"""Many rows in few statements: as many as there are, each as it is, and what is wrong with one is told as ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    func,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from hub.store import statements
from hub.store.postgres import WRITER
from hub.store.postgres import _engine as server_engine
from hub.store.statements import Formed, alike, among, containing, names_of
from tests import postgres

THINGS = Table(
    "things",
    MetaData(),
    # As the migrations make every text.
    Column("id", String().with_variant(String(collation="C"), "postgresql"), primary_key=True),
    Column("order", Integer),
    Column("body", LargeBinary),
    Column("count", BigInteger, nullable=False),
    Column("open", Boolean),
    prefixes=["TEMPORARY"],
)
#: From so many rows on PostgreSQL copies them: each time, and never.
SIZES = (1, 1000)
rows_of = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    st.tuples(st.none() | st.integers(-9, 9), st.none() | st.binary(max_size=3), st.integers(-(2**63), 2**63 - 1)),
    max_size=300,
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Give an empty table."""
    with opened() as connection:
        yield connection


@contextmanager
def opened() -> Iterator[Connection]:
    """Open a database with the empty table."""
    with TemporaryDirectory() as folder:
        engine = writer(Path(folder))
        try:
            with engine.connect() as connection:
                # Of one connection, and gone with it.
                THINGS.create(connection)
                connection.commit()
                yield connection
        finally:
            engine.dispose()


def writer(folder: Path) -> Engine:
    """Give an engine of the kind that the hub writes with."""
    if postgres.WANTED:
        return server_engine(postgres.databases().url_of(folder), WRITER)
    return create_engine("sqlite://")


def row(id: str, order: int | None = None, body: bytes | None = None, count: int = 0) -> dict[str, Any]:
    """Give a row."""
    return {"count": count, "id": id, "order": order, "body": body}


def stored(connection: Connection) -> dict[str, dict[str, Any]]:
    """Give what stands, without the column that nobody wrote."""
    found = connection.execute(select(THINGS)).all()
    return {each.id: {**each._mapping, "open": None} for each in found}


@given(rows_of, rows_of, st.randoms(), st.sampled_from(SIZES))
def test_rows_stand_as_they_were_given(first: Any, second: Any, dice: Any, copied: int) -> None:
    """However many there are, inserted, taken over, and changed."""
    with opened() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "_COPIED", copied)
        rows = [row(id, *values) for id, values in first.items()]
        statements.insert(connection, THINGS, rows)
        assert stored(connection) == {each["id"]: {**each, "open": None} for each in rows}
        more = [row(id, *values) for id, values in second.items()]
        statements.upsert(connection, THINGS, more, keys=("id",), change=("order", "count"))
        expected = {each["id"]: dict(each) for each in rows}
        for each in more:
            was = expected.setdefault(each["id"], dict(each))
            was |= {"order": each["order"], "count": each["count"]}
        assert stored(connection) == {id: {**each, "open": None} for id, each in expected.items()}
        changed = dice.choices(list(expected), k=dice.randint(0, 200)) if expected else []
        changes = [row(id, dice.randint(0, 9), b"x", number) for number, id in enumerate(changed)]
        statements.change(connection, THINGS, changes, key="id", columns=("count", "body"))
        for each in changes:
            expected[each["id"]] |= {"count": each["count"], "body": each["body"]}
        assert stored(connection) == {id: {**each, "open": None} for id, each in expected.items()}


def test_what_stands_is_left_where_nothing_is_to_be_taken_over(connection: Connection) -> None:
    """The first word counts, also within one statement."""
    statements.upsert(connection, THINGS, [row("a", 1), row("a", 2), row("b", 3)], keys=("id",), change=())
    assert {id: each["order"] for id, each in stored(connection).items()} == {"a": 1, "b": 3}


def test_of_several_rows_about_one_the_later_words_count_for_what_is_taken_over(connection: Connection) -> None:
    """As if each had been written after the other, also onto a row that stands."""
    statements.insert(connection, THINGS, [row("a", 0, b"old", 0)])
    given = [row("b", 1, b"first", 1), row("a", 2, b"x", 2), row("b", 3, b"y", 3), row("a", 4, b"z", 4)]
    statements.upsert(connection, THINGS, given, keys=("id",), change=("order",))
    found = {id: (each["order"], each["body"], each["count"]) for id, each in stored(connection).items()}
    assert found == {"a": (4, b"old", 0), "b": (3, b"first", 1)}


@pytest.mark.parametrize("copied", SIZES)
def test_what_does_not_fit_is_told_as_sqlalchemy_tells_it(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, copied: int
) -> None:
    """Without the values, which may be anybody's."""
    monkeypatch.setattr(statements, "_COPIED", copied)
    statements.insert(connection, THINGS, [row("a")])
    with pytest.raises(IntegrityError, match=r"(?i)unique") as taken:
        statements.insert(connection, THINGS, [row("b", body=b"secret"), row("a", body=b"secret")])
    assert not re.search(r"secret|\(a\)", f"{taken.value} {taken.value.orig}")
    connection.rollback()
    connection.connection.rollback()
    statements.insert(connection, THINGS, [row("a")])
    with pytest.raises(IntegrityError, match=r"(?i)unique") as also:
        connection.execute(THINGS.insert(), row("a", body=b"secret"))
    assert not re.search(r"secret|\(a\)", f"{also.value} {also.value.orig}")
    connection.rollback()
    with pytest.raises(OverflowError):
        statements.insert(connection, THINGS, [row("c", count=2**63)])
    with pytest.raises(DBAPIError, match="nowhere"):
        statements.execute(connection, "SELECT nothing FROM nowhere", ())


def test_what_is_found_not_to_fit_while_others_are_written_leaves_none_of_them(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is given rows in portions has some of them by then."""
    monkeypatch.setattr(statements, "_PORTION", 40)
    rows = [row(f"{number:03}", number) for number in range(100)]
    with pytest.raises(OverflowError):
        statements.insert(connection, THINGS, [*rows, row("100", count=2**63)])
    connection.rollback()
    connection.connection.rollback()
    assert stored(connection) == {}
    statements.insert(connection, THINGS, rows)
    assert stored(connection) == {each["id"]: {**each, "open": None} for each in rows}


@pytest.mark.embedded("it goes on while rows are taken")
def test_what_goes_wrong_after_the_first_row_is_told_in_the_same_way(connection: Connection) -> None:
    """Whoever stops the process because the database fails looks for one kind of error."""
    statements.insert(connection, THINGS, [row("1"), row("no JSON")])
    asked = Formed(select(func.json(THINGS.c.id)).order_by(THINGS.c.id))
    for ask in (asked.rows, asked.scalar):
        with pytest.raises(OperationalError, match="malformed JSON"):
            ask(connection)


def test_a_statement_is_formed_once_with_its_lists_and_constants(connection: Connection) -> None:
    """Of the names that it asks for there may be any number."""
    statements.insert(connection, THINGS, [row(f"t{number}", number % 3, count=number) for number in range(50)])
    asked = Formed(
        select(THINGS.c.id, THINGS.c.order)
        .where(among(THINGS.c.id, "ids"), THINGS.c.order.in_([0, 1]), THINGS.c.count >= bindparam("least"))
        .order_by(THINGS.c.count)
    )
    for most in (0, 1, 7, 50):
        ids = [f"t{number}" for number in range(most)]
        found = asked.rows(connection, ids=names_of(ids), least=2)
        assert found == [{"id": f"t{n}", "order": n % 3} for n in range(2, most) if n % 3 != 2]
    assert asked.scalar(connection, ids=names_of(["t4", "t3"]), least=0) == "t3"
    assert asked.scalar(connection, ids=names_of([]), least=0) is None


@pytest.mark.parametrize("copied", SIZES)
def test_a_text_is_kept_whatever_is_in_it(connection: Connection, monkeypatch: pytest.MonkeyPatch, copied: int) -> None:
    """Vendors send what no database likes; also what stands for that is kept as it is, and each is found by itself."""
    monkeypatch.setattr(statements, "_COPIED", copied)
    texts = [
        "a\0b",
        "\0",
        "\uffff",
        "\uffff0",
        "\uffff1",
        "a\uffff",
        "𝄞\0",
        "%",
        "_",
        "\\",
        "'",
        '"',
        "{,}",
        "NULL",
        "",
        "\\N",
        "\\.",
        "\\x00",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "%s",
        "\x1a",
    ]
    statements.insert(connection, THINGS, [row(each, number) for number, each in enumerate(texts)])
    assert {id: each["order"] for id, each in stored(connection).items()} == {e: n for n, e in enumerate(texts)}
    alone = Formed(select(THINGS.c.order).where(THINGS.c.id == bindparam("id")))
    for number, each in enumerate(texts):
        assert alone.scalar(connection, id=each) == number
        asked = select(THINGS.c.order).where(THINGS.c.id == each)
        assert connection.execute(asked).scalar_one() == number
    statements.change(connection, THINGS, [row(each, -1) for each in texts[:6]], key="id", columns=("order",))
    assert {each for each, found in stored(connection).items() if found["order"] == -1} == set(texts[:6])
    several = Formed(select(func.count()).where(among(THINGS.c.id, "ids")))
    assert several.scalar(connection, ids=names_of(texts[2:6])) == 4


def test_texts_are_compared_by_their_bytes_and_searched_as_people_type_them(connection: Connection) -> None:
    """Order and ranges rest on the one; of letters, only those of ASCII are found in both cases."""
    texts = ["Z", "a", "B", "ä", "_x", "-", "[", "50%", "AB_c"]
    statements.insert(connection, THINGS, [row(each) for each in texts])
    ordered = connection.execute(select(THINGS.c.id).order_by(THINGS.c.id)).scalars().all()
    assert ordered == sorted(texts, key=str.encode)

    def found(condition: Any) -> set[str]:
        return set(connection.execute(select(THINGS.c.id).where(condition)).scalars())

    assert found(alike(THINGS.c.id, "b%")) == {"B"}
    assert found(alike(THINGS.c.id, "%\\%")) == {"50%"}
    assert found(containing(THINGS.c.id, "b_")) == {"AB_c"}
    assert found(containing(THINGS.c.id, "%")) == {"50%"}
    assert found(containing(THINGS.c.id, "Ä")) == set()
    assert connection.execute(select(func.count()).where(containing(THINGS.c.id, "B"))).scalar_one() == 2


@pytest.mark.embedded("a reader of its file")
def test_a_look_leaves_nothing_open(tmp_path: Path) -> None:
    """A reader that is half through with an answer would see the old state for ever."""
    engine = create_engine(f"sqlite:///{tmp_path / 'f.db'}", connect_args={"check_same_thread": False})
    with engine.connect() as writer:
        writer.exec_driver_sql("PRAGMA journal_mode=WAL")
        writer.exec_driver_sql('CREATE TABLE things (id TEXT PRIMARY KEY, "order" INT, body BLOB, count INT, open INT)')
        writer.commit()
        asked = Formed(select(THINGS.c.count).order_by(THINGS.c.id))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as reader:
            for number in range(3):
                statements.insert(writer, THINGS, [row(f"{9 - number}", count=number), row(f"{9 - number}b", count=9)])
                writer.commit()
                writer.connection.commit()
                assert asked.scalar(reader) == number
    engine.dispose()
