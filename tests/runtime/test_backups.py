"""Backup while the hub works, and restore: verified, complete, private, and refused whenever anything is in doubt."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import tarfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.cli.backup import broken_off_in_order
from hub.errors import Refused
from hub.runtime.backups import work_folder
from hub.runtime.restores import restore_backup
from hub.store.sqlite import FILE_NAME
from tests.runtime.process import HubProcess, command, event

pytestmark = [pytest.mark.processes, pytest.mark.embedded("backups of its file")]


def backed_up(hub: HubProcess, name: str = "backup.tar") -> tuple[Path, dict[str, Any]]:
    """Make a backup; gives the file and what the command told."""
    file = hub.data.parent / name
    done = hub.run("backup", str(file), "--json")
    assert done.returncode == 0, done.stderr
    return file, json.loads(done.stdout)


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / FILE_NAME) as connection:
        found = connection.execute(statement).fetchall()
    connection.close()
    return found


def sent(hub: HubProcess, number: int) -> None:
    """Deliver an event and wait until it is in the books; what streams bring meanwhile counts for itself."""
    before = json.loads(hub.api("GET", "/api/runs?limit=1000").body)["runs"]
    assert hub.hook(event(number)).status == 202
    end = time.monotonic() + 15
    while len(json.loads(hub.api("GET", "/api/runs?limit=1000&state=succeeded").body)["runs"]) <= len(before):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def filled(hub: HubProcess) -> HubProcess:
    """Give a hub that has stopped after five runs."""
    hub.store_secret()
    hub.start()
    for number in range(5):
        assert hub.hook(event(number)).status == 202
    hub.settled({"succeeded": 5})
    assert hub.end() == 0
    return hub


def test_a_backup_under_load_is_one_moment_of_the_data_and_holds(hub: HubProcess, tmp_path: Path) -> None:
    hub.store_secret()
    hub.start()
    stop = threading.Event()
    taken: list[int] = []

    def load() -> None:
        while not stop.is_set():
            number = len(taken)
            assert hub.hook(event(number)).status == 202
            taken.append(number)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        while len(taken) < 20:
            pass
        before = len(taken)
        file, told = backed_up(hub)
    finally:
        stop.set()
        sender.join()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert before <= told["manifest"]["counts"]["events"] <= len(taken)
    assert told["signatures_checked"] is True
    restored = tmp_path / "again"
    done = hub.run("restore", str(file), "--data", str(restored))
    assert done.returncode == 0, done.stderr
    # Every event that is in it has its run, and every run its event.
    assert rows(restored, "SELECT count(*) FROM events e LEFT JOIN runs r ON r.event_id = e.id WHERE r.id IS NULL") == [
        (0,)
    ]
    assert rows(restored, "SELECT count(*) FROM events") == [(told["manifest"]["counts"]["events"],)]
    assert hub.run("audit", "verify", "--data", str(restored)).returncode == 0
    made = rows(hub.data, "SELECT value FROM marks WHERE name = 'backup'")
    assert json.loads(made[0][0])["sha256"] == told["sha256"]


def test_a_backup_without_a_hub_changes_nothing_but_the_mark(filled: HubProcess) -> None:
    """After kill -9 as well: what lies in the write-ahead log is in the backup."""
    filled.start()
    sent(filled, 7)
    filled.end(signal.SIGKILL)
    _file, told = backed_up(filled)
    assert [(told["manifest"]["counts"]["runs"],)] == rows(filled.data, "SELECT count(*) FROM runs")
    assert told["manifest"]["counts"]["runs"] > 5
    assert rows(filled.data, "SELECT count(*) FROM marks WHERE name = 'backup'") == [(1,)]


def test_no_key_and_no_secret_is_in_a_backup(filled: HubProcess) -> None:
    file, told = backed_up(filled)
    content = file.read_bytes()
    key = (filled.data.parent / "key").read_bytes().strip()
    for secret in (key, *(value.encode() for value in filled.secrets().values())):
        assert secret not in content
    assert len(told["manifest"]["vault_keys"]) == 1


def test_a_file_that_is_there_is_replaced_only_when_asked(filled: HubProcess) -> None:
    file, first = backed_up(filled)
    refused = filled.run("backup", str(file))
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert filled.run("backup", str(file), "--force").returncode == 0
    folder = filled.data.parent / "nightly"
    folder.mkdir()
    assert filled.run("backup", str(folder)).returncode == 0
    (named,) = folder.iterdir()
    assert named.name.startswith("concord-2")
    missing = filled.run("backup", str(folder / "nowhere" / "b.tar"))
    assert missing.returncode == 1
    assert "no such folder" in missing.stderr
    assert first["bytes"] > 0


def test_a_restore_is_told_and_remembered(filled: HubProcess, tmp_path: Path) -> None:
    """The key's id that it needs is named, and what lay there before is moved aside, not away."""
    file, told = backed_up(filled)
    filled.start()
    sent(filled, 9)
    running = filled.run("restore", str(file), "--force")
    assert running.returncode == 1
    assert "Another hub process" in running.stderr
    assert filled.end() == 0
    full = filled.run("restore", str(file))
    assert full.returncode == 1
    assert "not empty" in full.stderr
    (newer,) = rows(filled.data, "SELECT count(*) FROM runs")
    assert newer > (5,)
    done = filled.run("restore", str(file), "--force", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert rows(filled.data, "SELECT count(*) FROM runs") == [(5,)]
    assert rows(Path(said["moved_aside"]), "SELECT count(*) FROM runs") == [newer]
    assert said["vault_keys_missing"] == []
    ((mark,),) = rows(filled.data, "SELECT value FROM marks WHERE name = 'restored'")
    assert json.loads(mark)["backup_at"][:19] == told["made_at"][:19]
    ((entry,),) = rows(filled.data, "SELECT CAST(entry AS TEXT) FROM audit WHERE kind = 'data.restored'")
    assert json.loads(entry)["facts"]["sha256"] == told["sha256"]
    filled.start()
    status = json.loads(filled.run("restore", "status", "--json").stdout)
    assert status["file"] == "backup.tar"
    assert filled.end() == 0
    assert filled.run("audit", "verify").returncode == 0
    other = filled.run("restore", str(file), "--data", str(tmp_path / "new"), "--key-file", str(tmp_path / "no-key"))
    assert other.returncode == 0
    assert told["manifest"]["vault_keys"][0] in other.stderr


def test_a_compressed_backup_is_restored_too(filled: HubProcess, tmp_path: Path) -> None:
    file, _told = backed_up(filled)
    small = tmp_path / "backup.tar.gz"
    small.write_bytes(gzip.compress(file.read_bytes()))
    done = filled.run("restore", str(small), "--data", str(tmp_path / "from-small"))
    assert done.returncode == 0, done.stderr


def test_a_damaged_backup_is_refused_and_leaves_nothing(filled: HubProcess, tmp_path: Path) -> None:
    """Whichever bit is flipped, wherever it ends too early, and when it is something else."""
    file, _told = backed_up(filled)
    content, dice = file.read_bytes(), random.Random(4)
    with tarfile.open(file) as archive:
        places = [(entry.offset_data, entry.size) for entry in archive if entry.size]
        places += [(entry.offset, 345) for entry in archive.getmembers()]
    for start, size in [place for place in places for _ in range(6)]:
        at = start + dice.randrange(size)
        harmed = bytearray(content)
        harmed[at] ^= 1 << dice.randrange(8)
        _refused(tmp_path, bytes(harmed), f"bit {at}")
    for end in (0, 300, len(content) // 2, places[3][0] + 100):
        _refused(tmp_path, content[:end], f"cut at {end}")
    small = gzip.compress(content)
    _refused(tmp_path, small[: len(small) // 2], "compressed and cut")
    _refused(tmp_path, b"something else" * 1000, "foreign")
    said = filled.run("restore", str(tmp_path / "harmed.tar"), "--data", str(tmp_path / "target"))
    assert said.returncode == 1
    assert "no backup that can be read" in said.stderr


def _refused(folder: Path, content: bytes, what: str) -> None:
    harmed, target = folder / "harmed.tar", folder / "target"
    harmed.write_bytes(content)
    with pytest.raises(Refused):
        restore_backup(harmed, target, force=False, now=datetime.now(UTC), verifier=None)
    assert [path.name for path in target.iterdir() if path.name != "hub.lock"] == [], what


def test_a_restore_that_was_broken_off_can_be_made_again(filled: HubProcess, tmp_path: Path) -> None:
    file, _told = backed_up(filled)
    data = tmp_path / "half"
    (data / "restoring").mkdir(parents=True)
    refused = filled.run("serve", "--data", str(data), "--port", "0")
    assert refused.returncode == 1
    assert "broken off" in refused.stderr
    assert filled.run("restore", str(file), "--data", str(data)).returncode == 0
    assert not (data / "restoring").exists()


def test_a_backup_of_newer_tables_is_refused(filled: HubProcess, tmp_path: Path) -> None:
    copied = tmp_path / "newer"
    shutil.copytree(filled.data, copied)
    with sqlite3.connect(copied / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    file = tmp_path / "newer.tar"
    assert filled.run("backup", str(file), "--data", str(copied)).returncode == 0
    done = filled.run("restore", str(file), "--data", str(tmp_path / "target"))
    assert done.returncode == 1
    assert "newer version" in done.stderr


def test_a_backup_that_is_told_to_end_leaves_nothing_behind(filled: HubProcess, tmp_path: Path) -> None:
    """As a timer or a service does that ran out of time."""
    command_line = command("backup", str(tmp_path / "b" / "hub.tar"))
    (tmp_path / "b").mkdir()
    with subprocess.Popen(command_line, env=filled.environ, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 30
        while not list((tmp_path / "b").iterdir()):
            assert time.monotonic() < end
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in {0, 143}
    assert [path.name for path in (tmp_path / "b").iterdir()] in ([], ["hub.tar"])


def test_told_to_end_the_moment_its_folder_is_made_a_backup_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = os.mkdir

    def made_and_ended(*given: Any, **named: Any) -> None:
        made(*given, **named)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(os, "mkdir", made_and_ended)
    with pytest.raises(SystemExit), broken_off_in_order(), work_folder(tmp_path / "hub.tar"):
        pytest.fail("it goes on although it was told to end")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_restored_by_a_clock_that_is_earlier_than_the_backup(filled: HubProcess, tmp_path: Path) -> None:
    """By the moment of the restore the hub tells what may have been sent already; too early, it would send it again."""
    file, _told = backed_up(filled)
    before = datetime.now(UTC) - timedelta(hours=1)
    with pytest.raises(Refused, match="clock") as refused:
        restore_backup(file, tmp_path / "target", force=False, now=before, verifier=None)
    assert refused.value.code == "clock-behind"
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["hub.lock"]


def test_only_a_private_folder_is_copied_into(filled: HubProcess, tmp_path: Path) -> None:
    """The hub writes nothing where others could read or replace it."""
    filled.start()
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (tmp_path / "link").symlink_to(shared)
    for folder in (str(shared), "/nowhere/at/all", str(tmp_path / "link")):
        answer = filled.api("POST", "/api/backups/copy", {"folder": folder})
        assert answer.status == 400, answer.body
    assert list(shared.iterdir()) == []
    assert filled.end() == 0
