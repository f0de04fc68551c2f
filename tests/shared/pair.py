"""Two hubs in processes of their own on one database, and the greeting service that both write to."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from tests.forked import CONCORD, Forked
from tests.runtime.process import HubProcess, event
from tests.shared.servers import until

#: Seconds.
LEASE = 2


class Member(HubProcess):
    """One of the two: its own data directory, and the other's database, workspace and key."""

    def __init__(self, folder: Path, vendor: Mapping[str, Any], database: str, name: str) -> None:
        """Write the workspace; nothing runs yet."""
        super().__init__(folder, vendor)
        self.name = name
        self.data = folder / name
        self.environ |= {"CONCORD_DATA": str(self.data), "CONCORD_DATABASE": database}

    def start(self) -> None:
        """Serve with a short lease; returns when requests are answered."""
        log = self.data.parent / f"{self.name}.log"
        arguments = ("serve", "--port", "0", "--json", "--lease", str(LEASE))
        with log.open("a") as errors:
            self.process = Forked(CONCORD, *arguments, environ=self.environ, errors=errors)
        line = self.process.stdout.readline()
        assert line, log.read_text()
        self.url = json.loads(line)["url"]

    def log(self) -> str:
        """Give what it has said."""
        return (self.data.parent / f"{self.name}.log").read_text()

    def status(self) -> str:
        """Say whether it takes new work, in its own word."""
        return str(self.call("GET", "/api/ready").json()["status"])


class Pair:
    """Two hubs that share all they have."""

    def __init__(self, folder: Path, vendor: Mapping[str, Any], database: str) -> None:
        """Prepare both, and store the secret that both open."""
        self.vendor = vendor
        self.database = database
        self.one, self.other = (Member(folder, vendor, database, name) for name in ("one", "other"))
        self.one.store_secret()
        self.taken: set[int] = set()

    def slow(self, seconds: float) -> None:
        """Let the vendor take its time for writes; 0 for none."""
        fault = {"kind": "slow", "seconds": seconds, "match": {"method": "PUT|POST"}}
        self.control("/_control/faults", [fault] if seconds else [])

    def control(self, path: str, body: Any = None) -> Any:
        """Ask the sandbox's control API."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.vendor["control_url"] + path, data, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def send(self, to: HubProcess, *numbers: int) -> set[int]:
        """Deliver events; gives the statuses of what was not taken."""
        told: set[int] = set()
        for number in numbers:
            try:
                status = to.hook(event(number)).status
            except (urllib.error.URLError, OSError):
                continue
            if status == 202:
                self.taken.add(number)
            else:
                told.add(status)
        return told

    def asked(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement).fetchall()

    def all_written(self, seconds: float = 60.0) -> float:
        """Wait until everything that was taken is written, and known to be; gives the seconds that took."""
        began = time.monotonic()
        wanted = {f"copy-copy-g-{number}" for number in self.taken}
        # A write arrives also when whoever has sent it is gone; then its run is still to be taken back.
        unfinished = "SELECT id FROM runs WHERE state <> 'succeeded'"
        while not wanted <= set(self.written()) or self.asked(unfinished):
            assert time.monotonic() < began + seconds, (wanted - set(self.written()), self.asked(unfinished))
            time.sleep(0.05)
        return time.monotonic() - began

    def written(self) -> list[str]:
        """Give the ids of the greetings that stand, one for each time that one was made."""
        return [each["id"] for each in self.control("/_control/books")["greetings"] if "g-" in each["id"]]

    def judged(self) -> None:
        """Judge what has come of it: nothing lost, nothing twice, every log holds."""
        made = self.written()
        assert len(made) == len(set(made))
        assert {f"copy-copy-g-{number}" for number in self.taken} <= set(made)
        kept = {name for (name,) in self.asked("SELECT external_id FROM events WHERE via = 'webhook'")}
        assert kept >= {f"evt_{number}" for number in self.taken}
        twice = "SELECT key FROM effects GROUP BY environment, key HAVING count(*) > 1"
        assert self.asked(twice) == []
        serving = next(each for each in (self.one, self.other) if each.process and each.process.poll() is None)
        # A server that was restarted just now is found to be back by who asks it.
        until(lambda: (verified := serving.api("POST", "/api/audit/verify")).status != 503 and verified.json()["holds"])
