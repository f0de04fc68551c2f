"""A hub in a process of its own, with the greeting service's sandbox beside it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from hub.store.sqlite import FILE_NAME
from tests import forked, postgres
from tests.forked import CONCORD, Forked

SECRET = base64.b64encode(b"a secret of the tests, 32 bytes.").decode()

FLOW = """
flow: greet
title: Write back what was greeted
owner: team:tests
on: { event: helloworld.greeting.changed }
key: data.id
business_key: join(':', ['greeting', data.id])
steps:
  - id: greeting
    map: greeting
  - id: write
    call: { connection: hello, operation: greeting.upsert, with: greeting, of: greeting }
"""
MAPPING = """
mapping: greeting
version: 1
from: helloworld.greeting@1
to: helloworld.greeting@1
fields:
  id: join('-', ['copy', id])
  recipient: recipient
  language: language
  text: text
  version: version
"""
ENVIRONMENT = """
environment: test
colour: blue
private_hosts: [127.0.0.1]
connections:
  hello: {{ base_url: "{url}", secret: vault:hello, timeout: 2 }}
"""


def command(*arguments: str) -> list[str]:
    """Give the command line of `concord` in this interpreter."""
    return [sys.executable, "-c", "from hub.cli.main import run; run()", *arguments]


def write_workspace(folder: Path, url: str) -> None:
    """Write a small workspace on the greeting service."""
    for name, text in (
        ("flows/greet.yaml", FLOW),
        ("mappings/greeting.yaml", MAPPING),
        ("connections/hello.yaml", "connection: hello\nconnector: helloworld\n"),
        ("environments/test.yaml", ENVIRONMENT.format(url=url)),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    type: str
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


class HubProcess:
    """One data directory and workspace; the process may be started, ended and killed."""

    def __init__(self, folder: Path, vendor: Mapping[str, Any]) -> None:
        """Write the workspace on a sandbox (its first line); nothing runs yet."""
        self._api_key = vendor["api_key"]
        self.data, self.workspace = folder / "data", folder / "workspace"
        write_workspace(self.workspace, vendor["url"])
        self.environ = {
            **postgres.environ(self.data),
            "CONCORD_DATA": str(self.data),
            "CONCORD_WORKSPACE": str(self.workspace),
            "CONCORD_ENVIRONMENT": "test",
            "CONCORD_KEY_FILE": str(folder / "key"),
        }
        self.url = ""
        self.process: Forked | subprocess.Popen[str] | None = None

    def run(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        return forked.run(*arguments, environ=self.environ, input=input or "")

    def asked(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database itself, past the hub; a statement that gives nothing changes something."""
        url = self.environ.get("CONCORD_DATABASE")
        engine = (
            create_engine(f"sqlite:///{self.data / FILE_NAME}")
            if url is None
            else create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        )
        try:
            with engine.begin() as connection:
                found = connection.exec_driver_sql(statement)
                return [tuple(row) for row in found] if found.returns_rows else []
        finally:
            engine.dispose()

    def secrets(self) -> dict[str, str]:
        """Give the connection's secret fields."""
        return {"api_key": self._api_key, "webhook_secret": f"whsec_{SECRET}"}

    def store_secret(self) -> None:
        """Put the connection's secret into the vault, as a user would."""
        stored = self.run("vault", "set", "hello", input=json.dumps(self.secrets()))
        assert stored.returncode == 0, stored.stderr

    def start(self) -> None:
        """Serve; returns when requests are answered."""
        log = self.data.parent / "hub.log"
        with log.open("a") as errors:
            self.process = Forked(CONCORD, "serve", "--port", "0", "--json", environ=self.environ, errors=errors)
        line = self.process.stdout.readline()
        assert line, log.read_text()
        self.url = json.loads(line)["url"]

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """End the process with a signal; gives its exit status."""
        assert self.process is not None
        self.process.send_signal(sign)
        status = self.process.wait(timeout=30)
        self.closed()
        return status

    def closed(self) -> None:
        """Let go of what a process that has ended said."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request without credentials."""
        url = self.url + path
        request = urllib.request.Request(url, method=method, data=body, headers=dict(headers or {}))  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return Answer(status=answer.status, type=answer.headers.get_content_type(), body=answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, type=error.headers.get_content_type(), body=error.read())

    def api(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request with the local token."""
        headers = {"authorization": f"Bearer {(self.data / 'api-token').read_text()}"}
        if body is not None:
            headers["content-type"] = "application/json"
        return self.call(method, path, None if body is None else json.dumps(body).encode(), headers)

    def hook(self, event: Any, *, connection: str = "hello", age: float = 0.0, secret: str = SECRET) -> Answer:
        """Deliver a webhook, signed as the service signs; bytes are sent as they are."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        at = str(int(time.time() - age))
        message = b".".join([b"msg_1", at.encode(), body])
        signed = base64.b64encode(hmac.new(base64.b64decode(secret), message, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,{signed}"}
        return self.call("POST", f"/hooks/{connection}", body, {**headers, "content-type": "application/json"})

    def settled(self, wanted: Mapping[str, int], seconds: float = 60.0) -> None:
        """Wait until the runs of the flow stand as wanted."""
        end = time.monotonic() + seconds
        while (found := self.api("GET", "/api/summary").json()["runs"].get("greet", {})) != wanted:
            assert time.monotonic() < end, found
            time.sleep(0.02)

    def reached(self, state: str, count: int, seconds: float = 60.0) -> None:
        """Wait until at least so many runs stand so: what the flow writes may be read back, and be more of them."""
        end = time.monotonic() + seconds
        while (found := self.api("GET", "/api/summary").json()["runs"].get("greet", {})).get(state, 0) < count:
            assert time.monotonic() < end, found
            time.sleep(0.02)


def event(number: int, *, text: str = "Hello!") -> dict[str, Any]:
    """Give an event of the greeting service."""
    return {
        "id": f"evt_{number}",
        "type": "greeting.changed",
        "timestamp": "2026-01-31T09:30:00Z",
        "data": {"id": f"g-{number}", "recipient": "Ada", "language": "en", "text": text, "version": 1},
    }
