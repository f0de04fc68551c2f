"""A compiled mapping, and applying it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import FixData
from hub.expressions.parts import Grouped
from hub.expressions.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMapping:
    """A mapping ready to be applied.

    `source` and `target` are schema names with version (`stripe.invoice@2025-09-30`); `given` the names of the extra
    values that it must be given, None when it names none and reads whatever is given. `reads` gives, for each target
    field (`lines[].amount`), the source paths that it is made of (`lines.data[].amount`); what a mapping with `rest:
    keep` takes over as it is does not stand there. `shape` are the parts it was compiled from, for those who check it.
    `reverse` names the mapping in the other direction, one of the two being `derived` from the other.
    """

    name: str
    version: int
    source: str
    target: str
    given: frozenset[str] | None
    reads: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Mapping[str, Any]] = field(repr=False)
    shape: Grouped = field(repr=False)
    _record: Record = field(repr=False)
    reverse: str | None = None
    derived: bool = False


_NOTHING: Mapping[str, Any] = {}


def apply(mapping: CompiledMapping, source: Any, given: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """Make the target's record from a source record (plain JSON values, decimals exact).

    The result may share parts with the source, so neither is to be changed afterwards. `EvaluationError` and
    `NotMapped` name mapping, field, expression, position and data path.
    """
    if mapping.given is not None and not mapping.given <= given.keys():
        missing = ", ".join(sorted(mapping.given - given.keys()))
        raise FixData("The mapping was not given what it needs.", code="not-given", mapping=mapping.name, names=missing)
    return mapping._record(source, given, mapping.tables)  # noqa: SLF001
