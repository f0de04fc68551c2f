"""Indexes on tables that may be large: on a server they are made beside the work, before the step that counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alembic import op


@dataclass(frozen=True, slots=True, kw_only=True)
class LateIndex:
    """An index on columns that are there before its step; `where` limits it to some rows.

    `using` names another kind than the usual one, which only a server has, and `options` what that one is given.

    A step lists its own in `late`, and calls `make` in `upgrade`. On a server they are there by then, because
    `hub/store/upgrading.py` has made them outside of any transaction, while others write to the table.
    """

    name: str
    table: str
    columns: Sequence[str]
    unique: bool = False
    where: str | None = None
    using: str | None = None
    options: str | None = None

    def statement(self, *, concurrently: bool = False, only: bool = False) -> str:
        """Give the statement that makes it where it is not there; `only` leaves a table's partitions for later."""
        kind = f"{'UNIQUE ' if self.unique else ''}INDEX {'CONCURRENTLY ' if concurrently else ''}IF NOT EXISTS"
        columns = ", ".join(f'"{column}"' for column in self.columns)
        some = f" WHERE {self.where}" if self.where is not None else ""
        using = f" USING {self.using}" if self.using is not None else ""
        given = f" WITH ({self.options})" if self.options is not None else ""
        of = f'{"ONLY " if only else ""}"{self.table}"{using}'
        return f'CREATE {kind} "{self.name}" ON {of} ({columns}){given}{some}'


def make(late: Sequence[LateIndex]) -> None:
    """Make the indexes of a step that are not there."""
    for index in late:
        op.execute(index.statement())
