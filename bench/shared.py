"""Processes of one hub on a PostgreSQL of this machine, for measurements: the servers, an api, and so many workers.

All are real: the servers come from packages, the api takes events over HTTP, and workers are processes of their own.
Runs are put in a row first and become due at one moment, so that what is measured is their work and no start.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nats as nats_client
import psycopg

from bench import aside
from bench.shared_hub import ENVIRONMENT, TOKEN
from bench.things import events_data
from hub.access.local_token import read_local_token
from hub.backbone.names import bell_of
from hub.proof.http_json import Api
from hub.proof.processes import Child, Processes
from hub.proof.servers import nats, postgres
from hub.sdk import exact_json

#: Runs become due so many seconds after they are let go: by then every worker knows when, also one that only polls.
_DUE_IN = 1.3
#: Who has not come to an end after so many seconds never will.
_ENDS_WITHIN = 100.0
#: So many events are sent in one request.
_BATCH = 500
_HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/cloudevents-batch+json"}
_TICK: int = os.sysconf("SC_CLK_TCK")
_CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What a measurement's hubs stand on: the URL of PostgreSQL, its first process, NATS, and the target."""

    processes: Processes
    folder: Path
    database: str
    postmaster: int
    nats: str
    target: str
    target_pid: int

    def made(self, name: str) -> str:
        """Make a database of its own; gives its URL."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'".encode())
        return f"{self.database.rpartition('/')[0]}/{name}"


@contextmanager
def servers(*, target_seconds: float) -> Iterator[Servers]:
    """Start PostgreSQL, one node of NATS and the target, which answers after so many seconds; and end them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="concord-bench-")))
        environ = {"CONCORD_KEY_FILE": str(folder / "vault.key"), "CONCORD_NATS": "", "CONCORD_DATABASE": ""}
        processes = stack.enter_context(Processes(folder / "logs", environ))
        room = stack.enter_context(postgres.room())
        target = stack.enter_context(aside.started("bench.target", str(target_seconds)))
        server = processes.start("postgresql", postgres.command(room))
        node = nats.cluster(folder / "nats", 1)[0]
        processes.start("nats", node.command())
        yield Servers(
            processes=processes,
            folder=folder,
            database=str(server.hello["url"]),
            postmaster=int(server.hello["pid"]),
            nats=node.url,
            target=target.url,
            target_pid=target.pid,
        )


@contextmanager
def postgresql(url: str | None) -> Iterator[str]:
    """Give the URL of a server: of the one that is named, or of one that is started, and ended."""
    if url is not None:
        yield url
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="concord-bench-")))
        processes = stack.enter_context(Processes(folder / "logs"))
        room = stack.enter_context(postgres.room())
        yield str(processes.start("postgresql", postgres.command(room)).hello["url"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """So many flows, in so many seconds, with what each side used of the processor meanwhile (seconds).

    `log` and `stored` are the bytes that the database has written to its log and keeps, intake of the events included;
    `commits` are those of the flows alone.
    """

    flows: int
    seconds: float
    workers: Sequence[float]
    database: float
    target: float
    log: int
    stored: int
    commits: int

    @property
    def per_second(self) -> float:
        """Give flows a second."""
        return self.flows / self.seconds

    @property
    def database_share(self) -> float:
        """Give the part of one core that the database used."""
        return self.database / self.seconds

    @property
    def worker_share(self) -> float:
        """Give the part of one core that a worker used, on the average."""
        return sum(self.workers) / len(self.workers) / self.seconds


class Company:
    """One hub's processes on a database of its own; `nats` says whether they tell each other through it."""

    def __init__(self, on: Servers, name: str, *, nats: bool = False, in_hand: int = 400, warm: int = 150) -> None:
        """Make the database and start the api; no worker runs yet.

        A worker has so many runs `in_hand` at a time, and is `warm` after so many: what the first ones cost is not what
        the next million do.
        """
        self._on, self._name, self._in_hand, self._warm = on, name, in_hand, warm
        self.database = on.made(name)
        self._nats = on.nats if nats else ""
        self._sent = 0
        self._workers: list[Child] = []
        self._api = self._start("api", "api")
        self.url = str(self._api.hello["url"])
        token = read_local_token(on.folder / f"{name}-api" / "data") or ""
        rows = [{"crm": f"cus_{number}", "erp": str(number)} for number in range(50)]
        api = Api(self.url, {"authorization": f"Bearer {token}"})
        api.put("/api/crossrefs/customer", {"rows": rows, "replace": False})

    def begin(self, workers: int) -> None:
        """Start so many workers, and let them work a while."""
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        launched = [(name, self._launch(name, "worker")) for name in names]
        self._workers = [self._on.processes.wait(self._full(name), one) for name, one in launched]
        self.send(self._warm * workers)
        self.finish()
        with psycopg.connect(self.database, autocommit=True) as connection:
            # As the server does by itself within a minute of the first rows.
            connection.execute("ANALYZE")
        self.send(self._warm)
        self.finish()

    @contextmanager
    def working(self, workers: int) -> Iterator[None]:
        """Have so many workers, which have worked a while, and end them."""
        self.begin(workers)
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """Let the workers end in order."""
        for child in self._workers:
            child.process.terminate()
        for child in self._workers:
            child.stop(20.0)
        self._workers = []

    @property
    def pids(self) -> Sequence[int]:
        """Give the workers' processes."""
        return [child.process.pid for child in self._workers]

    def send(self, count: int) -> None:
        """Send so many events, each of which begins a run."""
        first, self._sent = self._sent, self._sent + count
        with contextlib.closing(http.client.HTTPConnection(self.url.removeprefix("http://"))) as connection:
            for start in range(first, first + count, _BATCH):
                batch = [_event(thing) for thing in events_data(min(_BATCH, first + count - start), first=start)]
                connection.request("POST", "/api/events", exact_json.dumps(batch), _HEADERS)
                answer = connection.getresponse()
                told = answer.read()
                if answer.status != http.HTTPStatus.ACCEPTED:
                    raise SystemExit(f"events were answered {answer.status}: {told[:300]!r}")

    def work(self, count: int) -> Worked:
        """Let so many runs become due at one moment, and wait until all have succeeded."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            before, _ = _finished(connection)
            log, stored, _ = _written(connection)
            with _kept_back(connection):
                self.send(count)
            row = connection.execute(_LET_GO.encode(), [round(_DUE_IN * 1_000_000)]).fetchone()
            assert row is not None
            due: int = row[0]
            self._ring()
            time.sleep(_DUE_IN - 0.05)
            commits = _written(connection)[2]
            used = [processor(pid) for pid in self.pids]
            server, target = family(self._on.postmaster), processor(self._on.target_pid)
            self.finish()
            workers = [processor(pid) - was for pid, was in zip(self.pids, used, strict=True)]
            server, target = family(self._on.postmaster) - server, processor(self._on.target_pid) - target
            done, last = _finished(connection)
            # Who commits tells of it a second later.
            time.sleep(1.1)
            written = _written(connection)
        if done - before != count:
            raise SystemExit(f"{done - before} flows succeeded of {count}")
        seconds = (last - due) / 1_000_000
        return Worked(
            flows=count,
            seconds=seconds,
            workers=workers,
            database=server,
            target=target,
            log=written[0] - log,
            stored=written[1] - stored,
            commits=written[2] - commits,
        )

    def finish(self) -> None:
        """Wait until no run is open."""
        until = time.monotonic() + _ENDS_WITHIN
        with psycopg.connect(self.database, autocommit=True) as connection:
            while connection.execute(_OPEN).fetchone() is not None:
                if time.monotonic() > until:
                    raise SystemExit(f"runs did not come to their end: {connection.execute(_STATES).fetchall()}")
                time.sleep(0.05)

    def _ring(self) -> None:
        """Tell idle workers that there is something, where they listen: they poll rarely then."""
        if self._nats:
            asyncio.run(_rung(self._nats))

    def _start(self, name: str, roles: str) -> Child:
        return self._on.processes.wait(self._full(name), self._launch(name, roles))

    def _launch(self, name: str, roles: str) -> Any:
        environ = {"CONCORD_DATABASE": self.database, "CONCORD_NATS": self._nats}
        self._on.processes.tell(environ)
        folder = self._on.folder / self._full(name)
        command = (sys.executable, "-m", "bench.shared_hub", roles, str(self._in_hand), str(folder), self._on.target)
        return self._on.processes.launch(self._full(name), command)

    def _full(self, name: str) -> str:
        return f"{self._name}-{name}"


_OPEN = "SELECT 1 FROM runs WHERE state IN ('queued', 'running', 'waiting', 'parked') LIMIT 1"
_STATES = "SELECT state, reason, count(*) FROM runs GROUP BY 1, 2"
_WRITTEN = (
    "SELECT pg_current_wal_insert_lsn() - '0/0', pg_database_size(current_database()), "
    "(SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())"
)
_FINISHED = "SELECT count(*), max(finished_at) FROM runs WHERE state = 'succeeded'"
#: Lets go what was kept back, all of it at one moment that is still to come; gives that moment.
_LET_GO = f"""
WITH due AS (SELECT {_CLOCK} + %s AS at), gone AS (
    UPDATE runs SET claimable_at = due.at FROM due WHERE claimable_at IS NULL AND state = 'queued'
) SELECT at FROM due
"""  # noqa: S608 - put together of the constants above
_KEEP_BACK = """
CREATE OR REPLACE FUNCTION keep_back() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN NEW.claimable_at = NULL; RETURN NEW; END $$;
CREATE TRIGGER keep_back BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION keep_back()
"""


@contextmanager
def _kept_back(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let no run that is made meanwhile be claimed."""
    connection.execute(_KEEP_BACK)
    try:
        yield
    finally:
        connection.execute("DROP TRIGGER keep_back ON runs")


def _finished(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """Give how many runs have succeeded, and when the last of them did (microseconds)."""
    row = connection.execute(_FINISHED).fetchone()
    assert row is not None
    return int(row[0]), int(row[1] or 0)


def _written(connection: psycopg.Connection[Any]) -> tuple[int, int, int]:
    """Give how far the log has come and how large the database is (bytes), and how often something was committed."""
    row = connection.execute(_WRITTEN).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def _event(thing: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": thing["id"],
        "source": "https://things.example.com/all",
        "type": "thing.made",
        "subject": thing["customer"],
        "datacontenttype": "application/json",
        "data": thing,
    }


def processor(process: int) -> float:
    """Give the seconds of the processor that a process has used."""
    return sum(_times(process)[:2]) / _TICK


def family(leader: int) -> float:
    """Give what a process and its children have used, those that have ended among them."""
    found = sum(_times(leader))
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):
                told = (each / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                if int(told[1]) == leader:
                    found += sum(map(int, told[11:15]))
    return found / _TICK


def _times(process: int) -> tuple[int, ...]:
    # Behind the name, which may have blanks in it: user and system, and those of children that have ended.
    told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return tuple(map(int, told[11:15]))


async def _rung(url: str) -> None:
    client = await nats_client.connect(url)
    await client.publish(bell_of(ENVIRONMENT, "work"))
    await client.close()
