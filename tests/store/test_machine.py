"""What lies under the data: file systems by their kind, times of syncs, and who may read a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.errors import Refused
from hub.store import machine
from hub.store.database import Database


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "ceph", "fuse.ceph-fuse", "glusterfs"])
def test_a_file_system_of_another_machine_is_known(kind: str) -> None:
    assert machine.is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "", "apfs"])
def test_a_local_file_system_is_none(kind: str) -> None:
    assert not machine.is_network(kind)


def test_the_mount_that_is_seen_counts(tmp_path: Path) -> None:
    """The innermost one, and of several on one point the last."""
    assert machine.file_system(Path("/proc")) == "proc"
    assert machine.file_system(tmp_path / "not" / "there" / "yet") == machine.file_system(tmp_path) != ""


@pytest.mark.embedded("where its file may lie")
def test_data_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "file_system", lambda _path: "nfs4")
    with pytest.raises(Refused, match="local disk") as refused:
        Database(tmp_path)
    assert refused.value.code == "network-file-system"


def test_syncs_are_timed_and_leave_nothing(tmp_path: Path) -> None:
    syncs = machine.time_syncs(tmp_path)
    assert 0 < syncs.median <= syncs.longest
    assert list(tmp_path.iterdir()) == []


def test_who_may_read_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert machine.open_to_others(file) is None
    file.write_text("x")
    file.chmod(0o640)
    assert "640" in str(machine.open_to_others(file))
    file.chmod(0o600)
    assert machine.open_to_others(file) is None
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
        assert "another user" in str(machine.open_to_others(file))
