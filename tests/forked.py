"""Processes of the hub that need not load it first: forked from one that has.

Loading the hub and its libraries takes a second or two, and the tests start hundreds of processes. Each is a process of
its own all the same: it may be killed, and it does what is left for the end. That one also comes up from nothing is
seen by the tests of the demo, of the start and of the end.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import typer.main

from hub.connections.registry import load_connectors
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

CONCORD = "hub.cli.main"
SANDBOX = "hub.sandbox.main"

Order = tuple[str, list[str], dict[str, str], str]

#: What the hub loads only when it is asked for is loaded here too.
_LOADED = (
    CONCORD,
    SANDBOX,
    "hub.cli.serving",
    "hub.runtime.serve",
    "hub.cli.reach",
    "hub.workspace.git",
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "anyio._backends._asyncio",
    "connectors.helloworld.sandbox.app",
    "encodings.idna",
    "rich._emoji_codes",
)
_LARGEST = 1 << 17
_NUMBER = struct.Struct("!i")


class Forked:
    """A process that goes through a module's `run`; it tells of itself what `subprocess.Popen` would."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        input: str = "",
        errors: IO[str] | None = None,
    ) -> None:
        """Start it with a text on stdin; stdout is a pipe, and stderr goes to a file, or to where ours goes."""
        self.returncode: int | None = None
        reading, stdout = os.pipe()
        self._ended, ended = os.pipe()
        stdin = os.memfd_create("stdin")
        os.write(stdin, input.encode())
        os.lseek(stdin, 0, os.SEEK_SET)
        order = [module, arguments, dict(os.environ if environ is None else environ), str(Path.cwd())]
        handed = [stdin, stdout, 2 if errors is None else errors.fileno(), ended]
        socket.send_fds(_server(), [json.dumps(order).encode()], handed)
        for descriptor in (stdin, stdout, ended):
            os.close(descriptor)
        self.stdout = os.fdopen(reading)
        self.pid = _number(self._ended)

    def poll(self) -> int | None:
        """Give the exit status, or minus the number of the signal that ended it; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and give what `poll` gives; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("forked", timeout or 0.0)
            self.returncode = _number(self._ended)
            os.close(self._ended)
        return self.returncode

    def send_signal(self, sign: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sign)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def run(*arguments: str, environ: Mapping[str, str], input: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of `concord` to its end, and give what it said."""
    with os.fdopen(os.memfd_create("stderr"), "w+") as errors:
        process = Forked(CONCORD, *arguments, environ=environ, input=input, errors=errors)
        with process.stdout as stdout:
            said = stdout.read()
        status = process.wait(60)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, status, said, errors.read())


@cache
def _server() -> socket.socket:
    """Start what the processes of this test process are forked from; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(words, pass_fds=[theirs.fileno()], start_new_session=True)
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


def _number(descriptor: int) -> int:
    (number,) = _NUMBER.unpack(os.read(descriptor, _NUMBER.size))
    return int(number)


def _serve(listening: socket.socket) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    app = importlib.import_module(CONCORD).app
    # The schemas of the connectors are compiled with the first bundle.
    compile_bundle({}, catalogue_of(list(load_connectors().values())))
    # Typer makes all commands anew each time one is run.
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    gc.freeze()
    # Who only waits for a process is nobody's to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, handed, _, _ = socket.recv_fds(listening, _LARGEST, 4)
        if not order:
            return
        if os.fork() == 0:
            listening.close()
            _watch(json.loads(order), *handed)
        for descriptor in handed:
            os.close(descriptor)


def _watch(order: Order, stdin: int, stdout: int, stderr: int, ended: int) -> None:
    """Fork the process itself, and tell of it: its number now, and how it ended then."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(ended)
        _become(order, stdin, stdout, stderr)
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    os.write(ended, _NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    os.write(ended, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(order: Order, stdin: int, stdout: int, stderr: int) -> NoReturn:
    module, arguments, environ, folder = order
    for place, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, place)
        if descriptor > 2:
            os.close(descriptor)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["concord", *arguments]
    _leave(importlib.import_module(module).run)


def _leave(run: Callable[[], str | int | None]) -> NoReturn:
    """Run to the end, and end as an interpreter does, but do not take apart all that was loaded: it is not ours alone.

    Whatever is freed is first copied, for the one that it is forked from keeps it; that took longer than most commands.
    """
    status = 0
    try:
        sys.exit(run())
    except SystemExit as ended:
        status = _status(ended.code)
    except BaseException:  # noqa: BLE001 - as an interpreter tells of it
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _status(code: str | int | None) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
