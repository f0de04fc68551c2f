"""Serving: one process, from the first line on the terminal to the last commit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hub.api.hooks import Door
from hub.errors import Refused
from hub.runtime.address import forget_address, write_address
from hub.runtime.app import build_app, build_probes
from hub.runtime.collector import settle, take_turns
from hub.runtime.composition import Composition, Hub
from hub.runtime.logs import configure
from hub.runtime.roles import Role
from hub.runtime.settings import HubSettings
from hub.runtime.ticks import revive, scheduler
from hub.runtime.wire import Wire

log = structlog.get_logger(__name__)

#: The exit status when durability or integrity can no longer be promised.
EXIT_FATAL = 70
#: An end that takes longer, in seconds from the signal, is none: the next start goes on as after a crash.
ENDED_WITHIN = 9.0
#: So many seconds after the signal the process is gone, whatever a thread of it still does. Ten is what the least
#: patient service managers wait before they kill.
GONE_WITHIN = 9.5
#: So many seconds of that open requests have.
_ANSWERED_WITHIN = 2


def serve(
    settings: HubSettings,
    *,
    composition: Composition | None = None,
    ready: Callable[[Hub, str, bool], None],
    log_level: str = "info",
) -> int:
    """Serve until told to stop; gives the exit status.

    `ready(hub, url, setup)` is called once requests are answered; `setup` tells that nobody can sign in yet.
    """
    import uvloop

    last = LastMoment(GONE_WITHIN)
    try:
        return uvloop.run(_serve(settings, composition, ready, log_level, last))
    finally:
        last.cancel()


class LastMoment:
    """Ends the process a while after it was told to end, even if a thread of it never comes back."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds; they begin with `start`."""
        self._status = EXIT_FATAL
        self._timer = threading.Timer(seconds, self._leave)
        self._timer.daemon = True

    def start(self) -> None:
        """Begin to count."""
        self._timer.start()

    def reached(self, status: int) -> None:
        """Keep with which status the process ends from here on: everything is recorded that will be."""
        self._status = status

    def cancel(self) -> None:
        """Let the process end by itself, because nothing is left that could keep it."""
        self._timer.cancel()

    def _leave(self) -> None:
        if self._status:
            log.critical("hub.left", reason="something did not come to its end in time")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self._status)


async def _serve(
    settings: HubSettings,
    composition: Composition | None,
    ready: Callable[[Hub, str, bool], None],
    log_level: str,
    last: LastMoment,
) -> int:
    listening = _listen(settings.host, settings.port)
    try:
        hub = Hub(settings, composition)
        configure(hub.redactor, level=log_level)
        await hub.start()
    except BaseException:
        listening.close()
        raise
    answers = Role.API in settings.roles
    url = f"http://{settings.host}:{listening.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(
            Door(build_app(hub)) if answers else build_probes(hub),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=_ANSWERED_WITHIN,
            http=Wire,
            ws="none",
        )
    )
    # Uvicorn would raise the signal once more behind its own end, before the hub has come to its.
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]
    asked = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, _ask, asked, hub, last)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    ticks = scheduler(hub)
    watching: asyncio.Task[None] | None = None
    assert hub.died is not None
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if not serving.done():
            settle()
            if settings.database is not None:
                take_turns()
            if answers:
                write_address(settings.data, url)
            ticks.start()
            watching = asyncio.create_task(hub.watch.run(partial(revive, ticks)), name="watch")
            ready(hub, url, answers and not await hub.directory.anybody())
        told = asyncio.ensure_future(asked.wait())
        waited: set[asyncio.Future[Any]] = {serving, hub.died, told}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not hub.died.done():
            ending = asyncio.ensure_future(_end(server, serving, ticks, watching, hub))
            await asyncio.wait([ending, hub.died], timeout=ENDED_WITHIN, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                ending.result()
                last.reached(0)
                return 0
        # Nothing more can be recorded, so nothing more may be promised: no orderly end is tried.
        reason = str(hub.died.exception()) if hub.died.done() else f"no orderly end within {ENDED_WITHIN:g} s"
        log.critical("hub.stopping", reason=reason)
        return EXIT_FATAL
    finally:
        if answers:
            forget_address(settings.data)


def _ask(asked: asyncio.Event, hub: Hub, last: LastMoment) -> None:
    if asked.is_set():
        # Asked a second time, it waits for no run any more.
        hub.worker.hurry()
    else:
        last.start()
    asked.set()


async def _end(
    server: uvicorn.Server,
    serving: asyncio.Task[None],
    ticks: AsyncIOScheduler,
    watching: asyncio.Task[None] | None,
    hub: Hub,
) -> None:
    """End in order: first nothing new is taken, and whoever asks is told so; the doors close when all is at rest."""
    if watching is not None:
        watching.cancel()
        await asyncio.wait([watching])
    if ticks.running:
        ticks.shutdown(wait=False)
    await hub.drain()
    # Open pages listen without end; they are let go first.
    hub.changes.close()
    server.should_exit = True
    await serving
    await hub.stop()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Refused(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port with --port.", code="port-in-use"
        ) from error
    return listening
