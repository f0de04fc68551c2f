"""Examples of mappings: a record goes in, and what comes out must be as expected and fit the target's schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hub.errors import HubError
from hub.mapping.compiled import apply
from hub.mapping.coverage import has, target_fields
from hub.workspace.bundle import Bundle
from hub.workspace.compiled_files import Example
from hub.workspace.examples.differences import Difference, differences, worded
from hub.workspace.examples.runs import Outcome, Result
from hub.workspace.kinds import FileKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which target fields of a mapping its examples fill, and the reverse that they went back with, if there is one."""

    mapping: str
    fields: tuple[str, ...]
    unfilled: tuple[str, ...]
    reverse: str | None = None

    @property
    def percent(self) -> int:
        """Give the share of fields that are filled, rounded down."""
        return 100 * (len(self.fields) - len(self.unfilled)) // len(self.fields) if self.fields else 100


def run_mapping_example(example: Example, bundle: Bundle) -> Outcome:
    """Map an example's record; what comes out must also fit the mapping's target schema."""
    mapping = bundle.mappings[example.name]
    try:
        made = apply(mapping, example.source, example.given)
    except HubError as error:
        if error.code == example.fails:
            return Outcome()
        return Outcome(differences=(Difference(field="", detail=f"it failed with {error.code}: {error}"),))
    if example.fails is not None:
        return Outcome(made=made, differences=(Difference(field="", detail=f"it should fail with {example.fails}"),))
    return Outcome(made=made, differences=tuple(_differences(example, bundle, mapping.target, made)))


def _differences(example: Example, bundle: Bundle, target: str, made: Any) -> Iterator[Difference]:
    for problem in bundle.validate(target, made):
        field, _, detail = problem.partition(": ")
        yield Difference(field=field, detail=detail)
    yield from differences(example.expected, made)
    yield from _round_trip(example, bundle, made)


def _round_trip(example: Example, bundle: Bundle, made: Any) -> Iterator[Difference]:
    """Map what came out back and forth again: what comes back must be in the record, and give the same once more."""
    mapping = bundle.mappings[example.name]
    if mapping.reverse is None:
        return
    reverse = bundle.mappings[mapping.reverse]
    try:
        back = apply(reverse, made, example.given)
        again = apply(mapping, back, example.given)
    except HubError as error:
        yield Difference(field="", detail=f"there and back with {reverse.name} failed with {error.code}: {error}")
        return
    for difference in differences(back, example.source):
        yield Difference(field=difference.field, detail=f"{reverse.name} gives {worded(difference.expected)} for it")
    for difference in differences(made, again, whole=True):
        yield Difference(field=difference.field, detail=f"after there and back, {difference}")


def coverage(bundle: Bundle, results: Iterable[Result]) -> list[Coverage]:
    """Tell for each mapping of a file which target fields no example fills."""
    made: dict[str, list[Any]] = {}
    for result in results:
        if result.example.kind is FileKind.MAPPING and result.made is not None:
            made.setdefault(result.example.name, []).append(result.made)
    found = []
    for name, mapping in sorted(bundle.mappings.items()):
        if mapping.derived:
            continue
        fields = target_fields(mapping.shape)
        records = made.get(name, [])
        unfilled = tuple(field for field in fields if not any(has(record, field) for record in records))
        found.append(Coverage(mapping=name, fields=fields, unfilled=unfilled, reverse=mapping.reverse))
    return found
