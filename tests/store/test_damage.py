"""Damaged files are refused before anything is changed, and what a power cut may leave is not called damage."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.errors import Fatal
from hub.store import damage
from hub.store.database import Database
from hub.store.sqlite import FILE_NAME, RESTORING

pytestmark = pytest.mark.embedded("damage to its file")

#: Commits many times as the hub does, and ends without a word.
KILLED = """
import asyncio, os, random, sys
from pathlib import Path
from hub.audit.kinds import AuditKind
from hub.connections.keys import VaultKey
from hub.connections.signing_key import signing_key
from hub.model.ambient import Ambient
from hub.operate.sealing import Sealer
from hub.runtime.clock import SystemClock
from hub.store.audit import Note
from hub.store.committer import Committer, Work
from hub.store.database import Database

async def main():
    database = Database(Path(sys.argv[1]))
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    committer = Committer(database, ambient)
    committer.start()
    key = signing_key(VaultKey(material=bytes(range(32)), source="test"))
    sealer = Sealer(database=database, ambient=ambient, key_id=key.id, signer=key.sign)
    note = Note(kind=AuditKind.RUN_SUCCEEDED, actor="worker_1", subjects={"run": "run_1"})
    for number in range(200):
        await committer.commit(Work(lambda tx: tx.entries.append(note)))
        if number == 20:
            sealer.seal()
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data directory as a killed process left it."""
    folder = tmp_path_factory.mktemp("killed") / "data"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    return folder


@pytest.fixture
def data(killed: Path, tmp_path: Path) -> Path:
    """Give a copy of it to be damaged."""
    return Path(shutil.copytree(killed, tmp_path / "data"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "hub.lock"}


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


def wal(folder: Path) -> Path:
    return folder / f"{FILE_NAME}-wal"


def test_what_a_killed_process_left_is_taken_up(data: Path) -> None:
    Database(data).close()
    with sqlite3.connect(data / FILE_NAME) as connection:
        assert connection.execute("SELECT size FROM audit_heads").fetchone() == (200,)
    connection.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_in_the_log_is_refused_and_nothing_is_changed(data: Path, seed: int) -> None:
    """Also the second time, as when a service manager starts the hub again and again."""
    flip(wal(data), random.Random(seed).randrange(wal(data).stat().st_size))
    before = contents(data)
    for _ in range(2):
        with pytest.raises(Fatal, match="concord restore") as refused:
            Database(data)
        assert refused.value.code == "log-damaged"
        assert contents(data) == before


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_a_log_cut_short_is_refused_also_the_second_time(data: Path, part: float) -> None:
    cut(wal(data), int(wal(data).stat().st_size * part))
    for _ in range(2):
        with pytest.raises(Fatal) as refused:
            Database(data)
        assert refused.value.code == "log-damaged"


def test_a_log_cut_short_below_the_last_signed_head_is_refused_without_its_index(data: Path) -> None:
    (data / f"{FILE_NAME}-shm").unlink()
    cut(wal(data), 40 * (4096 + 24) + 32)
    with pytest.raises(Fatal, match="last signed head") as refused:
        Database(data)
    assert refused.value.code == "end-missing"


def test_the_last_commit_torn_by_a_power_cut_is_no_damage(data: Path) -> None:
    """It was never acknowledged. The index in memory is gone too."""
    (data / f"{FILE_NAME}-shm").unlink()
    flip(wal(data), wal(data).stat().st_size - 100)
    Database(data).close()


def test_a_first_start_that_was_broken_off_is_taken_back(tmp_path: Path) -> None:
    """Before there is a write-ahead log a transaction has a journal, which only a writer may roll back."""
    begun, data = tmp_path / "begun", tmp_path / "data"
    begun.mkdir()
    data.mkdir()
    connection = sqlite3.connect(begun / FILE_NAME, isolation_level=None)
    connection.execute("CREATE TABLE half (a TEXT)")
    connection.execute("PRAGMA cache_size=2")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO half VALUES (?)", (("x" * 3000,) for _ in range(50)))
    for path in begun.iterdir():
        shutil.copy(path, data)
    connection.close()
    assert (data / f"{FILE_NAME}-journal").stat().st_size
    Database(data).close()
    with sqlite3.connect(data / FILE_NAME) as opened:
        assert opened.execute("SELECT count(*) FROM half").fetchone() == (0,)
    opened.close()


def structure(path: Path) -> int:
    """Give the place of the cell count of an inner or leaf page that is in use."""
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()
    connection.close()
    return int((page - 1) * 4096 + 3)


def test_a_broken_page_is_refused(data: Path) -> None:
    Database(data).close()
    flip(data / FILE_NAME, structure(data / FILE_NAME))
    before = contents(data)
    with pytest.raises(Fatal) as refused:
        Database(data)
    assert refused.value.code == "database-damaged"
    assert contents(data) | before == contents(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: flip(path, 5),
        lambda path: cut(path, 4096 * 3),
        lambda path: path.write_bytes(b"no database at all" * 500),
    ],
    ids=["header", "cut", "foreign"],
)
def test_a_file_that_is_no_whole_database_is_refused(data: Path, harm: Callable[[Path], None]) -> None:
    Database(data).close()
    harm(data / FILE_NAME)
    with pytest.raises(Fatal, match="damaged"):
        Database(data)


def test_an_older_copy_put_in_place_by_hand_is_refused(data: Path, tmp_path: Path) -> None:
    """Only `concord restore` tells the engine that the targets know more than the data."""
    early = tmp_path / "early"
    Database(early).close()
    for path in data.glob(f"{FILE_NAME}*"):
        path.unlink()
    shutil.copy(early / FILE_NAME, data / FILE_NAME)
    with pytest.raises(Fatal) as refused:
        Database(data)
    assert refused.value.code == "end-missing"


def test_no_empty_database_is_begun_where_one_is_missing(data: Path, tmp_path: Path) -> None:
    for path in data.glob(f"{FILE_NAME}*"):
        path.unlink()
    with pytest.raises(Fatal) as refused:
        Database(data)
    assert refused.value.code == "database-missing"
    (tmp_path / "other" / RESTORING).mkdir(parents=True)
    with pytest.raises(Fatal) as unfinished:
        Database(tmp_path / "other")
    assert unfinished.value.code == "restore-unfinished"


def test_a_large_database_is_looked_at_only_as_long_as_there_is_time(data: Path) -> None:
    Database(data).close()
    with sqlite3.connect(data / FILE_NAME) as connection:
        connection.execute("CREATE TABLE large (a INTEGER PRIMARY KEY, b TEXT)")
        connection.executemany("INSERT INTO large (b) VALUES (?)", (("x" * 20,) for _ in range(100_000)))
    connection.close()
    assert damage.look(data / FILE_NAME, seconds=0.0) is False
    assert damage.look(data / FILE_NAME, seconds=60.0) is True
