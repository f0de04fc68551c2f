"""What the proofs' tests share: processes forked from one that has loaded the hub, and a judge of what flows send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from hub.proof.processes import CONCORD, SANDBOX, Child, DidNotStart, Processes
from hub.sandbox.request_log import Entry, RequestLog
from tests import forked
from tests.connectors.s4hana.conformance import judged, published
from tests.forked import Forked


def _words(command: Sequence[str]) -> tuple[str, list[str]]:
    """Give the module that a program of ours goes through, and what it is given."""
    for program, module in ((CONCORD, forked.CONCORD), (SANDBOX, forked.SANDBOX)):
        if tuple(command[: len(program)]) == program:
            return module, list(command[len(program) :])
    raise AssertionError(f"no program of ours: {command}")


def forked_launch(self: Processes, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Any:
    """Start a process of a proof by forking one that has loaded the hub."""
    module, words = _words(command)
    log = self._logs / f"{name}.log"
    with log.open("a") as errors:
        process: Any = Forked(module, *words, environ={**self._environ, **(environ or {})}, errors=errors)
    self._children.append(Child(name, process, {}, log))
    return process


@pytest.fixture
def forked_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a proof's hub and sandboxes be forked; that they come up from nothing is seen by the demo's tests."""

    def run(self: Processes, command: Sequence[str], timeout: float = 60.0) -> None:
        done = forked.run(*_words(command)[1], environ=self._environ)
        if done.returncode:
            raise DidNotStart(done.stderr)

    monkeypatch.setattr(Processes, "launch", forked_launch)
    monkeypatch.setattr(Processes, "run", run)


@pytest.fixture(autouse=True)
def declared_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Entry]]:
    """Judge whatever flows send to S/4HANA over OData by the metadata of its services."""
    entries: list[Entry] = []
    begin = RequestLog.begin

    def noted(self: RequestLog, **given: Any) -> Entry:
        entry = begin(self, **given)
        if entry.path.startswith("/sap/opu/"):
            entries.append(entry)
        return entry

    monkeypatch.setattr(RequestLog, "begin", noted)
    yield entries
    assert judged(entries, published) == []
