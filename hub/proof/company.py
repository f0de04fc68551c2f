"""The hub outgrown of one process: PostgreSQL, NATS and workers beside it, each of which is struck in its turn.

PostgreSQL and NATS are real servers on loopback, from packages; the workers are processes of `concord worker`.
"""

from __future__ import annotations

import itertools
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hub.proof.processes import CONCORD, Child, Processes
from hub.proof.servers import nats, postgres
from hub.proof.servers.supervising import free_port
from hub.sdk import exact_json

#: Seconds after which the others go on with what a silent process had.
LEASE = 3
#: What the hub itself has when others work: it takes in and shows, and has the duty as long as it lives.
HUB_ROLES = "api,scheduler"
#: A worker that is alone must be able to go on with schedules and streams.
WORKER_ROLES = "worker,scheduler"
_NATS_AWAY = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many workers beside the hub, and so many nodes of NATS (0: none)."""

    workers: int
    nats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What was struck, in words; `works` says that it was a process of the hub, which may have writes in hand."""

    what: str
    works: bool


class Company:
    """What runs beside the hub; servers are started at once, workers once something is published."""

    def __init__(self, processes: Processes, folder: Path, room: Path, wanted: Wanted, seed: int) -> None:
        """Start the servers, and let everything that is started from here on know of them."""
        self._processes = processes
        self._folder = folder
        self._wanted = wanted
        self._cluster = room
        self._port = free_port()
        self._dice = Random(f"{seed}:company")
        self._postgres = self._start_postgres()
        #: Where the data is; it has the password in it.
        self.database = _made(str(self._postgres.hello["url"]))
        processes.tell({"CONCORD_DATABASE": self.database})
        self._nodes: list[nats.Node] = nats.cluster(folder / "nats", wanted.nats) if wanted.nats else []
        launched = [(node, processes.launch(node.name, node.command())) for node in self._nodes]
        self._servers: dict[str, Child] = {node.name: processes.wait(node.name, one) for node, one in launched}
        if self._nodes:
            processes.tell({"CONCORD_NATS": ",".join(node.url for node in self._nodes)})
        self._workers: dict[str, Child] = {}
        self._environment = ""
        #: What was struck, in order.
        self.struck: list[str] = []
        self._turns = itertools.cycle(self._strikes())

    @property
    def serve(self) -> tuple[str, ...]:
        """Give the command of the hub itself."""
        return (*CONCORD, "serve", "--roles", HUB_ROLES, "--lease", str(LEASE))

    @property
    def logs(self) -> Sequence[Path]:
        """Give where the workers' logs are."""
        return [child.log for child in self._workers.values()]

    def begin(self, environment: str, poll: int) -> None:
        """Start the workers, of an environment that the hub serves; `poll` is as for the hub."""
        self._environment, self._poll = environment, poll
        names = [f"worker-{number}" for number in range(1, self._wanted.workers + 1)]
        launched = [(name, self._processes.launch(name, self._command(name))) for name in names]
        self._workers = {name: self._processes.wait(name, process) for name, process in launched}

    def strike(self) -> Callable[[], Struck] | None:
        """Give what is struck next, to be done; None where it is the hub's turn."""
        return next(self._turns)

    def _strikes(self) -> Iterator[Callable[[], Struck] | None]:
        yield None
        yield self._kill_worker
        yield self._restart_postgres
        if self._nodes:
            yield self._kill_leader
        yield self._kill_worker

    def _kill_worker(self) -> Struck:
        name = self._dice.choice(sorted(self._workers))
        self._workers[name].kill()
        self.struck.append("worker")
        # It is missed for as long as its lease lasts, and a while longer.
        self._workers[name] = self._processes.start(name, self._command(name))
        return Struck(what=f"{name} is killed (-9)", works=True)

    def _restart_postgres(self) -> Struck:
        self._postgres.stop(30.0)
        self.struck.append("postgresql")
        self._postgres = self._start_postgres()
        return Struck(what="PostgreSQL is restarted", works=False)

    def _kill_leader(self) -> Struck:
        leader = self._leader() or self._dice.choice(sorted(self._servers))
        self._servers[leader].kill()
        self.struck.append("nats")
        time.sleep(_NATS_AWAY)
        node = next(one for one in self._nodes if one.name == leader)
        self._servers[leader] = self._processes.start(leader, node.command())
        return Struck(what=f"{leader}, the leader of NATS, is killed (-9)", works=False)

    def _leader(self) -> str | None:
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

    def _start_postgres(self) -> Child:
        return self._processes.start("postgresql", postgres.command(self._cluster, port=self._port))

    def _command(self, name: str) -> tuple[str, ...]:
        return (
            *(*CONCORD, "worker", "--roles", WORKER_ROLES, "--lease", str(LEASE), "--port", "0", "--json"),
            *("--data", str(self._folder / name), "--environment", self._environment, "--poll", str(self._poll)),
        )


def _made(url: str) -> str:
    """Make the hub's database on a server; gives its URL."""
    import psycopg  # noqa: PLC0415 - a demo on a file has no driver

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE concord TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    return f"{url.rpartition('/')[0]}/concord"
