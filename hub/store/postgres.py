"""Data on a server of PostgreSQL: what durability rests on is asked of the server before anything is changed.

Several processes work on one database. So no session may hold others up for long: a server gives up the transaction of
one that was stopped or cut off (`WRITER`), and how tables change under those who work is told in `upgrading`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg import conninfo
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from psycopg.types.string import StrDumper
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from hub.errors import Fatal, HubError, Refused, RetryLater
from hub.store import arrays, damage, heads, upgrading
from hub.store.migrating import Reach
from hub.store.statements import unread, without_values

#: The oldest server that every statement is made for.
OLDEST = 140000
#: What every session is given.
SESSION: Mapping[str, str] = {
    "timezone": "UTC",
    # A bundle's or a person's word must not change what a statement means.
    "standard_conforming_strings": "on",
    # A commit is acknowledged when it is on the server's disk, whatever the server or the database says for others.
    "synchronous_commit": "on",
}
#: Sessions that write: whoever is stopped in a transaction gives it up, so that others go on.
WRITER: Mapping[str, str] = {
    **SESSION,
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "1s",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "transaction_timeout": "90s",
}
#: Sessions that read: each transaction sees one state, and none can write.
READER: Mapping[str, str] = {
    **SESSION,
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "5min",
    "statement_timeout": "60s",
}
#: Settings that older servers do not have, and the first version that has them.
_SINCE = {"transaction_timeout": 170000}
#: What the connection itself is given, where the URL says nothing else: who is silent for so long is gone (seconds,
#: and milliseconds for what was sent and not acknowledged).
_REACHING: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "concord",
    "client_encoding": "UTF8",
}
#: The same for a replica: whoever reads there can as well read elsewhere.
_REACHING_REPLICA: Mapping[str, Any] = {
    **_REACHING,
    "connect_timeout": 2,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 2_000,
}
#: What durability rests on: setting, value, and what is lost otherwise.
_DURABLE = (
    ("fsync", "on", "a power cut destroys the database"),
    ("full_page_writes", "on", "a power cut leaves torn pages"),
    ("data_sync_retry", "off", "what could not be written is taken for written"),
)
#: Statements that the driver keeps prepared: all that a hub has.
_PREPARED = 2000


class Server:
    """One database of a server, for one process: some connections that write, and some that cannot."""

    def __init__(self, directory: Path, url: str, reach: Reach) -> None:
        """Ask the server what durability rests on, bring the database as far as is wanted, and compare its end."""
        self._over = False
        self.writer: Engine = _engine(url, WRITER, pool_size=1, max_overflow=3)
        self.reader: Engine = _engine(url, READER, pool_size=4, max_overflow=4, pool_pre_ping=True)
        event.listen(self.reader, "handle_error", _away)
        #: What a heartbeat and the ledgers of accounts have to themselves: no change that takes long, and no reader,
        #: stands before them.
        self.apart: Engine = _engine(url, WRITER, pool_size=2, max_overflow=1)
        for engine in (self.writer, self.reader, self.apart):
            event.listen(engine, "checkin", self._given_back)
        try:
            with self.writer.connect() as connection:
                with connection.begin():
                    assert_settings(connection)
                _migrate(self.writer, connection, directory, reach)
                with connection.begin():
                    damage.check_end(connection, directory)
        except SQLAlchemyError as error:
            self.close()
            raise _not_opened(url, error) from error
        except BaseException:
            self.close()
            raise

    def begin_reading(self, connection: Connection) -> None:
        """Nothing is to be done: a reader's transactions see one state from their first statement on."""

    def close(self) -> None:
        """Close every connection, those that a thread still reads with when it gives them back."""
        self._over = True
        self.apart.dispose()
        self.reader.dispose()
        self.writer.dispose()

    def _given_back(self, connection: psycopg.Connection[Any] | None, _record: Any) -> None:
        if self._over and connection is not None:
            connection.close()


def _away(told: ExceptionContext) -> None:
    """Let readers hear in the hub's own words that the server cannot be reached: they come back, and do not give up."""
    if not told.is_pre_ping and (told.connection is None or told.is_disconnect):
        raise unread(told.original_exception) from told.original_exception


def _not_opened(url: str, error: SQLAlchemyError) -> HubError:
    reason = str(getattr(error, "orig", error)).strip()
    place = shown(url)
    if isinstance(error, OperationalError):
        return RetryLater("The database cannot be used now.", code="database-away", database=place, reason=reason)
    return Refused("The database refused what a hub needs.", code="database-refused", database=place, reason=reason)


def shown(url: str) -> str:
    """Give a URL as people may see it: host, port, database and user, and never the password."""
    given = _read(url)
    place = f"{given.get('host', 'localhost')}:{given.get('port', '5432')}/{given.get('dbname', '')}"
    return f"postgresql://{given['user']}@{place}" if "user" in given else f"postgresql://{place}"


def _read(url: str) -> dict[str, str]:
    """Take a URL apart; what is wrong with it is told without a word of it, which may be of its password."""
    refused = Refused(
        "The database's URL cannot be read. It has the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and a "
        "password's special characters are percent-encoded in it (such as %40 for @).",
        code="database-url",
    )
    if not url.startswith(("postgresql://", "postgres://")):
        raise refused
    try:
        given = {name: str(value) for name, value in conninfo.conninfo_to_dict(url).items()}
    except psycopg.Error:
        # What the library says quotes what it did not understand.
        raise refused from None
    ports = given.get("port", "").split(",")
    if "@" in given.get("host", "") or not all(port.isdecimal() or not port for port in ports):
        raise refused
    return given


def _engine(url: str, session: Mapping[str, str], *, reaching: Mapping[str, Any] = _REACHING, **pool: Any) -> Engine:
    given = _read(url)
    reaching = {name: value for name, value in reaching.items() if name not in given}

    def connect() -> psycopg.Connection[Any]:
        try:
            # The driver's own reading of a URL knows several hosts, service files and all of TLS.
            return psycopg.connect(url, **reaching, prepare_threshold=2)
        except psycopg.OperationalError as error:
            raise _unreachable(url, given, error) from None

    engine = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        use_native_hstore=False,
        hide_parameters=True,
        **pool,
    )

    def prepare(connection: psycopg.Connection[Any], _record: Any) -> None:
        _prepare(connection, session)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "handle_error", _without_values)
    return engine


def _unreachable(url: str, given: Mapping[str, str], error: psycopg.OperationalError) -> psycopg.OperationalError:
    """Give the driver's error without the password, should a word of the server's or the resolver's have it."""
    reason = str(error)
    typed = url.partition("@")[0].rpartition(":")[2] if "@" in url else ""
    for secret in {given.get("password", ""), typed, unquote(typed)} - {""}:
        reason = reason.replace(secret, "…")
    return type(error)(reason)


def _without_values(context: ExceptionContext) -> None:
    error, told = context.original_exception, context.sqlalchemy_exception
    whole = str(error)
    without_values(error)
    if told is not None:
        told.args = tuple(str(each).replace(whole, str(error)) for each in told.args)


def _prepare(connection: psycopg.Connection[Any], session: Mapping[str, str]) -> None:
    connection.prepared_max = _PREPARED
    adapters = connection.adapters
    adapters.register_dumper(str, _TextDumper)
    for array in (arrays.Texts, arrays.BigIntegers, arrays.Integers, arrays.Booleans, arrays.Binaries):
        adapters.register_dumper(array, _dumper(array))
    for name in ("text", "varchar"):
        adapters.register_loader(name, _TextLoader)
    adapters.register_loader("numeric", _WholeLoader)
    known = [name for name in session if connection.info.server_version >= _SINCE.get(name, 0)]
    connection.autocommit = True
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS given (name, value)",
        [known, [session[name] for name in known]],
    )
    connection.autocommit = False


class _TextDumper(StrDumper):
    """Gives a text in the form in which PostgreSQL can keep it."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(arrays.kept(obj))


class _TextLoader(Loader):
    """Gives a text as it was given."""

    format = Format.TEXT

    def load(self, data: Buffer) -> str:
        return arrays.told(str(data, "utf-8"))


class _WholeLoader(Loader):
    """Gives a sum as what it is a sum of: every number in the tables is a whole one."""

    format = Format.TEXT

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def _dumper(array: type[arrays.Array]) -> type[Dumper]:
    class ArrayDumper(Dumper):
        """Gives an array in the form of the protocol."""

        format = Format.BINARY
        oid = array.oid

        def dump(self, obj: arrays.Array) -> Buffer | None:
            return obj.packed()

    return ArrayDumper


def replica(url: str) -> Engine:
    """Give an engine of sessions that cannot write, of a server that need not be there, and is given up soon."""
    return _engine(url, READER, reaching=_REACHING_REPLICA, pool_size=4, max_overflow=4, pool_pre_ping=True)


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Give a connection that changes nothing, not even to newer tables; raises what opening the database would."""
    engine = _engine(url, READER)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _not_opened(url, error) from error
    finally:
        engine.dispose()


def assert_settings(connection: Connection) -> None:
    """Ask the server what durability rests on, in the caller's transaction; `Fatal` and `Refused` as at a start."""
    names = [name for name, _value, _why in _DURABLE]
    asked = text(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), "
        "pg_is_in_recovery(), ARRAY(SELECT current_setting(name) FROM unnest(:names ::text[]) AS name)"
    )
    version, encoding, standby, found = connection.execute(asked, {"names": names}).one()
    if version < OLDEST:
        raise Refused(
            "The server's PostgreSQL is too old.",
            code="database-too-old",
            found=version // 10000,
            needed=OLDEST // 10000,
        )
    if encoding != "UTF8":
        raise Refused(
            "The database does not keep every character. Make one with ENCODING 'UTF8' (CREATE DATABASE … TEMPLATE "
            "template0 ENCODING 'UTF8').",
            code="database-encoding",
            found=encoding,
        )
    if standby:
        raise Refused("The server is a standby, which takes no writes; point at the primary.", code="database-standby")
    for (name, wanted, why), value in zip(_DURABLE, found, strict=True):
        if value != wanted:
            raise Fatal(
                f"The server does not keep a setting that durability needs: {why}.",
                code="database-settings",
                setting=name,
                wanted=wanted,
                found=value,
            )


def _migrate(engine: Engine, connection: Connection, directory: Path, reach: Reach) -> None:
    def begin_new(connection: Connection) -> None:
        _assert_new(directory)

    upgrading.bring(engine, connection, reach, begin_new=begin_new, after=_compare_bytewise)


def _assert_new(directory: Path) -> None:
    """Refuse to begin an empty database where there should be one."""
    if heads.last(directory) is not None:
        raise Fatal(
            "The database is empty, and signed heads of its audit log are in the data directory: the URL names another "
            "database than before, or its tables are gone. Nothing was changed.",
            code="database-missing",
            directory=str(directory),
        )


def _compare_bytewise(connection: Connection) -> None:
    """Let every text be compared by its bytes, as SQLite does: order and ranges of names rest on it.

    A database's own order is its country's, and changes with the libraries of its machine.
    """
    rows = connection.execute(
        text(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying') "
            "AND collation_name IS DISTINCT FROM 'C' ORDER BY table_name, ordinal_position"
        )
    )
    quoted = connection.dialect.identifier_preparer.quote
    changes: dict[str, list[str]] = {}
    for table, column, kind in rows:
        changes.setdefault(table, []).append(f'ALTER COLUMN {quoted(column)} TYPE {kind} COLLATE "C"')
    for table, columns in changes.items():
        connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} {', '.join(columns)}")
