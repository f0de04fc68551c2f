"""Reaching the hub from the command line: the one that is running, or one made for this command alone."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hub.access.local_token import read_local_token
from hub.cli.output import errors
from hub.cli.place import DEFAULT_ENVIRONMENT
from hub.errors import Conflict, HubError, Refused
from hub.runtime.address import read_address
from hub.runtime.settings import HubSettings
from hub.sdk import exact_json

#: Orders may take long; whether there is a hub at all is said at once, in seconds.
LONGEST, AT_ONCE = 600.0, 15.0
#: Below this status the hub has refused and done nothing.
_FAILED = 500


class Reached:
    """The API of a hub."""

    def __init__(self, url: str, token: str) -> None:
        """Take where it answers."""
        self.url = url
        self._token = token
        #: Whether any order was carried out, or may have been.
        self.ordered = False

    def environment(self) -> str:
        """Ask which environment is served; `Refused` with the code `no-answer-yet` when nothing is said for long."""
        return str(self._call("GET", "/api/health", timeout=AT_ONCE)["environment"])

    def get(self, path: str, **query: object) -> Any:
        """Read; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path + ("?" + urlencode(given, doseq=True) if given else ""))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Give an order."""
        return self._call("POST", path, body or {})

    def put(self, path: str, body: Any) -> Any:
        """Store something."""
        return self._call("PUT", path, body)

    def delete(self, path: str) -> Any:
        """Take something back."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Any = None, *, timeout: float = LONGEST) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address is the hub's own, from its data directory
            self.url + path,
            method=method,
            data=None if body is None else exact_json.dumps(body),
            headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        before, self.ordered = self.ordered, self.ordered or method != "GET"
        try:
            with opener.open(request, timeout=timeout) as answer:
                return exact_json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code < _FAILED:
                self.ordered = before
            raise _refusal(error) from None
        except (OSError, HTTPException) as error:
            # What it was told may be done or not: it ended in between, or the network did.
            reason = getattr(error, "reason", error)
            code = "no-answer-yet" if isinstance(reason, TimeoutError) else "no-answer"
            raise Refused("The hub does not answer.", code=code, url=self.url, reason=str(reason)) from None


def _refusal(error: urllib.error.HTTPError) -> HubError:
    try:
        problem = json.loads(error.read())
        return Refused(problem["detail"], code=problem["code"], **problem.get("facts", {}))
    except (ValueError, KeyError, TypeError):
        return Refused("The hub refused.", code=f"http-{error.code}")


@contextmanager
def reach(settings: HubSettings, *, begins: bool = False) -> Iterator[Reached]:
    """Give the running hub's API; when none runs, open the data for this command and close it again.

    Where there is no data it is `Refused`, and nothing is made, unless the command stores what a hub needs before it
    serves (`begins`). What was begun for a command that then stored nothing, because it was refused or broken off, is
    taken away again.
    """
    running = _running(settings)
    if running is not None:
        yield running
        return
    stood = settings.data.exists()
    bare = not stood or (settings.data.is_dir() and not any(settings.data.iterdir()))
    assert_data(settings.data, begins=begins)
    alone: Reached | None = None
    try:
        with _alone(settings) as alone:
            yield alone
    except Conflict:
        running = _running(settings)
        if running is None:
            raise
        yield running
    except BaseException:
        if bare and not (alone and alone.ordered):
            _take_away(settings.data, folder=not stood)
        raise


def assert_data(data: Path, *, begins: bool = False) -> None:
    """Raise `Refused` where no hub keeps its data in a folder; where one may begin there (`begins`), only tell."""
    from hub.store import heads
    from hub.store.damage import WHAT_TO_DO
    from hub.store.database import FILE_NAME

    if (data / FILE_NAME).exists():
        return
    folder = str(data.absolute())
    if heads.last(data) is not None:
        raise Refused(
            f"The database is gone, and signed heads of its audit log are there. {WHAT_TO_DO}",
            code="database-gone",
            folder=folder,
        )
    if not begins:
        raise Refused(
            "There is no hub's data in this folder, and nothing was made. Name the hub's folder with --data or "
            "CONCORD_DATA, or begin a new one with `concord serve`.",
            code="no-data",
            folder=folder,
        )
    errors.print(f"No hub's data was in {folder}; it is begun there.", soft_wrap=True, highlight=False, markup=False)


def _take_away(data: Path, *, folder: bool) -> None:
    """Leave a data directory as it was before a hub was begun in it, unless another has begun to use it."""
    from hub.store.database import owning

    if not data.is_dir():
        return
    try:
        with owning(data):
            for path in data.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            if folder:
                data.rmdir()
    except (Conflict, OSError):
        return
    errors.print("Nothing was stored, and nothing is left there.", highlight=False)


def running_at(data: Path) -> Reached | None:
    """Give the hub that runs on a data directory, whichever environment it serves; `Refused` when it hangs."""
    found = _answering(data)
    return None if found is None else found[0]


def _answering(data: Path) -> tuple[Reached, str] | None:
    url, token = read_address(data), read_local_token(data)
    if url is None or token is None:
        return None
    found = Reached(url, token)
    try:
        return found, found.environment()
    except HubError as error:
        if error.code == "no-answer-yet":
            # There is one, and it hangs: nobody else may open its data.
            raise
        return None


def _running(settings: HubSettings) -> Reached | None:
    """Give the hub that runs on the data; `Refused` when another environment was asked for than it serves."""
    answering = _answering(settings.data)
    if answering is None:
        return None
    found, served = answering
    if settings.environment not in (served, DEFAULT_ENVIRONMENT):
        raise Refused(
            f"The hub that runs on {settings.data} serves {served}, not {settings.environment}. "
            "Leave --environment out, or name the other hub's data with --data.",
            code="other-environment",
        )
    return found


@contextmanager
def _alone(settings: HubSettings) -> Iterator[Reached]:
    # A command that speaks to a running hub must not pay for the import of a whole one.
    import structlog
    import uvicorn

    from hub.runtime.app import build_app
    from hub.runtime.composition import Hub

    # What a command is told is its answer; the log of a hub that lives this long interests nobody.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def do(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    async def start() -> tuple[Hub, uvicorn.Server, asyncio.Task[None]]:
        hub = Hub(settings)
        await hub.start(working=False)
        server = uvicorn.Server(
            uvicorn.Config(build_app(hub, console=False), host="127.0.0.1", port=0, log_config=None, lifespan="off")
        )
        # The command's own process keeps the signals.
        server.capture_signals = _no_signals  # type: ignore[method-assign]
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.002)
        return hub, server, task

    async def stop(hub: Hub, server: uvicorn.Server, task: asyncio.Task[None]) -> None:
        server.should_exit = True
        await task
        await hub.stop()

    try:
        hub, server, task = do(start())
        try:
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Reached(f"http://127.0.0.1:{port}", hub.token)
        finally:
            do(stop(hub, server, task))
    finally:
        do(_end_all())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_all() -> None:
    """End what a command that was broken off has left undone."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def _no_signals() -> Iterator[None]:
    yield
