"""What connectors without a network keep: documents by connection and name, in the hub's own database."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from hub.errors import Fatal
from hub.store.account_tables import embedded_documents
from hub.store.statements import Formed, upsert

_GET = Formed(
    select(embedded_documents.c.value).where(
        embedded_documents.c.environment == bindparam("environment"),
        embedded_documents.c.connection == bindparam("owner"),
        embedded_documents.c.name == bindparam("name"),
    )
)


class StoredShelf:
    """The shelf of one connection within one transaction; one that is only read from refuses to keep anything."""

    def __init__(self, connection: Connection, *, environment: str, name: str, writes: bool) -> None:
        """Take a transaction of the committer's, or a reading connection."""
        self._connection = connection
        self._environment = environment
        self._name = name
        self._writes = writes

    def get(self, name: str) -> bytes | None:
        """Give what is kept under a name."""
        found: bytes | None = _GET.scalar(self._connection, environment=self._environment, owner=self._name, name=name)
        return found

    def put(self, name: str, value: bytes) -> None:
        """Keep something under a name; raises `Fatal` for a request that must change nothing."""
        if not self._writes:
            raise Fatal("A request that must change nothing tried to keep something.", connection=self._name)
        row = {"environment": self._environment, "connection": self._name, "name": name, "value": value}
        keys = ("environment", "connection", "name")
        upsert(self._connection, embedded_documents, [row], keys=keys, change=("value",))
