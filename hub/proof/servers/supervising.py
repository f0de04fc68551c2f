"""A process that has a server as its child: it says hello when the server is ready, and never leaves it behind.

PostgreSQL and NATS know nothing of lifelines, so this stands between them and whoever starts them. The line of hello
names the server's own process, which is the one to stop, pause or kill in a test of faults.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from hub.proof import lifeline
from hub.sdk import exact_json

#: A server that is not ready after so many seconds never will be.
READY_WITHIN = 40.0
#: A server that was asked to end has so many seconds for it.
ENDS_WITHIN = 20.0


def free_port() -> int:
    """Give a port of loopback that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Tell whether somebody listens at a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def supervise(
    command: Sequence[str],
    *,
    ready: Callable[[], bool],
    hello: Mapping[str, Any],
    ends_by: signal.Signals,
    user: int | None = None,
) -> int:
    """Start a server, print `hello` and its process number (`pid`) once it is ready, and stay until it ends.

    `ends_by` is the signal at which it ends in order; it gets it when this process is told to end, and SIGKILL when
    whoever started this process is gone. `user` is whom it runs as, where that is another one. Gives its exit status.
    """
    # What it prints is for the log: the line of hello is this process's own.
    drop: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": ()}
    server: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - a server that the caller has found in a package
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        start_new_session=True,
        **drop,
    )
    told = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        told.set()
        server.send_signal(ends_by)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    lifeline.hold(also=lambda: _kill(server.pid))
    began = time.monotonic()
    while not ready():
        late = time.monotonic() - began > READY_WITHIN
        if late or server.poll() is not None:
            _kill(server.pid)
            sys.stderr.write("The server did not get ready.\n" if late else "The server ended at once.\n")
            return 1
        time.sleep(0.02)
    sys.stdout.write(f"{exact_json.dumps({**hello, 'pid': server.pid}).decode()}\n")
    sys.stdout.flush()
    # Signals are handled between two looks.
    while server.poll() is None:
        if told.wait(0.2):
            try:
                server.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                _kill(server.pid)
    return server.wait()


def _kill(leader: int) -> None:
    """End a server and the processes that it has started: they are one session."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
