"""The backup of a simulated hub, and how it is brought back: what it did in between it does not know any more."""

from __future__ import annotations

from hub.model.ambient import to_micros
from hub.proof.simulation.clock import VirtualClock
from hub.proof.simulation.host import Host
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.story import Story
from hub.store import marks
from hub.store.committer import Transaction


class Backups:
    """The backup of one case's hub."""

    def __init__(self, host: Host, database: MemoryDatabase, clock: VirtualClock, story: Story) -> None:
        """Take the collaborators; nothing is backed up yet."""
        self._host = host
        self._database = database
        self._clock = clock
        self._story = story
        self._image, self._made_at, self._untied = b"", clock.now(), ""

    def make(self, *, untied: str = "") -> None:
        """Back up what is committed by now, in the place of an earlier backup, as if no `untied` had been tied yet."""
        self._image, self._made_at, self._untied = self._database.image(), self._clock.now(), untied
        self._story.tell("person", "backs the hub up")

    async def bring_back(self) -> None:
        """Let the process end, put the backup in the place of its data, marked as a restore does, and serve again."""
        self._host.current.kill()
        self._database.begin_anew(self._image)
        self._database.file.execute("DELETE FROM crossrefs WHERE entity = ?", (self._untied,))
        made_at = self._made_at.isoformat()
        mark = {"backup_at": made_at, "unknown_from": made_at, "file": "hub.tar", "sha256": ""}
        with self._database.writer.connect() as connection, connection.begin():
            transaction = Transaction(connection=connection, now=to_micros(self._clock.now()))
            marks.put(transaction, marks.RESTORED, mark)
        self._story.tell("person", "brings the hub back from its backup")
        await self._host.serving()
