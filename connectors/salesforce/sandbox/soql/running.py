"""Runs queries: which records they give, in what order, and what groups of them add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.schema import DECIMALS, Field, Kind
from connectors.salesforce.sandbox.soql.conditions import comparable, compiled, matching, unknown_source
from connectors.salesforce.sandbox.soql.ordering import ordered, ranking
from connectors.salesforce.sandbox.soql.scope import Scope
from connectors.salesforce.sandbox.soql.shaping import Shape, shape_of
from connectors.salesforce.sandbox.soql.syntax import parse
from connectors.salesforce.sandbox.soql.tree import Aggregate, Operand, Path, Query
from connectors.salesforce.sandbox.soql.words import refuse
from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import show_value

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

MOST_SKIPPED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a query gave: records with the shape they are shown in, or rows that were computed, or only a number."""

    kind: Kind
    records: Sequence[Record] = ()
    shape: Shape | None = None
    rows: Sequence[dict[str, Any]] | None = None
    total: int = 0


def run(org: Org, text: str, *, deleted: bool = False) -> Found:
    """Run a query over the org's records; `deleted` looks into the recycle bin too. Raises `Refusal`."""
    query = parse(text)
    kind = org.schema.find(query.source)
    if kind is None:
        raise unknown_source(text, query.source_place, query.source)
    scope = Scope(org=org, kind=kind, text=text, alias=query.alias)
    if query.offset > MOST_SKIPPED:
        raise refuse(
            text,
            query.source_place,
            f"Maximum SOQL offset allowed is {MOST_SKIPPED}",
            code="NUMBER_OUTSIDE_VALID_RANGE",
        )
    rows = matching(scope, query.where, deleted=deleted)
    if any(isinstance(one, Aggregate) for one in query.outputs) or query.groups:
        return _grouped(scope, query, rows)
    if query.having is not None:
        raise refuse(text, query.source_place, "HAVING clause not allowed without GROUP BY")
    shape = shape_of(scope, query)
    records = ordered(scope, query, rows)
    return Found(kind=kind, records=records, shape=shape, total=len(records))


def _grouped(scope: Scope, query: Query, rows: Iterable[Record]) -> Found:
    """Answer a query with aggregates."""
    text, place = scope.text, query.source_place
    (first, *others) = query.outputs
    if isinstance(first, Aggregate) and first.path is None and first.alias is None and not others and not query.groups:
        found = list(rows)
        end = None if query.limit is None else query.offset + query.limit
        return Found(kind=scope.kind, total=len(found[query.offset : end]))
    groups = _Groups(scope, query)
    lines = groups.lines(rows)
    if query.having is not None:
        test: Callable[[Any], bool] = compiled(scope, query.having, groups.resolve)
        lines = [line for line in lines if test(line)]
    if query.order:
        keys = []
        for ordering in query.order:
            get, field = groups.resolve(ordering.operand)
            keys.append((_comparing(get, field), ordering))
        lines.sort(key=ranking(keys))
    end = None if query.limit is None else query.offset + query.limit
    lines = lines[query.offset : end]
    if len(lines) > scope.org.settings.aggregate_rows:
        raise refuse(
            text,
            place,
            "aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
            code="EXCEEDED_ID_LIMIT",
        )
    return Found(kind=scope.kind, rows=[groups.shown(line) for line in lines], total=len(lines))


def _comparing(get: Callable[[Any], Any], field: Field) -> Callable[[Any], Any]:
    return lambda line: comparable(field, get(line))


class _Groups:
    """Rows by what they are grouped by; a line is a dict from an operand's name to its value."""

    def __init__(self, scope: Scope, query: Query) -> None:
        self._scope = scope
        self._paths = [(path, scope.meaning(path)) for path in query.groups]
        self._names = {_plain(path): meant.field for path, meant in self._paths}
        self._aggregates: dict[str, tuple[Aggregate, Field]] = {}
        self._shown: list[tuple[str, str, Field]] = []
        unnamed = 0
        for output in query.outputs:
            if isinstance(output, Aggregate):
                name, field = self._known(output)
                alias = output.alias or f"expr{unnamed}"
                unnamed += output.alias is None
            elif isinstance(output, Path) and _plain(output) in self._names:
                name = _plain(output)
                field = self._names[name]
                alias = output.alias or field.name
            else:
                shown = output.text if isinstance(output, Path) else "expression"
                raise refuse(scope.text, query.source_place, f"Field must be grouped or aggregated: {shown}")
            if any(alias == taken for taken, _, _ in self._shown):
                raise refuse(scope.text, query.source_place, f"duplicate alias: {alias}")
            self._shown.append((alias, name, field))
        self._aliases = {alias.lower(): (name, field) for alias, name, field in self._shown}
        self._having(query)

    def _having(self, query: Query) -> None:
        """Note the aggregates that only HAVING and ORDER BY name."""
        for ordering in query.order:
            if isinstance(ordering.operand, Aggregate):
                self._known(ordering.operand)
        pending: list[Any] = [query.having] if query.having is not None else []
        while pending:
            part = pending.pop()
            pending += getattr(part, "parts", ())
            inner = getattr(part, "part", None)
            pending += [] if inner is None else [inner]
            operand = getattr(part, "operand", None)
            if isinstance(operand, Aggregate):
                self._known(operand)

    def _known(self, aggregate: Aggregate) -> tuple[str, Field]:
        name = f"{aggregate.function}({'' if aggregate.path is None else _plain(aggregate.path)})"
        if name not in self._aggregates:
            self._aggregates[name] = (aggregate, self._result(aggregate))
        return name, self._aggregates[name][1]

    def _result(self, aggregate: Aggregate) -> Field:
        """Give a field of the type that an aggregate gives; refuses types it cannot add up."""
        label = aggregate.function
        counted = Field(name=label, type="int", label=label)
        if aggregate.path is None:
            return counted
        meant = self._scope.meaning(aggregate.path)
        if aggregate.function in ("COUNT", "COUNT_DISTINCT"):
            return counted
        if aggregate.function in ("SUM", "AVG") and meant.field.type not in DECIMALS | {"int"}:
            raise refuse(
                self._scope.text,
                aggregate.place,
                f"field {meant.field.name} does not support aggregate operator {aggregate.function}",
            )
        if aggregate.function == "AVG":
            return Field(name=label, type="double", label=label, precision=18, scale=6)
        if meant.field.type == "boolean":
            raise refuse(
                self._scope.text,
                aggregate.place,
                f"field {meant.field.name} does not support aggregate operator {aggregate.function}",
            )
        return meant.field

    def lines(self, rows: Iterable[Record]) -> list[dict[str, Any]]:
        """Add the rows up; without GROUP BY there is one line, whatever was found."""
        getters = [self._scope.getter(meant) for _, meant in self._paths]
        fields = [meant.field for _, meant in self._paths]
        grouped: dict[tuple[Any, ...], tuple[list[Any], list[Record]]] = {}
        for row in rows:
            values = [get(row) for get in getters]
            key = tuple(comparable(field, value) for field, value in zip(fields, values, strict=True))
            grouped.setdefault(key, (values, []))[1].append(row)
        if not self._paths and not grouped:
            grouped[()] = ([], [])
        names = [_plain(path) for path, _ in self._paths]
        return [
            {**dict(zip(names, values, strict=True)), **self._added_up(members)} for values, members in grouped.values()
        ]

    def _added_up(self, members: Sequence[Record]) -> dict[str, Any]:
        return {name: self._add_up(aggregate, members) for name, (aggregate, _) in self._aggregates.items()}

    def _add_up(self, aggregate: Aggregate, members: Sequence[Record]) -> Any:
        if aggregate.path is None:
            return len(members)
        meant = self._scope.meaning(aggregate.path)
        get, org = self._scope.getter(meant), self._scope.org
        if meant.field.type == "currency" and org.schema.multi_currency and aggregate.function != "COUNT":
            code = self._scope.getter(
                self._scope.meaning(Path((*aggregate.path.parts[:-1], "CurrencyIsoCode"), aggregate.path.place))
            )
            values = [
                org.currencies.corporate(value, code(row), row) for row in members if (value := get(row)) is not None
            ]
        else:
            values = [value for row in members if (value := get(row)) is not None]
        if aggregate.function == "COUNT":
            return len(values)
        if aggregate.function == "COUNT_DISTINCT":
            return len({comparable(meant.field, value) for value in values})
        if not values:
            return None
        if aggregate.function == "SUM":
            return sum(values, Decimal(0)) if meant.field.type in DECIMALS else sum(values)
        if aggregate.function == "AVG":
            return (sum(values, Decimal(0)) / len(values)).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
        best = min if aggregate.function == "MIN" else max
        return best(values, key=lambda value: comparable(meant.field, value))

    def resolve(self, operand: Operand) -> tuple[Callable[[Any], Any], Field]:
        """Read an operand of HAVING or ORDER BY out of a line."""
        if isinstance(operand, Aggregate):
            name, field = self._known(operand)
        elif _plain(operand) in self._names:
            name = _plain(operand)
            field = self._names[name]
        elif operand.text.lower() in self._aliases:
            name, field = self._aliases[operand.text.lower()]
        else:
            raise refuse(self._scope.text, operand.place, f"Field must be grouped or aggregated: {operand.text}")
        return itemgetter(name), field

    def shown(self, line: dict[str, Any]) -> dict[str, Any]:
        """Give a line as the answer has it."""
        return {
            "attributes": {"type": "AggregateResult"},
            **{alias: show_value(field, line[name]) for alias, name, field in self._shown},
        }


def _plain(path: Path) -> str:
    return path.text.lower()


def refuse_in_bulk(text: str) -> Query:
    """Read a bulk query; refuses what one may not contain."""
    query = parse(text)
    if query.groups or any(isinstance(one, Aggregate) for one in query.outputs):
        raise Refusal("API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if query.offset:
        raise Refusal("API_ERROR", "OFFSET is not supported in Bulk Query")
    if any(isinstance(one, Query) for one in query.outputs):
        raise Refusal("API_ERROR", "Nested queries are not supported in Bulk Query")
    return query
