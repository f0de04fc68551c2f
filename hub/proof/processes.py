"""Processes of the demo: started with a line of JSON as handshake, killed by their own number, never left behind.

They end with the demo in order, and at once when the demo itself was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from hub.proof.lifeline import Lifeline
from hub.sdk import exact_json

#: A program that has not said hello after so many seconds never will.
STARTS_WITHIN = 60.0
#: What every program begins with, so that it ends with whoever started it.
HOLD = "from hub.proof.lifeline import hold; hold()"
#: The command line of this very installation.
CONCORD = (sys.executable, "-c", f"{HOLD}; from hub.cli.main import run; run()")
SANDBOX = (sys.executable, "-c", f"{HOLD}; from hub.sandbox.main import run; raise SystemExit(run())")


class DidNotStart(Exception):
    """A process ended or stayed silent instead of telling its address."""


class Child:
    """One process that serves; what it prints after its hello goes into its log."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], hello: Mapping[str, Any], log: Path) -> None:
        """Take a process that has said hello."""
        self.name = name
        self.process = process
        self.hello = hello
        self.log = log

    @property
    def running(self) -> bool:
        """Tell whether it has not ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it at once, as a power cut would: it can do nothing more."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self, seconds: float = 10.0) -> None:
        """Ask it to end, and end it when it does not."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


class Processes:
    """All processes of one demo; leaving the block ends every one of them, whatever happened."""

    def __init__(self, logs: Path, environ: Mapping[str, str] | None = None) -> None:
        """Keep logs in a folder; `environ` is added to this process's environment."""
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._lifeline = Lifeline()
        self._environ = self._lifeline.environ({**os.environ, **(environ or {})})
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End everything, the last started first."""
        self.end()
        self._lifeline.close()

    def end(self) -> None:
        """End all that was started so far, the last started first."""
        with _undisturbed():
            children, self._children = self._children, []
            for child in reversed(children):
                if child.running:
                    with contextlib.suppress(ProcessLookupError):
                        # One that was stopped hears nothing else.
                        os.kill(child.process.pid, signal.SIGCONT)
                        child.process.terminate()
            for child in reversed(children):
                child.stop()

    @property
    def environ(self) -> Mapping[str, str]:
        """Give the environment of all that is started from here on."""
        return self._environ

    def tell(self, environ: Mapping[str, str]) -> None:
        """Add to the environment of all that is started from here on."""
        self._environ |= environ

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Child:
        """Start a process and wait for its line of JSON; raises `DidNotStart` with the end of its log."""
        return self.wait(name, self.launch(name, command, environ))

    def launch(
        self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process without waiting; `wait` must follow. `environ` is for it alone."""
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - this installation's own programs
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**self._environ, **(environ or {})},
                pass_fds=self._lifeline.descriptors,
                # Ctrl-C at the terminal is for the demo, which then ends its children in order.
                start_new_session=True,
            )
        self._children.append(Child(name, process, {}, self._logs / f"{name}.log"))
        return process

    def wait(self, name: str, process: subprocess.Popen[bytes]) -> Child:
        """Wait for a launched process's line of JSON."""
        child = next(each for each in self._children if each.process is process)
        assert process.stdout is not None
        line = _first_line(process.stdout, STARTS_WITHIN)
        if not line:
            child.stop(1.0)
            raise DidNotStart(f"{name} did not start.\n{_tail(child.log)}")
        child.hello = exact_json.loads(line)
        return child

    def run(self, command: Sequence[str], timeout: float = 60.0) -> None:
        """Run a command to its end; raises `DidNotStart` with what it said when it fails."""
        done = subprocess.run(  # noqa: S603 - this installation's own programs
            list(command),
            capture_output=True,
            env=self._environ,
            pass_fds=self._lifeline.descriptors,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise DidNotStart(f"{' '.join(command[-3:])}: {done.stderr.decode('utf-8', 'replace')[-2000:]}")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C wait until the first has ended everything."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_line(stream: IO[bytes], seconds: float) -> bytes:
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return found[0] if found else b""


def _tail(log: Path, characters: int = 3000) -> str:
    # The process has just ended; what it wrote last may still be on its way.
    time.sleep(0.05)
    return log.read_text(errors="replace")[-characters:]
