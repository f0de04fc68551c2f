"""One write under way, as the rules look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.salesforce.sandbox.schema import Kind
from connectors.salesforce.sandbox.store import Record


@dataclass(slots=True, kw_only=True)
class Change:
    """What stood before, all values as they would stand, and the names of those that the caller sent."""

    kind: Kind
    before: Record | None
    values: dict[str, Any]
    sent: frozenset[str] = field(default_factory=frozenset)

    def get(self, name: str) -> Any:
        """Give a value as it would stand."""
        return self.values.get(name)

    def changes(self, name: str) -> bool:
        """Tell whether a value becomes another one."""
        return self.before is None or self.before.get(name) != self.values.get(name)

    @property
    def creating(self) -> bool:
        """Tell whether the record is new."""
        return self.before is None
