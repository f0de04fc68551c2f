"""The hub outgrown of one process: PostgreSQL, NATS and workers beside it, each of which is struck in its turn.

PostgreSQL and NATS are real servers on loopback, from packages; the workers are processes of `concord worker`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sqlalchemy import make_url

from hub.proof import feeds, records
from hub.proof.invariants import Finding, Invariant
from hub.proof.processes import CONCORD, Child, DidNotStart, Processes
from hub.proof.servers import nats, postgres
from hub.proof.servers.supervising import accepts, free_port
from hub.sdk import exact_json

#: Seconds after which the others go on with what a silent process had: half of what a process takes unless told.
LEASE = 5
#: What the hub itself has when others work: it takes in and shows, and has the duty as long as it lives.
HUB_ROLES = "api,scheduler"
#: A worker that is alone must be able to go on with schedules and streams.
WORKER_ROLES = "worker,scheduler"
_NATS_AWAY = 2.0
#: So many seconds a kill of the demo waits for a worker that has a write under way.
_PATIENCE = 15.0
#: So many seconds PostgreSQL has to come up again, and a worker that was told to end has for that.
_UP_WITHIN, _ENDED_WITHIN = 30.0, 15.0
#: So many seconds after all has come to rest the feed's consumer has taken what there is.
_HEARD_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many workers beside the hub, and so many nodes of NATS (0: none).

    `program` is what runs in the place of `concord`, `settings` are PostgreSQL's (`name=value`), and `reached` says for
    some workers, by name, on which host and port of this machine they find the database (port None: its own).
    """

    workers: int
    nats: int = 0
    program: Sequence[str] = CONCORD
    settings: tuple[str, ...] = ()
    reached: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What was struck, in words.

    `left` is how many writes without an outcome a process of the hub has left; None where it was another's process.
    """

    what: str
    left: int | None = None


class Company:
    """What runs beside the hub; servers are started at once, workers once something is published."""

    def __init__(self, processes: Processes, folder: Path, room: Path, wanted: Wanted, seed: int) -> None:
        """Start the servers, and let everything that is started from here on know of them."""
        self._processes = processes
        self._folder = folder
        self._wanted = wanted
        self._cluster = room
        self._port = wanted.port or free_port()
        self._dice = Random(f"{seed}:company")
        self._postgres = self._start_postgres()
        #: Where the data is; it has the password in it.
        self.database = _made(str(self._postgres.hello["url"]))
        processes.tell({"CONCORD_DATABASE": self.database})
        self._nodes: dict[str, nats.Node] = {
            node.name: node for node in (nats.cluster(folder / "nats", wanted.nats) if wanted.nats else [])
        }
        self._servers: dict[str, Child] = {}
        self.start_nodes()
        if self._nodes:
            processes.tell({"CONCORD_NATS": ",".join(node.url for node in self._nodes.values())})
        self._workers: dict[str, Child] = {}
        self._logs: dict[str, Path] = {}
        self._consumer: Child | None = None
        self._taken = folder / "taken"
        #: How many facts of the feed were taken, once that was compared.
        self.facts = 0
        self._environment = ""
        self._poll = 0
        self._turns = itertools.cycle(self._strikes())

    @property
    def serve(self) -> tuple[str, ...]:
        """Give the command of the hub itself."""
        return (*CONCORD, "serve", "--roles", HUB_ROLES, "--lease", str(LEASE))

    @property
    def logs(self) -> Sequence[Path]:
        """Give where the workers' logs are."""
        return list(self._logs.values())

    @property
    def workers(self) -> Sequence[str]:
        """Name the workers."""
        return list(self._logs)

    @property
    def nodes(self) -> Sequence[str]:
        """Name the nodes of NATS."""
        return list(self._nodes)

    @property
    def postgres_log(self) -> Path:
        """Give where PostgreSQL's log is."""
        return self._postgres.log

    @property
    def postgres_runs(self) -> bool:
        """Tell whether PostgreSQL has not ended."""
        return self._postgres.running

    @property
    def postgres_listens(self) -> bool:
        """Tell whether somebody listens where PostgreSQL does."""
        return accepts(self._port)

    @property
    def postgres_pid(self) -> int:
        """Give the number of PostgreSQL's first process."""
        return int(self._postgres.hello["pid"])

    def data(self, worker: str) -> Path:
        """Give the data directory of a worker."""
        return self._folder / worker

    def worker(self, name: str) -> Child:
        """Give the process of a worker."""
        return self._workers[name]

    def begin(self, environment: str, poll: int) -> None:
        """Start the workers, of an environment that the hub serves, and the consumer; `poll` is as for the hub."""
        self._environment, self._poll = environment, poll
        if self._nodes:
            self._consumer = self._processes.start("consumer", feeds.command(environment, self._taken))
        names = [f"worker-{number}" for number in range(1, self._wanted.workers + 1)]
        launched = [(name, self._processes.launch(name, self._command(name), self._reaching(name))) for name in names]
        self._workers = {name: self._processes.wait(name, process) for name, process in launched}
        self._logs = {name: child.log for name, child in self._workers.items()}

    def start_worker(self, name: str) -> None:
        """Start a worker that has ended."""
        self._workers[name] = self._processes.start(name, self._command(name), self._reaching(name))

    def kill_worker(self, name: str) -> None:
        """End a worker at once."""
        self._workers[name].kill()

    def pause_worker(self, name: str) -> None:
        """Stop a worker (SIGSTOP): it does nothing more, and nobody is told."""
        os.kill(self._workers[name].process.pid, signal.SIGSTOP)

    def resume_worker(self, name: str) -> None:
        """Let a stopped worker go on as if nothing had happened."""
        os.kill(self._workers[name].process.pid, signal.SIGCONT)

    def end_worker(self, name: str) -> None:
        """End a worker in order."""
        self._workers[name].stop(_ENDED_WITHIN)

    def stop_postgres(self) -> None:
        """End PostgreSQL in order, with open transactions given up (a fast shutdown)."""
        self._postgres.stop(30.0)

    def kill_postgres(self) -> None:
        """End PostgreSQL's first process at once; its others see that, and end; returns when nobody listens."""
        os.kill(self.postgres_pid, signal.SIGKILL)
        self._postgres.process.wait(20)
        self._postgres.stop()
        while accepts(self._port):
            time.sleep(0.02)

    def start_postgres(self) -> None:
        """Start PostgreSQL again; where it was killed, the last of its processes have to be gone first."""
        until = time.monotonic() + _UP_WITHIN
        while True:
            try:
                self._postgres = self._start_postgres()
            except DidNotStart:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def kill_node(self, name: str) -> None:
        """End a node of NATS at once."""
        # The server's own process: who started it sees that it has ended, and ends too.
        os.kill(int(self._servers[name].hello["pid"]), signal.SIGKILL)
        self._servers[name].process.wait(20)
        self._servers[name].stop()

    def reachable(self, node: str) -> bool:
        """Tell whether a node of NATS takes connections."""
        return accepts(self._nodes[node].port)

    def start_nodes(self, *, wiped: bool = False) -> int:
        """Start the nodes of NATS that do not run; with `wiped` on empty disks. Gives how many lost something."""
        emptied = 0
        gone = [name for name in self._nodes if name not in self._servers or not self._servers[name].running]
        if wiped:
            for name in gone:
                store = self._nodes[name].folder / "jetstream"
                had = any(each.is_file() for each in store.rglob("*"))
                shutil.rmtree(store, ignore_errors=True)
                emptied += had and not store.exists()
        launched = [(name, self._processes.launch(name, self._nodes[name].command())) for name in gone]
        self._servers |= {name: self._processes.wait(name, process) for name, process in launched}
        return emptied

    def unheard(self) -> list[Finding]:
        """Compare what the feed's consumer took, once it has all, with what the database says was told."""
        if self._consumer is None:
            return []
        until = time.monotonic() + _HEARD_WITHIN
        while True:
            # What is told in between came later, and was not taken out of nothing.
            taken = feeds.taken(self._taken)
            with records.reading(self._folder, self.database) as connection:
                told = feeds.told(connection, self._environment)
                found = list(feeds.find(told, taken, feeds.untold(connection, self._environment)))
            self.facts = len(taken)
            if not self._consumer.running:
                ended = Finding(invariant=Invariant.NO_DEFECT, family=None, detail="feed: its consumer has ended")
                return [*found, ended]
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.3)

    def leader(self) -> str | None:
        """Name the node of NATS that leads the cluster, as its nodes tell; None where none does."""
        for child in self._servers.values():
            try:
                monitor = f"{child.hello['monitor']}/jsz"
                with urllib.request.urlopen(monitor, timeout=2.0) as answer:  # noqa: S310 - our own server's
                    told = exact_json.loads(answer.read())
            except (OSError, ValueError):
                continue
            found = told.get("meta_cluster", {}).get("leader")
            if found in self._servers:
                return str(found)
        return None

    def strike(self) -> Callable[[], Struck] | None:
        """Give what is struck next, to be done; None where it is the hub's turn."""
        return next(self._turns)

    def _strikes(self) -> Iterator[Callable[[], Struck] | None]:
        yield None
        yield self._strike_worker
        yield self._restart_postgres
        if self._nodes:
            yield self._strike_leader
        yield self._strike_worker

    def _strike_worker(self) -> Struck:
        """Kill a worker that has writes under way, as soon as one has any."""
        until = time.monotonic() + _PATIENCE
        while (name := self._stopped_in_flight()) is None and time.monotonic() < until:
            time.sleep(0.01)
        name = name or self._dice.choice(self.workers)
        self.kill_worker(name)
        left = self._in_hand(name)
        # It is missed for as long as its lease lasts, and a while longer.
        self.start_worker(name)
        return Struck(what=f"{name} is killed (-9) with {left} writes under way", left=left)

    def _stopped_in_flight(self) -> str | None:
        """Stop the worker that has most writes under way, so that they stay so; None where none has any."""
        in_hand = {name: self._in_hand(name) for name in self.workers}
        name = max(sorted(in_hand), key=lambda each: in_hand[each])
        if not in_hand[name]:
            return None
        self.pause_worker(name)
        if self._in_hand(name):
            return name
        self.resume_worker(name)
        return None

    def _in_hand(self, name: str) -> int:
        with records.reading(self._folder, self.database) as connection:
            return records.writes_in_hand(connection, str(self._workers[name].hello["worker"]))

    def _restart_postgres(self) -> Struck:
        self.stop_postgres()
        self.start_postgres()
        return Struck(what="PostgreSQL is restarted")

    def _strike_leader(self) -> Struck:
        leader = self.leader() or self._dice.choice(sorted(self._servers))
        self.kill_node(leader)
        time.sleep(_NATS_AWAY)
        self.start_nodes()
        return Struck(what=f"{leader}, the leader of NATS, is killed (-9)")

    def _start_postgres(self) -> Child:
        command = postgres.command(self._cluster, port=self._port, settings=self._wanted.settings)
        return self._processes.start("postgresql", command)

    def _reaching(self, name: str) -> Mapping[str, str]:
        if name not in self._wanted.reached:
            return {}
        host, port = self._wanted.reached[name]
        url = make_url(self.database).set(host=host, port=port or self._port)
        return {"CONCORD_DATABASE": url.render_as_string(hide_password=False)}

    def _command(self, name: str) -> tuple[str, ...]:
        roles = ("worker", "--roles", WORKER_ROLES, "--lease", str(LEASE), "--port", "0", "--json")
        return (
            *(*self._wanted.program, *roles),
            *("--data", str(self.data(name)), "--environment", self._environment, "--poll", str(self._poll)),
        )


def _made(url: str) -> str:
    """Make the hub's database on a server; gives its URL."""
    import psycopg  # noqa: PLC0415 - a demo on a file has no driver

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE concord TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    return f"{url.rpartition('/')[0]}/concord"
