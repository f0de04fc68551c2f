"""What this machine lets the proof do to disks and networks, in namespaces of its own that end with it.

Mounts and rules of routing are made in a mount and a network namespace that only the proof and its children are in: the
machine's own are never changed, and nothing is left when the last of them has ended. Without the right to that (root,
or its capabilities) these faults cannot be made, and each says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

#: `CLONE_NEWNS` and `CLONE_NEWNET` of Linux.
_OWN_MOUNTS, _OWN_NETWORK = 0x00020000, 0x40000000
#: Block devices are slowed down here (cgroup v1).
_THROTTLES = Path("/sys/fs/cgroup/blkio")
#: The address under which a worker that is to be cut off reaches the database: loopback's own, like all of 127/8.
FAR = "127.0.0.77"
#: Programs that namespaces, rules and disks need.
_PROGRAMS = ("unshare", "ip", "mount", "umount", "mkfs.ext4", "losetup")
#: What makes the namespaces usable. The rule that finds loopback goes behind those that are to come before it.
_SET_UP = """
mount --make-rprivate /
ip link set lo up
ip rule add pref 100 lookup local
ip rule del pref 0
"""
#: Tries the two kinds of small disks in a folder.
_TRY_DISKS = """
mkdir "$1/memory" "$1/disk"
mount -t tmpfs tmpfs "$1/memory"
truncate --size 8M "$1/image"
mkfs.ext4 -q "$1/image"
mount -o loop "$1/image" "$1/disk"
"""


class Machine:
    """The machine as one proof holds it; without namespaces it says why, and makes nothing."""

    def __init__(self, why_not: str | None) -> None:
        """Take why nothing can be made here; None where it can."""
        self.why_not = why_not

    @classmethod
    def enter(cls) -> Machine:
        """Go into namespaces of this process's own; call it before there are threads, which would stay behind."""
        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if missing:
            return cls(f"{', '.join(missing)} not there")
        # In a process of its own first: there is no way back from a network that is not there.
        with tempfile.TemporaryDirectory(prefix="concord-probe-") as folder:
            tried = subprocess.run(  # noqa: S603 - programs of the system, found above
                ["unshare", "--mount", "--net", "sh", "-e", "-c", f"{_SET_UP}\n{_TRY_DISKS}", "sh", folder],  # noqa: S607
                capture_output=True,
                check=False,
            )
        if tried.returncode:
            return cls(tried.stderr.decode(errors="replace").strip().replace("\n", "; ") or "it is not allowed")
        if ctypes.CDLL(None, use_errno=True).unshare(_OWN_MOUNTS | _OWN_NETWORK):
            return cls(f"no namespaces of its own: {os.strerror(ctypes.get_errno())}")
        _run("sh", "-e", "-c", _SET_UP)
        return cls(None)

    def cut_off(self) -> None:
        """Let nothing through to `FAR` and back; nobody is told (no reset, no refusal)."""
        _run("ip", "rule", "add", "pref", "1", "to", FAR, "blackhole")
        _run("ip", "rule", "add", "pref", "2", "from", FAR, "blackhole")

    def join(self) -> None:
        """Let everything through again."""
        for place in ("1", "2"):
            _run("ip", "rule", "del", "pref", place)

    def memory(self, folder: Path, size: str) -> Disk:
        """Give a folder a small disk of its own, in memory; needs `why_not` to be None."""
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder))
        return Disk(folder)

    def disk(self, image: Path, folder: Path, megabytes: int) -> Disk:
        """Give a folder a disk of its own, with ext4, in a file beside it."""
        with image.open("wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        # No blocks are kept back: whoever writes meets the end when it is there.
        _run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
        folder.chmod(0o711)
        return Disk(folder)


class Disk:
    """One small disk, which can be filled and slowed down."""

    def __init__(self, folder: Path) -> None:
        """Take where it is mounted."""
        self.folder = folder
        self._ballast = folder / "ballast"
        device = folder.stat().st_dev
        self._device = f"{os.major(device)}:{os.minor(device)}"
        self._throttle: Path | None = None

    def fill(self) -> None:
        """Take all the room that is left, and what becomes free meanwhile."""
        with self._ballast.open("ab", buffering=0) as file:
            for block in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"\0" * block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def cannot_slow(self) -> str | None:
        """Say why the disk cannot be slowed down here; None where it can."""
        if not (_THROTTLES / "cgroup.procs").exists():
            return "no block device can be slowed down here (cgroup v1's blkio is not mounted)"
        return None if os.access(_THROTTLES, os.W_OK) else "cgroups cannot be made here"

    def slow(self, leader: int, writes_per_second: int) -> None:
        """Let a process, and those that it has started, write only so often in a second."""
        self._throttle = _THROTTLES / f"concord-proof-{os.getpid()}"
        self._throttle.mkdir(exist_ok=True)
        limit = self._throttle / "blkio.throttle.write_iops_device"
        limit.write_text(f"{self._device} {writes_per_second}\n")
        _move(family(leader), self._throttle)

    def fast(self) -> None:
        """Let the disk be as fast as it is."""
        if self._throttle is None:
            return
        (self._throttle / "blkio.throttle.write_iops_device").write_text(f"{self._device} 0\n")
        until = time.monotonic() + 5.0
        while time.monotonic() < until:
            _move(map(int, (self._throttle / "cgroup.procs").read_text().split()), _THROTTLES)
            try:
                self._throttle.rmdir()
            except OSError:
                # One has just begun in it.
                time.sleep(0.05)
            else:
                break
        self._throttle = None

    def close(self) -> None:
        """Take it away; what still uses it keeps it until it ends."""
        self.fast()
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)  # noqa: S603, S607


def family(leader: int) -> list[int]:
    """Give a process and all that it has started, and these have started."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            # The name stands in brackets, and may have brackets and blanks in it.
            parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [leader]
    for each in found:
        found.extend(parents.get(each, ()))
    return found


def _move(processes: Iterable[int], group: Path) -> None:
    for process in processes:
        try:
            (group / "cgroup.procs").write_text(str(process))
        except OSError:
            # It has ended meanwhile.
            continue


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - programs of the system, found above
