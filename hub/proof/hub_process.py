"""The hub as the demo holds it: a process of its own, set up through its API, killed and started again."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.access.local_token import read_local_token
from hub.proof import workspace
from hub.proof.http_json import Api, NoAnswer
from hub.proof.processes import CONCORD, Child, DidNotStart, Processes

#: Seconds between readings of Stripe's events, which find what no webhook brought.
POLL_SECONDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who may sign in at the console."""

    email: str
    password: str


class HubProcess:
    """One hub on one data directory; it keeps its port over restarts.

    `serve` is the command that serves; a proof puts another program in the place of `concord serve`.
    """

    def __init__(
        self, processes: Processes, folder: Path, *, port: int, serve: Sequence[str] = (), database: str | None = None
    ) -> None:
        """Take where it lives; nothing is started. `database` is where its data is, if that is no file of its own."""
        self._processes = processes
        self._folder = folder
        self._serve = tuple(serve) or (*CONCORD, "serve")
        self._port = port
        self._child: Child | None = None
        self.data = folder / "hub"
        self.database = database
        self.workspace = folder / "workspace"
        self.url = ""
        self.token = ""

    @property
    def api(self) -> Api:
        """Give the hub's API, with the token of its data directory."""
        return Api(self.url, {"authorization": f"Bearer {self.token}"})

    @property
    def log(self) -> Path:
        """Give where its log is."""
        assert self._child is not None
        return self._child.log

    @property
    def pid(self) -> int:
        """Give the number of its process."""
        assert self._child is not None
        return self._child.process.pid

    @property
    def running(self) -> bool:
        """Tell whether it has not ended."""
        return self._child is not None and self._child.running

    def start(self, *, poll: int = POLL_SECONDS) -> Mapping[str, Any]:
        """Start it and wait until it answers; gives what it said. Raises `DidNotStart`."""
        options = ("--host", "127.0.0.1", "--port", str(self._port), "--poll", str(poll), "--json")
        self._child = self._processes.start("hub", (*self._serve, *self._place(), *options))
        self.url = str(self._child.hello["url"])
        self._port = urlsplit(self.url).port or self._port
        self.token = read_local_token(self.data) or ""
        return self._child.hello

    def serve_with(self, command: Sequence[str]) -> None:
        """Take another command for the next start."""
        self._serve = tuple(command)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._child is not None
        self._child.kill()

    def end(self) -> None:
        """End it in order."""
        assert self._child is not None
        self._child.stop(20.0)

    def command(self, *words: str) -> None:
        """Run a command of `concord` to its end."""
        self._processes.run((*CONCORD, *words), timeout=120.0)

    def store_secrets(self, values: Mapping[str, Mapping[str, str]]) -> None:
        """Put the connections' secrets into the vault."""
        for name, fields in values.items():
            self.api.put(f"/api/secrets/{name}", {"values": dict(fields)})

    def link(self, entity: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Tie ids together while the hub runs."""
        self.api.put(f"/api/crossrefs/{entity}", {"rows": [dict(row) for row in rows], "replace": False})

    def link_while_down(self, entity: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Tie ids anew while the hub does not run, with the command that a person would use."""
        file = self._folder / f"{entity}-moved.csv"
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        self._processes.run((*CONCORD, "crossrefs", "import", entity, str(file), "--replace", *self._place()))

    def add_admin(self, hello: Mapping[str, Any]) -> Login:
        """Add the first administrator with the token that the hub told at its start."""
        login = Login(email="admin@demo.example", password=secrets.token_urlsafe(12))
        asked = urlsplit(str(hello["setup_url"]))
        token = parse_qs(asked.query)["token"][0]
        status = Api(self.url).form(
            asked.path,
            {
                "token": token,
                "email": login.email,
                "name": "Demo",
                "password": login.password,
                "repeated": login.password,
            },
        )
        if status != 303:
            raise DidNotStart(f"The console did not take the first administrator: {status}.")
        return login

    def add_approver(self, name: str) -> Login:
        """Add somebody who agrees to what the policies ask for."""
        login = Login(email=f"{name.lower()}@demo.example", password=secrets.token_urlsafe(12))
        order = {"email": login.email, "name": name, "role": "approver", "password": login.password}
        self.api.post("/api/people", order)
        return login

    def summary(self) -> Mapping[str, Any] | None:
        """Give what it has in hand, None while it does not answer."""
        try:
            found: Mapping[str, Any] = self.api.get("/api/summary", timeout=10)
        except NoAnswer:
            return None
        return found

    def read_up_to(self, connection: str, stream: str) -> datetime | None:
        """Give when a stream was last read to its end; None for never, and while the hub does not answer."""
        try:
            rows = self.api.get("/api/streams", timeout=10)["streams"]
        except NoAnswer:
            return None
        found = next(row["read_at"] for row in rows if (row["connection"], row["stream"]) == (connection, stream))
        return None if found is None else datetime.fromisoformat(found)

    def open_effects(self) -> list[Mapping[str, Any]]:
        """List the writes under way, nothing while it does not answer."""
        try:
            found: list[Mapping[str, Any]] = self.api.get("/api/effects/open", timeout=5)["effects"]
        except NoAnswer:
            return []
        return found

    def _place(self) -> tuple[str, ...]:
        return (
            "--data",
            str(self.data),
            "--workspace",
            str(self.workspace),
            "--environment",
            workspace.ENVIRONMENT,
        )
