"""What SAP does with rows of a table, each kind in a module of its own; without rules a row is kept as it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

Values = dict[str, Any]


def _create(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    return given(values)


def _change(tenant: Tenant, old: Row, changes: Values) -> Values:
    return {**old, **changes}


def _nothing(tenant: Tenant, key: Key) -> None:
    return None


def _nothing_of_a_row(tenant: Tenant, row: Row) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one table; each may refuse.

    `create` completes a new row, `created` follows when all below it is made; `change` gives the row with changes
    (None: initial), `changed` follows; `delete` may refuse, `deleted` follows.
    """

    create: Callable[[Tenant, Values, Row | None], Values] = _create
    created: Callable[[Tenant, Key], None] = _nothing
    change: Callable[[Tenant, Row, Values], Values] = _change
    changed: Callable[[Tenant, Key], None] = _nothing
    delete: Callable[[Tenant, Row], None] = _nothing_of_a_row
    deleted: Callable[[Tenant, Row], None] = _nothing_of_a_row


def fixed(old: Row, changes: Values, names: Iterable[str], code: str) -> None:
    """Refuse to change what never changes; what a PUT leaves out of it stays."""
    for name in names:
        if changes.get(name) not in (None, old.get(name)):
            raise Refusal(f"Property {name} cannot be changed", code=code, target=name)
        changes.pop(name, None)


def given(values: Mapping[str, Any]) -> Values:
    """Give what was set: null is as good as nothing."""
    return {name: value for name, value in values.items() if value is not None}
