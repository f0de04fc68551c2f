"""Cut power: the disk forgets what was not synced, and a process that syncs too little is found out."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hub.connections.keys import VaultKey
from hub.connections.signing_key import signing_key
from hub.proof.outside import Cannot
from hub.proof.power import recording
from hub.proof.power.cuts import Recorded, judge
from hub.proof.power.disk import SECTOR, Disk, Loss
from hub.proof.power.recording import Operation
from hub.proof.power.witness import Witness

pytestmark = pytest.mark.embedded("what a file of SQLite is written like")

#: Accepts events as the hub does, and tells each one that is durable.
WRITER = """
import asyncio, random, sys
from pathlib import Path
from hub.connections.keys import VaultKey
from hub.connections.signing_key import signing_key
from hub.model.ambient import Ambient
from hub.operate.sealing import Sealer
from hub.runtime.clock import SystemClock
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.events import Accept

async def main():
    database = Database(Path(sys.argv[1]))
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    committer = Committer(database, ambient)
    committer.start()
    key = signing_key(VaultKey(material=bytes(range(32)), source="test"))
    sealer = Sealer(database=database, ambient=ambient, key_id=key.id, signer=key.sign)
    for number in range(150):
        event = {"id": f"event_{number}", "environment": "test", "connection": "v", "external_id": f"evt_{number}",
                 "type": "v.made", "subject": "", "schema": None, "occurred_at": 1, "received_at": 1, "via": "webhook",
                 "state": "unrouted", "deliveries": 1, "data": "{}", "record_key": None, "body_hash": "h",
                 "entity": None, "reason": None, "flags": None}
        await committer.commit(Accept(event=event, runs=(), actor="connection:v"))
        print(f"evt_{number}", flush=True)
        if number % 40 == 20:
            sealer.seal()
    await committer.stop()
    database.close()

asyncio.run(main())
"""


def operation(
    kind: str, name: str = "file", *, at: float, took: float = 0.0, offset: int = 0, data: bytes = b""
) -> Operation:
    return Operation(began=at, done=at + took, kind=kind, name=name, offset=offset, data=data)


def disk(*operations: Operation) -> Disk:
    made = Disk()
    for each in operations:
        made.advance(each)
    return made


def left(made: Disk, loss: Loss, seed: int = 1) -> dict[str, bytes]:
    return {name: content for name, (_file, content) in made.after(loss, random.Random(seed)).items()}


NAMED = (operation("create", at=1), operation("sync", "", at=1.1))


def test_what_was_not_synced_is_gone_and_what_was_is_there() -> None:
    made = disk(
        *NAMED,
        operation("write", at=2, data=b"old"),
        operation("sync", at=3),
        operation("write", at=4, offset=3, data=b"new"),
    )
    assert left(made, Loss.ALL) == {"file": b"old"}
    assert left(made, Loss.NONE) == {"file": b"oldnew"}


def test_a_sync_counts_from_its_end_on_and_for_what_was_written_before_its_beginning() -> None:
    made = disk(
        *NAMED,
        operation("write", at=2, data=b"a"),
        operation("sync", at=3, took=2),
        operation("write", at=4, offset=1, data=b"b"),
    )
    made.until(4.9)
    assert left(made, Loss.ALL) == {"file": b""}
    made.until(5.1)
    assert left(made, Loss.ALL) == {"file": b"a"}


def test_a_name_is_there_once_its_folder_was_synced() -> None:
    written = (operation("create", at=1), operation("write", at=2, data=b"a"), operation("sync", at=3))
    assert left(disk(*written, operation("sync", at=9)), Loss.ALL) == {}
    made = disk(*written, operation("sync", "", at=4), operation("unlink", at=5))
    made.until(6)
    assert left(made, Loss.ALL) == {"file": b"a"}
    assert left(made, Loss.NONE) == {}


def test_a_write_is_torn_at_sectors() -> None:
    """Each sector is the old or the new one, never a mixture."""
    made = disk(
        *NAMED,
        operation("write", at=2, data=b"o" * 4 * SECTOR),
        operation("sync", at=3),
        operation("write", at=4, data=b"n" * 4 * SECTOR),
    )
    made.until(5)
    seen = set()
    for seed in range(60):
        content = left(made, Loss.SOME, seed)["file"]
        sectors = [content[place : place + SECTOR] for place in range(0, len(content), SECTOR)]
        assert all(len(set(sector)) == 1 for sector in sectors)
        seen.add(bytes(sector[0] for sector in sectors))
    assert b"oooo" in seen
    assert b"nnnn" in seen
    assert len(seen) > 5


def test_what_this_reading_does_not_know_stops_the_proof(tmp_path: Path) -> None:
    """Such a call could make durable or change what the model does not see."""
    (tmp_path / "life.1").write_text(f"1.000001 fallocate(7<{tmp_path}/concord.db>, 0, 0, 10) = 0 <0.000001>\n")
    with pytest.raises(Cannot, match="fallocate"):
        recording.read(tmp_path / "life", tmp_path)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recorded, Path]:
    """Give what a small writer did, and when it acknowledged what."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not on this machine")
    folder = tmp_path_factory.mktemp("power")
    data = folder / "data"
    data.mkdir()
    words = recording.command(folder / "life", (sys.executable, "-c", WRITER, str(data)))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = {line.strip(): time.time() for line in process.stdout}
    status = process.wait(timeout=60)
    assert process.stderr is not None
    problem = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    if "Operation not permitted" in problem:
        pytest.skip("this user may not trace processes")
    assert status == 0, problem
    recording.wait_for_end(folder / "life")
    operations = [each for each in recording.read(folder / "life", data) if each.name != "hub.lock"]
    witness = Witness(events=acknowledged, requests={}, outcomes={})
    began, ended = operations[0].began, operations[-1].began
    return Recorded(operations=operations, memory=(), witness=witness, began=began, ended=ended), folder


def lost(recorded: Recorded, folder: Path, cuts: int = 60) -> list[str]:
    key = signing_key(VaultKey(material=bytes(range(32)), source="test"))
    return judge(recorded, folder, cuts=cuts, seed=1, verifier=key.verify)[0]


def test_nothing_acknowledged_is_lost_however_the_power_is_cut(recorded: tuple[Recorded, Path]) -> None:
    whole, folder = recorded
    assert len(whole.witness.events) == 150
    assert lost(whole, folder) == []


def test_a_process_that_does_not_sync_is_found_out(recorded: tuple[Recorded, Path]) -> None:
    """The same history, without the syncs of the write-ahead log."""
    whole, folder = recorded
    careless = [each for each in whole.operations if each.kind != "sync" or each.name != "concord.db-wal"]
    assert len(careless) < len(whole.operations)
    found = lost(replace(whole, operations=careless), folder)
    assert any("was acknowledged and is not there" in each for each in found)


def test_a_sync_that_comes_after_the_acknowledgement_is_found_out(recorded: tuple[Recorded, Path]) -> None:
    """As if the answer had gone out a fiftieth of a second too early."""
    whole, folder = recorded
    early = {name: at - 0.02 for name, at in whole.witness.events.items()}
    hasty = replace(whole, witness=Witness(events=early, requests={}, outcomes={}))
    assert lost(hasty, folder, cuts=120)
