"""The check-up of a hub: its machine, its files, its data, and itself; with the hub running or without."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.pool import StaticPool

from hub.connections.keys import present_key
from hub.connections.signing_key import signing_key
from hub.connections.vault import unpack
from hub.errors import HubError
from hub.queries import alarms, contents, pending
from hub.queries.checkup import CheckUp, Finding, Mark, fail, look, note, ok, plain, warn
from hub.queries.integrity import verify_logs
from hub.runtime import company, feeding, surroundings, tables
from hub.runtime.composition import Hub, HubState
from hub.runtime.settings import HubSettings
from hub.store import alarms as told_alarms
from hub.store import damage, heads, migrating, partitions
from hub.store.account_tables import secrets
from hub.store.committer import Transaction, Work
from hub.store.replica import Following, Replica
from hub.store.sqlite import FILE_NAME, owning

Verifier = Callable[[bytes, bytes], bool]

#: What durability rests on, as SQLite must say it of the connection that writes.
SETTINGS: Mapping[str, object] = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
#: So many alarms are told one by one; `concord alarms` lists them all.
_MOST = 10
_OTHER = "Name the hub's database in CONCORD_DATABASE, or begin a new one with `concord serve`."
_RESTORE = "Keep a copy of the data directory, and restore the newest backup: `concord restore FILE --force`."


class Doctor:
    """Examines a running hub from inside."""

    def __init__(self, hub: Hub, replica: Replica | None = None) -> None:
        """Remember the moment, so that a clock that is set later is noticed."""
        self._hub = hub
        self._replica = replica
        self._began = (hub.ambient.now(), time.monotonic())

    async def examine(self, *, deep: bool) -> CheckUp:
        """Make all checks; the deep ones read everything and take their time, in a thread of their own."""
        settings = await self._settings()
        backbone = await feeding.of_hub(self._hub.backbone)
        return await asyncio.to_thread(self._examine, [settings, *backbone], deep)

    def _examine(self, settings: Sequence[Finding], deep: bool) -> CheckUp:  # noqa: FBT001 - called through a thread
        hub = self._hub
        now = hub.ambient.now()
        jump = (now - self._began[0]) - timedelta(seconds=time.monotonic() - self._began[1])
        with hub.database.reading() as connection:
            found = [
                *look("hub", lambda: _state(hub)),
                *surroundings.examine(hub.settings, now=now, skews=hub.transport.skews(), jump=jump),
                *look("vault-key", lambda: _vault(connection, hub.settings)),
                *settings,
                *look("feed", lambda: _feed(connection, hub, now)),
                *_files(connection, hub.settings.data, hub.verifier, deep=deep),
                *look("audit-heads", lambda: _sealed(hub.settings.data)),
                *look("accounts", lambda: _accounts(hub)),
                *look("tables", lambda: tables.examined(connection)),
                *look("workers", lambda: list(company.examined(hub))),
                *look("data", lambda: pending.examine(connection, hub.environment.name, now)),
                *look("partitions", lambda: _partitions(connection, now)),
                *look("replica", lambda: _replica(self._replica)),
                *look("alarms", lambda: _alarms(hub)),
            ]
        return CheckUp(findings=found)

    async def _settings(self) -> Finding:
        if self._hub.database.dialect != "sqlite":
            return await asyncio.to_thread(self._settings_of_server)

        def read(transaction: Transaction) -> dict[str, object]:
            run = transaction.connection.exec_driver_sql
            return {name: run(f"PRAGMA {name}").scalar() for name in SETTINGS}

        try:
            found = await self._hub.committer.commit(Work(read))
        except HubError as error:
            return fail("settings", str(error), "See the other lines.")
        return _compared(found)

    def _settings_of_server(self) -> Finding:
        with self._hub.database.reading() as connection:
            return _promised(connection)


def examine_offline(settings: HubSettings, *, now: datetime, deep: bool) -> CheckUp:
    """Make the checks on data that no hub uses; nothing is changed, and damage is a finding."""
    data = settings.data
    if settings.database is not None:
        return CheckUp(findings=_on_server(settings, settings.database, now=now, deep=deep))
    if not (data / FILE_NAME).exists():
        missing = look("database", lambda: _missing(data))
        machine = surroundings.examine(settings, now=now) if data.is_dir() else []
        return CheckUp(findings=[*missing, *machine])
    found = [
        note("hub", "no hub runs on this data", "Start it with `concord serve`."),
        *surroundings.examine(settings, now=now),
        *look("nats", lambda: feeding.beside(settings.environ, settings.environment)),
    ]
    try:
        with owning(data):
            found.extend(look("files", lambda: _undamaged(data)))
            found.extend(_opened(settings, now=now, deep=deep))
    except OSError as error:
        told = f"cannot be written by this user: {error.strerror} ({error.filename})"
        found.append(fail("database", told, "Give the directory and its files to the user the hub runs as."))
    return CheckUp(findings=found)


def examine_beside(settings: HubSettings, hangs: HubError, *, now: datetime) -> CheckUp:
    """Make the checks that need neither the data nor the hub that has them open, for one that does not answer."""
    advice = "Look at its log and at the machine; end it, with SIGKILL if it must be, and start it again."
    machine = surroundings.examine(settings, now=now)
    backbone = look("nats", lambda: feeding.beside(settings.environ, settings.environment))
    return CheckUp(findings=[fail("hub", str(hangs), advice), *machine, *backbone])


def _on_server(settings: HubSettings, url: str, *, now: datetime, deep: bool) -> list[Finding]:
    from hub.store import postgres  # noqa: PLC0415 - its driver is installed only where it is used

    found = [
        note("hub", "no hub of this data directory answers", "Start it with `concord serve`."),
        *(surroundings.examine(settings, now=now) if settings.data.is_dir() else []),
        *look("nats", lambda: feeding.beside(settings.environ, settings.environment)),
    ]
    try:
        with postgres.reading(url) as connection:
            found.append(_promised(connection))
            if migrating.revision(connection) is None:
                return [*found, fail("database", f"{postgres.shown(url)} has none of the hub's tables", _OTHER)]
            found.append(ok("database", postgres.shown(url)))
            found.extend(look("vault-key", lambda: _vault(connection, settings)))
            found.extend(_files(connection, settings.data, _verifier(settings), deep=deep))
            found.extend(look("data", lambda: _inside(connection, settings.data, settings, now)))
    except HubError as error:
        found.append(fail("database", str(error), "Look at the server, and at CONCORD_DATABASE."))
    return found


def _promised(connection: Connection) -> Finding:
    from hub.store import postgres  # noqa: PLC0415 - as above

    try:
        postgres.assert_settings(connection)
    except HubError as error:
        return fail("settings", str(error), "Stop the hub: its commits would not be durable.")
    return ok("settings", "fsync, full pages, no second try of a failed sync; every commit waits for the server's disk")


def _opened(settings: HubSettings, *, now: datetime, deep: bool) -> list[Finding]:
    data, found = settings.data, list[Finding]()
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: _read_only(data / FILE_NAME))
    try:
        with engine.connect() as connection:
            if (
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").scalar()
                is None
            ):
                return [fail("database", "it has none of the hub's tables", _RESTORE)]
            found.extend(look("vault-key", lambda: _vault(connection, settings)))
            found.extend(_files(connection, data, _verifier(settings), deep=deep))
            found.extend(look("data", lambda: _inside(connection, data, settings, now)))
    except Exception as error:  # noqa: BLE001 - a file that cannot be opened is a finding
        found.append(fail("database", plain(error), _RESTORE))
    finally:
        engine.dispose()
    return found


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


def _missing(data: Path) -> Finding:
    if heads.last(data) is not None:
        return fail("database", "it is gone, and signed heads of its audit log are there", _RESTORE)
    return warn(
        "database",
        f"there is no hub's data in {data.absolute()}",
        "Name the hub's folder with --data or CONCORD_DATA, or begin a new one with `concord serve`.",
    )


def _undamaged(data: Path) -> Finding:
    try:
        whole = damage.look(data / FILE_NAME)
    except HubError as error:
        return fail("files", f"{error.detail.split('.')[0]}: {error.facts.get('found', error.code)}", _RESTORE)
    return ok("files", "no damage was found" + ("" if whole else " in the time of a start"))


def _inside(connection: Connection, data: Path, settings: HubSettings, now: datetime) -> Iterator[Finding]:
    environment = settings.environment
    finding = tables.examined(connection)
    if finding.mark is not Mark.OK:
        yield finding
    if finding.mark in {Mark.WARN, Mark.FAIL}:
        # What this version would look at is not there, or not as it expects it.
        return
    try:
        damage.check_end(connection, data)
    except HubError as error:
        yield fail("audit-heads", str(error.detail.split(":")[0]), _RESTORE)
    known = connection.exec_driver_sql("SELECT DISTINCT environment FROM revisions").scalars().all()
    served = environment if environment in known or len(known) != 1 else known[0]
    yield from feeding.of_outbox(connection, served, settings.environ, now)
    yield from pending.examine(connection, served, now)
    yield from _partitions(connection, now)
    standing = told_alarms.listing(connection, environment=served)
    yield _alarming(f"{kind} {subject}: {row['detail']}" for (kind, subject), row in sorted(standing.items()))


def _verifier(settings: HubSettings) -> Verifier | None:
    try:
        key = present_key(settings.environ, settings.data.resolve().name, settings.key_file)
    except HubError:
        return None
    return None if key is None else signing_key(key).verify


def _state(hub: Hub) -> Finding:
    state = hub.state
    if state is HubState.READY:
        return ok("hub", f"takes new work; {hub.worker.in_flight} runs in hand, {hub.committer.groups:,} commits")
    if state is HubState.STORAGE_FULL:
        return fail("hub", "the disk is full: intake answers 503, and runs wait", "Make room; the hub then goes on.")
    if state is HubState.DATABASE_AWAY:
        reason = hub.committer.obstacle.facts.get("reason") if hub.committer.obstacle is not None else None
        return fail(
            "hub", f"the database is away: intake answers 503, and runs wait ({reason})", "It goes on by itself."
        )
    return warn("hub", state.value, "Wait for it.")


def _alarms(hub: Hub) -> Finding:
    found = alarms.listing(hub.view, hub.incoming.watched)
    return _alarming(f"{alarm.kind.value} {alarm.subject}: {alarm.detail}" for alarm in found)


def _alarming(told: Iterable[str]) -> Finding:
    """Tell of every alarm that stands; without a hub, of those that it had told when it ended."""
    found = list(told)
    if not found:
        return ok("alarms", "none")
    more = f" And {len(found) - _MOST} more." if len(found) > _MOST else ""
    return warn(
        "alarms", f"{len(found)}: " + " ".join(found[:_MOST]) + more, "See `concord alarms`; each kind has its runbook."
    )


def _compared(found: Mapping[str, object]) -> Finding:
    wrong = [f"{name} is {found[name]}, not {wanted}" for name, wanted in SETTINGS.items() if found[name] != wanted]
    if wrong:
        return fail("settings", "; ".join(wrong), "Stop the hub: its commits would not be durable.")
    return ok("settings", "write-ahead log, every commit synced, one connection writes")


def _partitions(connection: Connection, now: datetime) -> Iterator[Finding]:
    """Tell whether every row lies in a month, and whether the months ahead are made; of a file nothing is told."""
    if connection.dialect.name != "postgresql":
        return
    standing = partitions.existing(connection)
    if not standing:
        yield note("partitions", "there are none yet", "See how newer tables are made in docs/operations.md.")
        return
    outside = partitions.others(connection)
    late = sorted({f"{month:%Y-%m}" for _table, month in partitions.missing(standing, now)})
    if outside:
        told = ", ".join(f"{number:,} of `{name}`" for name, number in sorted(outside.items()))
        advice = "Look at the machines' clocks, and whether a process has the scheduler's role: it makes the months."
        yield warn("partitions", f"rows that lie in no month (counted to a thousand): {told}", advice)
    elif late:
        advice = "Start a process with the scheduler's role; look at its log for `partitions.busy`."
        yield warn("partitions", f"none is made yet for {', '.join(late)}; nothing is refused for that", advice)
    else:
        yield ok("partitions", f"{len(standing)}, and those of the months ahead are made")


def _replica(replica: Replica | None) -> Iterator[Finding]:
    """Tell how the replica stands that pages and lists are read from, where there is one."""
    if replica is None:
        return
    standing = replica.standing
    if standing.state is Following.FOLLOWS:
        yield ok("replica", f"{replica.place} follows within {standing.lag or 0:.1f} s")
        return
    behind = "more than a few seconds" if standing.lag is None else f"{standing.lag:.1f} s"
    found = f"is {behind} behind" if standing.state is Following.BEHIND else f"is not read: {standing.reason}"
    advice = "Pages and lists are read from the database itself meanwhile. Look at the standby and what feeds it."
    yield warn("replica", f"{replica.place} {found}", advice)


def _vault(connection: Connection, settings: HubSettings) -> Finding:
    used = [unpack(sealed).key_id for sealed in connection.execute(select(secrets.c.sealed)).scalars()]
    return surroundings.vault_key(settings, used)


def _files(connection: Connection, data: Path, verifier: Verifier | None, *, deep: bool) -> list[Finding]:
    if not deep:
        return [note("integrity", "every page, hash and audit entry is looked at with --deep")]
    return [
        *look("integrity", lambda: _pages(connection)),
        *look("contents", lambda: _contents(connection)),
        *look("audit", lambda: _audit(connection, data, verifier)),
    ]


def _pages(connection: Connection) -> Finding:
    if connection.dialect.name != "sqlite":
        return note("integrity", "the server's pages are its own to check", "See pg_amcheck and data checksums there.")
    found = [str(row) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()]
    if found != ["ok"]:
        return fail("integrity", "; ".join(found)[:500], _RESTORE)
    return ok("integrity", "every page and index holds")


def _contents(connection: Connection) -> Finding:
    found = contents.compare(connection)
    if found.wrong:
        told = f"{len(found.wrong)} of {found.compared:,} contents do not have their hash: {', '.join(found.wrong[:5])}"
        return fail("contents", told, _RESTORE)
    return ok("contents", f"{found.compared:,} payloads, requests and revisions have their hashes")


def _audit(connection: Connection, data: Path, verifier: Verifier | None) -> Finding:
    verdict = verify_logs(connection, data, verifier or (lambda _signature, _message: True))
    entries = sum(log.size for log in verdict.logs)
    if not verdict.holds:
        return fail("audit", f"{len(verdict.faults)} faults: {verdict.faults[0]}", "See `concord audit verify`.")
    unsigned = "" if verifier is not None else "; signatures not checked, for want of the key"
    return ok("audit", f"{entries:,} entries hold, with {verdict.heads} signed heads{unsigned}")


def _sealed(data: Path) -> Finding:
    last = heads.last(data)
    if last is None:
        return ok("audit-heads", "none is signed yet")
    return ok("audit-heads", f"the last was signed {last.head.at:%Y-%m-%d %H:%M:%S}Z over {last.head.size:,} entries")


def _feed(connection: Connection, hub: Hub, now: datetime) -> list[Finding]:
    return feeding.of_outbox(connection, hub.environment.name, hub.settings.environ, now)


def _accounts(hub: Hub) -> Finding:
    unusable = sorted(set(hub.environment.connections) - set(hub.accounts))
    if unusable:
        advice = "Store their secrets with `concord vault set`, and see `concord check`."
        return warn("accounts", f"cannot be used: {', '.join(unusable)}", advice)
    return ok("accounts", f"{len(hub.accounts)} connections can be used")
