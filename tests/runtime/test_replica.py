"""A real standby that follows: pages are read there, who has done something sees it, and nothing depends on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import make_url, text

from hub.errors import DatabaseAway
from hub.proof.processes import Processes
from hub.proof.servers import postgres as server
from hub.runtime import doctor
from hub.runtime.freshness import COOKIE, HEADER, Freshness
from hub.store import replica as following
from hub.store.database import Database
from hub.store.replica import Following, Replica, position, seen, written
from tests import postgres
from tests.runtime.process import HubProcess, event

pytestmark = pytest.mark.processes


class Pair:
    """A primary with the hub's tables, and a standby that follows it."""

    def __init__(self, primary: str, standby: str, database: Database, replica: Replica) -> None:
        """Take both."""
        self.primary, self.standby, self.database, self.replica = primary, standby, database, replica

    def do(self, statement: str, *, standby: bool = False) -> Any:
        """Have a server do something as its administrator would."""
        with psycopg.connect(self.standby if standby else self.primary, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchone() if found.description else None

    def until(self, state: Following) -> None:
        """Wait until the replica stands so."""
        end = time.monotonic() + 20
        while self.replica.standing.state is not state:
            assert time.monotonic() < end, self.replica.standing
            time.sleep(0.02)

    def caught_up(self) -> None:
        """Wait until the standby has all that is written by now."""
        wanted, end = self.replica.end(), time.monotonic() + 20
        while (position(self.do("SELECT pg_last_wal_replay_lsn()::text", standby=True)[0]) or 0) < wanted:
            assert time.monotonic() < end
            time.sleep(0.01)

    def read(self, asked: int | None) -> tuple[bool, int]:
        """Say whether a standby is read for somebody who has seen this, and what is counted there."""
        token = seen.set(asked)
        try:
            with self.replica.reading() as connection:
                standby = connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
                return standby, connection.execute(text("SELECT count(*) FROM counters")).scalar_one()
        finally:
            seen.reset(token)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Database]]:
    """Start both; give their URLs, and the database that both have."""
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(tmp_path_factory.mktemp("logs")))
        folders = [stack.enter_context(server.room()) for _ in range(2)]
        primary = processes.start("primary", server.command(folders[0])).hello["url"]
        port = make_url(primary).port
        assert port is not None
        follows = server.command(folders[1], standby_of=(folders[0], port))
        standby = processes.start("standby", follows).hello["url"]
        with psycopg.connect(primary, autocommit=True) as connection:
            connection.execute("CREATE DATABASE hub TEMPLATE template0 ENCODING 'UTF8'")
        database = Database(tmp_path_factory.mktemp("data"), postgres.named(primary, "hub"))
        yield postgres.named(primary, "hub"), postgres.named(standby, "hub"), database
        database.close()


@pytest.fixture
def pair(servers: tuple[str, str, Database]) -> Iterator[Pair]:
    """Give an empty table, and what reads it on the standby."""
    primary, standby, database = servers
    replica = Replica(standby, database)
    made = Pair(primary, standby, database, replica)
    made.do("DELETE FROM counters")
    replica.start()
    made.until(Following.FOLLOWS)
    made.caught_up()
    yield made
    made.do("SELECT pg_wal_replay_resume()", standby=True)
    replica.close()


def test_places_are_read_and_written_as_postgresql_does() -> None:
    assert position("16/B374D848") == 0x16B374D848 and written(0x16B374D848) == "16/B374D848"
    assert [position(each) for each in ("", "x", "1/2/3", "-1/0", "1/123456789")] == [None] * 5


def test_whoever_only_looks_is_read_for_on_the_standby(pair: Pair) -> None:
    """And whoever decides, of whom nothing is said, on the primary."""
    assert pair.read(0) == (True, 0)
    assert pair.read(None) == (False, 0)
    (finding,) = doctor._replica(pair.replica)
    assert finding.mark == "ok" and "follows within" in finding.found and "concord:" not in finding.found


def test_who_has_done_something_sees_it(pair: Pair) -> None:
    """While the standby has not replayed it, the primary is read for them; for others the standby as before."""
    pair.do("SELECT pg_wal_replay_pause()", standby=True)
    pair.do("INSERT INTO counters VALUES ('mine', 1)")
    done = pair.replica.end()
    standby, number = pair.read(done)
    assert (standby, number) == (False, 1)
    pair.do("SELECT pg_wal_replay_resume()", standby=True)
    pair.caught_up()
    pair.until(Following.FOLLOWS)
    assert pair.read(done) == (True, 1)


def test_a_standby_that_falls_behind_is_not_read_for_anybody(pair: Pair) -> None:
    """It is told, and it is read again once it has caught up."""
    pair.do("SELECT pg_wal_replay_pause()", standby=True)
    pair.do("INSERT INTO counters VALUES ('theirs', 1)")
    pair.until(Following.BEHIND)
    assert pair.read(0) == (False, 1)
    (finding,) = doctor._replica(pair.replica)
    assert finding.mark == "warn" and "behind" in finding.found
    pair.do("SELECT pg_wal_replay_resume()", standby=True)
    pair.until(Following.FOLLOWS)
    assert pair.read(0) == (True, 1)


def test_a_standby_that_is_not_there_keeps_nobody_waiting(pair: Pair) -> None:
    nowhere = make_url(pair.standby).set(port=1).render_as_string(hide_password=False)
    replica = Replica(nowhere, pair.database)
    replica.start()
    other = Pair(pair.primary, nowhere, pair.database, replica)
    began = time.monotonic()
    assert other.read(0) == (False, 0)
    assert time.monotonic() - began < 1
    (finding,) = doctor._replica(replica)
    assert finding.mark == "warn" and "is not read" in finding.found
    replica.close()


def test_what_is_no_standby_of_this_database_is_not_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a server that takes writes, as one that was promoted, nor a standby of another cluster."""
    replica = Replica(pair.primary, pair.database)
    replica.start()
    other = Pair(pair.primary, pair.primary, pair.database, replica)
    other.until(Following.NO_STANDBY)
    assert other.read(0)[0] is False
    replica.close()
    monkeypatch.setattr(following, "_IDENTITY", "SELECT '7'::text")
    pair.until(Following.NO_STANDBY)
    assert pair.read(0)[0] is False


def test_what_the_standby_breaks_off_is_asked_of_the_primary_the_next_time(pair: Pair) -> None:
    """A session there is ended in the middle of a page."""
    token = seen.set(0)
    try:
        with pair.replica.reading() as connection:
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            pair.do(f"SELECT pg_terminate_backend({own})", standby=True)
            with pytest.raises(DatabaseAway):
                connection.execute(text("SELECT count(*) FROM counters"))
    finally:
        seen.reset(token)
    assert pair.read(0) == (False, 0)
    end = time.monotonic() + 20
    while not pair.read(0)[0]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_primary_that_is_away_leaves_nothing_to_compare_with(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far the standby is behind cannot be told then, so it is not taken for the database."""

    def away() -> Any:
        raise DatabaseAway("away", after=1)

    monkeypatch.setattr(pair.database, "_reached", away)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            assert pair.read(0)[0]
        except DatabaseAway:
            break
        time.sleep(0.05)
    assert time.monotonic() < end


def test_requests_say_what_their_caller_has_seen(pair: Pair) -> None:
    """A browser by its cookie, a program by its header or its token; what changes something reads the database."""
    app = FastAPI()
    app.add_middleware(Freshness, replica=pair.replica)
    found: list[int | None] = []

    @app.get("/look")
    @app.post("/do")
    def look(request: Request) -> str:
        found.append(seen.get())
        if request.method == "POST":
            pair.do("INSERT INTO counters VALUES ('x', 1) ON CONFLICT (name) DO UPDATE SET value = counters.value + 1")
        return "done"

    browser, program, stranger = (TestClient(app) for _ in range(3))
    browser.get("/look")
    before = pair.replica.end()
    told = browser.post("/do").headers[HEADER]
    place = position(told)
    assert found == [0, None] and place is not None and place > before and browser.cookies[COOKIE] == told
    browser.get("/look")
    stranger.get("/look")
    assert found[2:] == [place, 0]
    token = {"Authorization": "Bearer abc"}
    program.post("/do", headers=token)
    program.cookies.clear()
    program.get("/look", headers=token)
    program.get("/look", headers={HEADER: told})
    program.get("/look", headers={HEADER: "nonsense", "Cookie": f"{COOKIE}=;;="})
    assert found[-3] is not None and found[-3] > place and found[-2:] == [place, 0]


def test_looking_from_many_threads_is_always_as_new_as_was_done(pair: Pair) -> None:
    """Each counts on from what it did itself, whichever server answers."""
    wrong: list[str] = []
    places: list[bool] = []

    def act(name: str) -> None:
        for value in range(1, 25):
            put = f"('{name}', {value}) ON CONFLICT (name) DO UPDATE SET value = {value}"
            pair.do(f"INSERT INTO counters VALUES {put}")  # noqa: S608 - names of the test's own
            token = seen.set(pair.replica.end())
            with pair.replica.reading() as connection:
                places.append(connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())
                asked = text("SELECT value FROM counters WHERE name = :name")
                read = connection.execute(asked, {"name": name}).scalar()
            seen.reset(token)
            if read != value:
                wrong.append(f"{name}: {read} after {value}")

    threads = [threading.Thread(target=act, args=(f"t{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == [] and len(places) == 3 * 24


def test_a_hub_serves_with_a_replica_and_without_it(hub: HubProcess, servers: tuple[str, str, Database]) -> None:
    """Who orders something sees it at once; how the standby stands is told; the password never is."""
    primary, standby, _ = servers
    with psycopg.connect(primary, autocommit=True) as connection:
        connection.execute("CREATE DATABASE serving TEMPLATE template0 ENCODING 'UTF8'")
    hub.environ["CONCORD_DATABASE"] = postgres.named(primary, "serving")
    hub.store_secret()
    hub.environ["CONCORD_DATABASE_REPLICA"] = postgres.named(standby, "serving")
    hub.start()
    end = time.monotonic() + 30
    while hub.call("GET", "/api/health").json()["replica"] != "follows":
        assert time.monotonic() < end
        time.sleep(0.05)
    for number in range(3):
        assert hub.hook(event(number)).status == 202
    hub.settled({"succeeded": 3})
    with psycopg.connect(postgres.named(standby, "serving"), autocommit=True) as connection:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'serving' AND pid <> pg_backend_pid()"
        assert (connection.execute(asked).fetchone() or (0,))[0] > 0
        connection.execute("SELECT pg_wal_replay_pause()")
        try:
            held = hub.run("hold", "flow", "greet", "--reason", "test")
            assert held.returncode == 0, held.stderr
            assert "greet" in hub.run("holds", "--json").stdout
            while hub.call("GET", "/api/health").json()["replica"] != "behind":
                assert time.monotonic() < end
                time.sleep(0.05)
        finally:
            connection.execute("SELECT pg_wal_replay_resume()")
    found = hub.run("doctor", "--json").stdout
    assert '"replica"' in found
    assert hub.end() == 0
    password = primary.split(":")[2].split("@")[0]
    assert password not in (hub.data.parent / "hub.log").read_text() + found
