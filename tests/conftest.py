"""What holds for every test: no way out of this machine, the same examples in CI, and a browser if there is one."""

from __future__ import annotations

import gc
import ipaddress
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import typer.main
import typer.testing
from hypothesis import HealthCheck, settings
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Connection, StaticPool, create_engine

from hub.access import passwords
from hub.store import sqlite
from hub.store.sqlite import File
from tests import postgres
from tests.chromium import WITHOUT, find_chromium

# Machines differ in speed, and examples must not depend on it. CI draws the same examples each time, `thorough` many.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), max_examples=15, derandomize=True, print_blob=True)
settings.register_profile("thorough", settings.get_profile("local"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "local"))

# Tables are as wide as the terminal, and a worker of the test run has none.
os.environ["COLUMNS"] = "160"

# A machine that writes everything through at once hides a line that is still waiting in a process that others wait for.
os.environ.pop("PYTHONUNBUFFERED", None)


class ReachedOutside(RuntimeError):
    """A test tried to reach another machine."""


def _address(host: str | bytes | bytearray) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    name = host if isinstance(host, str) else bytes(host).decode("idna")
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None


def _is_local_name(host: str | bytes | bytearray) -> bool:
    name = host if isinstance(host, str) else bytes(host).decode("idna")
    return name in {"", "localhost"} or name.endswith(".localhost")


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to connect to, or to ask others about, anything that is not this machine (an interpreter's audit hook)."""
    if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        address = _address(host)
        here = _is_local_name(host) if address is None else address.is_loopback or address.is_unspecified
        if not here:
            raise ReachedOutside(f"a test may not connect to {host}")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and arguments[0] is not None:
        # Reading an address that is a number already asks nobody.
        asks = _address(arguments[0]) is None and not _is_local_name(arguments[0])
        if asks:
            raise ReachedOutside(f"a test may not look up {arguments[0]!r}")


sys.addaudithook(_stay_here)


_migrate = sqlite._migrate


@cache
def _migrated() -> sqlite3.Connection:
    """Make the newest tables once, by the real migrations."""
    made = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with made.connect() as connection:
        _migrate(connection)
        return cast(sqlite3.Connection, connection.connection.driver_connection)


def _copy_or_migrate(connection: Connection) -> None:
    """Give new data its tables by copying, which takes a twentieth of the time; older data is migrated as ever."""
    into = cast(sqlite3.Connection, connection.connection.driver_connection)
    if into.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        into.execute("PRAGMA synchronous=OFF")
        _migrated().backup(into)
        into.execute("PRAGMA synchronous=FULL")
    else:
        _migrate(connection)


def pytest_xdist_auto_num_workers() -> int:
    """Take two processes more than there are cores, because tests also wait, but no more than eight."""
    return min(8, len(os.sched_getaffinity(0)) + 2)


_prepare, _open = sqlite._prepare_writer, File._open


def _prepare_without_syncs(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")
    _prepare(connection, _record)


def _open_without_syncs(self: File) -> None:
    """Open data, and do not wait for the disk: a test that fails leaves the machine running, and its files with it."""
    _open(self)
    connection = cast(sqlite3.Connection, self.writer.raw_connection().driver_connection)
    connection.execute("PRAGMA synchronous=OFF")


_server = pytest.StashKey[ExitStack]()
_url = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server, once for all processes, where the tests are to run on PostgreSQL."""
    if not postgres.WANTED:
        return
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    if told is None:
        config.stash[_server] = ExitStack()
        config.stash[_url] = config.stash[_server].enter_context(postgres.serving())
    postgres.begin(config.stash[_url] if told is None else told["url"], "main" if told is None else told["workerid"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of the run where the server is."""
    if postgres.WANTED:
        node.workerinput["url"] = node.config.stash[_url]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the server."""
    if _server in config.stash:
        postgres.databases().close()
        config.stash[_server].close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what is about the file of SQLite where there is none, and what a command does at length."""
    marker = item.get_closest_marker("embedded")
    if postgres.WANTED and marker is not None:
        pytest.skip(f"about SQLite: {marker.args[0]}")
    marker = item.get_closest_marker("long")
    if "CONCORD_TEST_LONG" not in os.environ and marker is not None:
        pytest.skip(f"long: CONCORD_TEST_LONG=1, or `{marker.args[0]}`")


def pytest_runtest_teardown() -> None:
    """Let the next test hear what is logged: a command that runs in a test's own process keeps the log quiet."""
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(autouse=postgres.WANTED)
def _given_back(tmp_path: Path) -> Iterator[None]:
    """Let the next test have this one's databases."""
    yield
    postgres.databases().take_back(tmp_path)


def _is_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("processes", "browser", "timeout"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the tests that take long: one that begins last is waited for alone."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    modules = [list(module) for _, module in groupby(items, key=lambda item: (_is_long(item), item.path))]
    long = [module for module in modules if _is_long(module[0])]
    short = [item for module in modules if not _is_long(module[0]) for item in module]
    left = len(items)
    items.clear()
    for worker in range(workers):
        # All get as many, those that stand beside each other.
        share = left // (workers - worker)
        left -= share
        first = [item for module in long[worker::workers] for item in module]
        rest = max(0, share - len(first))
        items += first + short[:rest]
        del short[:rest]
    items += short


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Take what was collected out of the garbage collector's sight: it stays, and looking through it takes time."""
    gc.collect()
    gc.freeze()
    # What a test makes is most often gone without it.
    gc.set_threshold(20_000, 20, 20)


# Thousands of tests begin with new data. Processes of their own migrate it themselves.
sqlite._migrate = _copy_or_migrate
sqlite._prepare_writer = _prepare_without_syncs
File._open = _open_without_syncs  # type: ignore[method-assign]

# Typer makes all commands anew each time one is run, which takes longer than most of them.
typer.main.get_command = cache(typer.main.get_command)
typer.testing._get_command = typer.main.get_command  # type: ignore[attr-defined]

# Hundreds of tests begin with people who sign in, and a hash is made to take long. Processes of their own take as long.
_hasher = passwords._hasher
passwords._hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


@pytest.fixture(scope="session")
def databases() -> Iterator[postgres.Databases]:
    """Give a server of PostgreSQL: that of the whole run, or one of this process's own."""
    if postgres.WANTED:
        yield postgres.databases()
        return
    with postgres.serving() as url:
        own = postgres.Databases(url, "own")
        yield own
        own.close()


@pytest.fixture
def slow_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passwords be hashed as the hub hashes them."""
    monkeypatch.setattr(passwords, "_hasher", _hasher)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Give the browser for tests marked `browser`; skip with the reason where there is none."""
    found = find_chromium()
    if found is None:
        if os.environ.get("CONCORD_REQUIRE_BROWSER"):
            pytest.fail(WITHOUT)
        pytest.skip(WITHOUT)
    return found
