"""A disk that forgets what was not synced: from recorded operations to the files that a cut of power may leave.

A write is on the disk once a sync of its file that was begun after it has ended. Until then it may be there or not, and
of it any sectors. A name is where it should be once its folder was synced; until then names are as they were after one
of the changes since, in their order, as a journalled file system keeps them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hub.proof.power.recording import Operation

#: What a disk writes whole or not at all.
SECTOR = 512


class Loss(StrEnum):
    """What becomes of what was not synced."""

    ALL = "all of it is gone"
    SOME = "some writes are there, some of them torn"
    LAST = "only the last writes are gone"
    NONE = "all of it is there"


@dataclass(slots=True)
class File:
    """One file: what of it is surely on the disk, and what may be (in order: offset and data; None cuts to a size)."""

    #: From when to when it had a name.
    born: float = 0.0
    died: float = math.inf
    durable: bytearray = field(default_factory=bytearray)
    open: list[tuple[int, bytes | None]] = field(default_factory=list)
    size: int = 0
    synced: int = 0

    @property
    def done(self) -> int:
        """Count the operations so far."""
        return self.synced + len(self.open)

    def write(self, offset: int, data: bytes) -> None:
        """Write, and not yet sync."""
        self.open.append((offset, data))
        self.size = max(self.size, offset + len(data))

    def cut(self, size: int) -> None:
        """Cut or extend to a size, and not yet sync."""
        self.open.append((size, None))
        self.size = size

    def sync(self, done: int) -> None:
        """Make the first operations durable, as many as were done when the sync began."""
        number = max(0, done - self.synced)
        for offset, data in self.open[:number]:
            _apply(self.durable, offset, data)
        del self.open[:number]
        self.synced += number

    def after(self, loss: Loss, dice: random.Random) -> bytes:
        """Give the content that a cut of power leaves."""
        content = bytearray(self.durable)
        match loss:
            case Loss.ALL:
                kept: Sequence[tuple[int, bytes | None]] = ()
            case Loss.NONE:
                kept = self.open
            case Loss.LAST:
                kept = self.open[: dice.randint(0, len(self.open))]
            case Loss.SOME:
                kept = [each for each in self.open if dice.random() < 0.5]
        for offset, data in kept:
            if loss is Loss.SOME and data is not None and dice.random() < 0.5:
                _tear(content, offset, data, dice)
            else:
                _apply(content, offset, data)
        return bytes(content)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _tear(content: bytearray, offset: int, data: bytes, dice: random.Random) -> None:
    """Write only some of the sectors that a write touches."""
    place = 0
    while place < len(data):
        size = min(SECTOR - (offset + place) % SECTOR, len(data) - place)
        if dice.random() < 0.5:
            _apply(content, offset + place, data[place : place + size])
        place += size


class Disk:
    """The files of one folder over time."""

    def __init__(self) -> None:
        """Begin with an empty folder."""
        self._names: dict[str, File] = {}
        #: The names as they may be on the disk: as they surely are, then after each change since.
        self._history: list[dict[str, File]] = [{}]
        self._settled = 0
        #: Syncs under way: when they end, of which file (None: the folder), and how much was done when they began.
        self._syncing: list[tuple[float, File | None, int]] = []
        self.writes = 0
        self.syncs = 0

    def advance(self, operation: Operation) -> None:
        """Do the next operation."""
        self._settle(operation.began)
        match operation.kind:
            case "create":
                if operation.name not in self._names:
                    self._names[operation.name] = File(born=operation.began)
                    self._renamed()
            case "write":
                self.writes += 1
                self._file(operation.name).write(operation.offset, operation.data)
            case "append":
                self.writes += 1
                file = self._file(operation.name)
                file.write(file.size, operation.data)
            case "truncate":
                self._file(operation.name).cut(operation.offset)
            case "unlink":
                self._names.pop(operation.name, File()).died = operation.began
                self._renamed()
            case "rename":
                self._rename(operation)
            case "sync":
                self._sync(operation)
            case _:
                raise ValueError(operation.kind)

    def until(self, moment: float) -> None:
        """Let the syncs end that have ended by a moment."""
        self._settle(moment)

    def after(self, loss: Loss, dice: random.Random) -> Mapping[str, tuple[File, bytes]]:
        """Give the files that a cut of power leaves now, each with its content."""
        match loss:
            case Loss.ALL:
                names = self._history[0]
            case Loss.NONE:
                names = self._history[-1]
            case _:
                names = dice.choice(self._history)
        return {name: (file, file.after(loss, dice)) for name, file in names.items()}

    @property
    def unsynced(self) -> int:
        """Count the writes that a cut of power may take."""
        return sum(len(file.open) for file in self._names.values())

    def _file(self, name: str) -> File:
        # A file that was there before the recording began is not known; everything begins with an empty folder.
        return self._names.setdefault(name, File())

    def _renamed(self) -> None:
        self._history.append(dict(self._names))

    def _rename(self, operation: Operation) -> None:
        file = self._names.pop(operation.name, File())
        if operation.target:
            self._names[operation.target] = file
        self._renamed()

    def _sync(self, operation: Operation) -> None:
        self.syncs += 1
        if operation.name:
            file = self._file(operation.name)
            self._syncing.append((operation.done, file, file.done))
        else:
            self._syncing.append((operation.done, None, self._settled + len(self._history) - 1))

    def _settle(self, moment: float) -> None:
        under_way = self._syncing
        self._syncing = [sync for sync in under_way if sync[0] > moment]
        for done, file, number in under_way:
            if done > moment:
                continue
            if file is not None:
                file.sync(number)
                continue
            settled = max(0, number - self._settled)
            del self._history[:settled]
            self._settled += settled
