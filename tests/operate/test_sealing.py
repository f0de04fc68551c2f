"""Signed heads outside the database: whoever can write the database still cannot rewrite the log unseen."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, select, update

from hub.audit.chain import GENESIS, ChainHead, links
from hub.audit.frontier import Frontier
from hub.audit.heads import SignedHead
from hub.audit.kinds import AuditKind
from hub.audit.merkle import leaf_hash
from hub.connections.keys import VaultKey
from hub.connections.signing_key import signing_key
from hub.model.ambient import Ambient
from hub.operate.sealing import Sealer
from hub.queries import audit as audit_lines
from hub.queries.integrity import verify, verify_logs
from hub.queries.view import View
from hub.runtime.clock import SystemClock, system_ambient
from hub.store import heads
from hub.store.audit import Note, entries
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.tables import audit, audit_heads

KEY = signing_key(VaultKey(material=bytes(range(32)), source="test"))


async def _write(directory: Path, *batches: int) -> None:
    database = Database(directory)
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    committer = Committer(database, ambient)
    committer.start()
    sealer = Sealer(database=database, ambient=ambient, key_id=KEY.id, signer=KEY.sign)
    for count in batches:
        for _ in range(count):
            note = Note(kind=AuditKind.RUN_SUCCEEDED, actor="worker_1", subjects={"run": "run_1"})
            await committer.commit(Work(lambda tx, note=note: tx.entries.append(note)))  # type: ignore[misc]
        sealer.seal()
    await committer.stop()
    database.close()


def _faults(directory: Path) -> list[str]:
    database = Database(directory)
    try:
        return list(verify(database, KEY.verify).faults)
    finally:
        database.close()


def _execute(directory: Path, *statements: Executable) -> None:
    """Alter what is stored, past everything that the hub would do beside it."""
    database = Database(directory)
    with database.writer.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    database.close()


async def test_an_untouched_log_holds_over_several_lives(tmp_path: Path) -> None:
    """Each life of a process goes on where the last one sealed."""
    await _write(tmp_path, 3, 2)
    await _write(tmp_path, 1)
    assert _faults(tmp_path) == []
    assert [head.head.size for head in heads.read(tmp_path)] == [3, 5, 6]


async def _write_to(directory: Path, *logs: str) -> SignedHead:
    """Let several committers append, one entry each in turn, and seal after each by a sealer that knows no other."""
    database = Database(directory)
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    last: SignedHead | None = None
    for log in logs:
        committer = Committer(database, ambient, chain=log)
        committer.start()
        note = Note(kind=AuditKind.RUN_SUCCEEDED, actor="worker_1", subjects={"run": "run_1"})
        await committer.commit(Work(lambda tx, note=note: tx.entries.append(note)))  # type: ignore[misc]
        await committer.stop()
        last = Sealer(database=database, ambient=ambient, key_id=KEY.id, signer=KEY.sign).seal()
    database.close()
    assert last is not None
    return last


@pytest.mark.embedded("elsewhere a committer has the log that it is given")
async def test_one_tree_is_over_the_logs_of_all_committers(tmp_path: Path) -> None:
    """Its leaves stand in the order in which they were sealed, also for a process that comes later."""
    last = await _write_to(tmp_path, "main-2", "main", "main-2", "main-3", "main")
    database = Database(tmp_path)
    with database.reading() as connection:
        leaves = {log: [*entries(connection, log)] for log in ("main", "main-2", "main-3")}
        assert verify_logs(connection, tmp_path, KEY.verify).holds
    database.close()
    database = Database(tmp_path)
    view = View(environment="test", database=database, ambient=system_ambient(1))
    pages = [audit_lines.page(view, limit=2)]
    while (older := pages[-1].older) is not None:
        pages.append(audit_lines.page(view, before=older, limit=2))
    database.close()
    shown = [(line.log, line.sequence) for page in pages for line in page.lines]
    assert shown == [("main", 2), ("main-3", 1), ("main-2", 2), ("main", 1), ("main-2", 1)]
    order = [("main-2", 0), ("main", 0), ("main-2", 1), ("main-3", 0), ("main", 1)]
    tree = Frontier().add(leaf_hash(leaves[log][place].leaf) for log, place in order)
    assert (last.head.size, last.head.root) == (5, tree.root())
    assert {log.log: log.size for log in last.head.logs} == {"main": 2, "main-2": 2, "main-3": 1}


@pytest.mark.embedded("it is taken from the file")
async def test_a_log_that_is_gone_is_named_whichever_it_is(tmp_path: Path) -> None:
    await _write_to(tmp_path, "main", "main-2")
    database = Database(tmp_path)
    with database.writer.begin() as connection:
        for table in (audit, audit_heads):
            connection.execute(delete(table).where(table.c.chain == "main"))
    assert verify(database, KEY.verify).faults == ("log main: it is gone, with 1 entries",)
    database.close()


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        (update(audit).where(audit.c.sequence == 2).values(entry=b'{"run":"run_2"}'), "entry 2 altered"),
        (delete(audit).where(audit.c.sequence == 3), "entry 3 missing"),
        (delete(audit).where(audit.c.sequence == 6), "entry 6 missing"),
        (delete(audit), "missing"),
    ],
    ids=("altered", "removed", "cut", "wiped"),
)
async def test_tampering_is_named(tmp_path: Path, statement: Executable, word: str) -> None:
    """Altered, removed in the middle, cut at the end, and wiped."""
    await _write(tmp_path, 3, 3)
    _execute(tmp_path, statement)
    assert any(word in fault for fault in _faults(tmp_path)), _faults(tmp_path)


async def test_two_entries_that_changed_places_are_named(tmp_path: Path) -> None:
    """Both stand in the finding."""
    await _write(tmp_path, 4)
    _execute(
        tmp_path,
        *(update(audit).where(audit.c.sequence == was).values(sequence=is_) for was, is_ in ((2, 99), (3, 2), (99, 3))),
    )
    assert any("reordered" in fault for fault in _faults(tmp_path))


async def test_a_log_chained_anew_is_caught_by_the_signed_heads(tmp_path: Path) -> None:
    """The whole database is consistent in itself, and still not what was sealed."""
    await _write(tmp_path, 3, 3)
    database = Database(tmp_path)
    with database.reading() as connection:
        leaves = connection.execute(select(audit.c.entry).order_by(audit.c.sequence)).scalars().all()
    database.close()
    forge: Callable[[bytes], bytes] = lambda leaf: leaf.replace(b"run_1", b"run_9")  # noqa: E731
    made = list(links(ChainHead(log="main", size=0, chain=GENESIS), [*map(forge, leaves)]))
    _execute(
        tmp_path,
        *(
            update(audit).where(audit.c.sequence == link.sequence).values(entry=link.leaf, chain_hash=link.chain)
            for link in made
        ),
        update(audit_heads).values(chain_hash=made[-1].chain),
    )
    assert any("rewritten" in fault for fault in _faults(tmp_path))


async def test_half_a_line_of_a_crash_does_not_spoil_the_heads(tmp_path: Path) -> None:
    """What was half said is said again by the next head."""
    await _write(tmp_path, 2)
    with (tmp_path / heads.FILE_NAME).open("a") as file:
        file.write('\n{"head": {"size": 3, "ro')
    await _write(tmp_path, 1)
    assert _faults(tmp_path) == []
    assert [head.head.size for head in heads.read(tmp_path)] == [2, 3]


async def test_a_head_that_finds_no_room_leaves_nothing_and_the_next_one_follows(tmp_path: Path) -> None:
    """Half a line on a full disk, or a head that names one that was never written, would look like tampering."""
    await _write(tmp_path, 3)
    database = Database(tmp_path)
    ambient = Ambient(clock=SystemClock(), random=random.Random(2))
    committer = Committer(database, ambient)
    committer.start()
    sealer = Sealer(database=database, ambient=ambient, key_id=KEY.id, signer=KEY.sign)
    note = Note(kind=AuditKind.RUN_SUCCEEDED, actor="worker_1", subjects={"run": "run_1"})
    await committer.commit(Work(lambda tx: tx.entries.append(note)))
    before = (tmp_path / heads.FILE_NAME).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 60, limits[1]))
    try:
        with pytest.raises(OSError, match=r"room|space|large"):
            sealer.seal()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / heads.FILE_NAME).read_bytes() == before
    assert sealer.seal() is not None
    await committer.stop()
    database.close()
    assert _faults(tmp_path) == []
