"""Serving: one process, from the first line on the terminal to the last commit."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import structlog
import uvicorn

from hub.errors import Refused
from hub.runtime.app import build_app
from hub.runtime.composition import Composition, Hub
from hub.runtime.logs import configure
from hub.runtime.settings import HubSettings
from hub.runtime.ticks import scheduler

log = structlog.get_logger(__name__)

#: Where a running hub tells the command line how to reach it.
ADDRESS_FILE = "hub.json"
#: The exit status when durability or integrity can no longer be promised.
EXIT_FATAL = 70


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

    return uvloop.run(_serve(settings, composition, ready, log_level))


async def _serve(
    settings: HubSettings, composition: Composition | None, ready: Callable[[Hub, str, bool], None], log_level: str
) -> int:
    listening = _listen(settings.host, settings.port)
    hub = Hub(settings, composition)
    configure(hub.redactor, level=log_level)
    await hub.start()
    url = f"http://{settings.host}:{listening.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(hub),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    ticks = scheduler(hub)
    assert hub.died is not None
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if not serving.done():
            write_address(settings.data, url)
            ticks.start()
            ready(hub, url, not await hub.directory.anybody())
        await asyncio.wait({serving, hub.died}, return_when=asyncio.FIRST_COMPLETED)
        if hub.died.done():
            log.critical("hub.stopping", reason=str(hub.died.exception()))
            # Nothing more can be recorded, so nothing more may be promised: no orderly end is tried.
            return EXIT_FATAL
    finally:
        (settings.data / ADDRESS_FILE).unlink(missing_ok=True)
    ticks.shutdown(wait=False)
    await hub.stop()
    return 0


def write_address(data: Path, url: str) -> None:
    """Tell the command line where this hub answers."""
    draft = data / f"{ADDRESS_FILE}.{os.getpid()}"
    draft.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    draft.replace(data / ADDRESS_FILE)


def read_address(data: Path) -> str | None:
    """Give the address of the hub that serves this data directory, if one says so."""
    try:
        url = json.loads((data / ADDRESS_FILE).read_text())["url"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return str(url)


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
