"""Conditions as functions of a record, each comparison made for the type of its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.schema import DECIMALS, Field, Kind
from connectors.salesforce.sandbox.soql import periods
from connectors.salesforce.sandbox.soql.scope import Scope, Test
from connectors.salesforce.sandbox.soql.syntax import parse_condition
from connectors.salesforce.sandbox.soql.tree import (
    All,
    Amount,
    Compare,
    Condition,
    Day,
    In,
    Includes,
    Literal,
    Moment,
    Not,
    Null,
    Number,
    Operand,
    Path,
    Period,
    Query,
    Some,
    Text,
    Truth,
)
from connectors.salesforce.sandbox.soql.words import refuse
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Gives what an operand reads out of a row, and the field that tells how to compare it.
Resolve = Callable[[Operand], tuple[Callable[[Any], Any], Field]]


_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "<": lambda value, wanted: value is not None and value < wanted,
    "<=": lambda value, wanted: value is not None and value <= wanted,
    ">": lambda value, wanted: value is not None and value > wanted,
    ">=": lambda value, wanted: value is not None and value >= wanted,
}


def condition_for(org: Org, kind: Kind, text: str) -> Test:
    """Give a condition as a function of a record of the object; kept until the schema changes."""
    key = (kind.name, text)
    kept = org.conditions.get(key)
    if kept is None or kept[0] != org.schema.edition:
        test = compiled(Scope(org=org, kind=org.schema.get(kind.name), text=text), parse_condition(text))
        kept = org.conditions[key] = (org.schema.edition, test)
    return kept[1]


def compiled(scope: Scope, condition: Condition, resolve: Resolve | None = None) -> Test:
    """Give a condition as a function of a row; `resolve` reads the operands of HAVING."""
    return _Compiler(scope, resolve).test(condition)


def comparable(field: Field, value: Any) -> Any:
    """Give what a value is compared and ordered by: capitals do not matter in texts, unless the field minds them."""
    if isinstance(value, str) and field.type not in ("id", "reference", "date") and not field.case_sensitive:
        return value.lower()
    return value


class _Compiler:
    def __init__(self, scope: Scope, resolve: Resolve | None) -> None:
        self._scope = scope
        self._resolve = resolve or self._from_record

    def test(self, condition: Condition) -> Test:
        if isinstance(condition, All):
            tests = [self.test(part) for part in condition.parts]
            return lambda row: all(test(row) for test in tests)
        if isinstance(condition, Some):
            tests = [self.test(part) for part in condition.parts]
            return lambda row: any(test(row) for test in tests)
        if isinstance(condition, Not):
            inner = self.test(condition.part)
            return lambda row: not inner(row)
        if isinstance(condition, Compare):
            return self._compare(condition)
        if isinstance(condition, In):
            return self._member(condition)
        return self._includes(condition)

    def _from_record(self, operand: Operand) -> tuple[Callable[[Any], Any], Field]:
        assert isinstance(operand, Path)
        meant = self._scope.meaning(operand)
        if meant.field.type in ("textarea", "address") and (meant.field.length > 255 or meant.field.type == "address"):
            raise refuse(
                self._scope.text,
                operand.place,
                f"field '{meant.field.name}' can not be filtered in a query call",
                code="INVALID_FIELD",
            )
        return self._scope.getter(meant), meant.field

    def _compare(self, condition: Compare) -> Test:
        get, field = self._resolve(condition.operand)
        literal, place = condition.literal, condition.place
        if condition.sign == "LIKE":
            return self._like(get, field, literal, place)
        if isinstance(literal, Null):
            if condition.sign not in ("=", "!="):
                raise self._wrong(place, "invalid operator on null")
            wants_null = condition.sign == "="
            if field.type == "boolean":
                raise self._wrong(
                    place,
                    f"value of filter criterion for field '{field.name}' must be of type "
                    "boolean and should not be enclosed in quotes",
                )
            return lambda row: (get(row) is None) is wants_null
        if isinstance(literal, Period):
            return self._period(get, field, condition.sign, literal)
        if isinstance(literal, Amount):
            return self._amount(get, condition, field)
        wanted = comparable(field, self.value(field, literal, place))
        if field.type in ("boolean", "multipicklist") and condition.sign not in ("=", "!="):
            raise self._wrong(place, "invalid operator")
        holds = _SIGNS[condition.sign]
        if field.type in DECIMALS or field.type in ("int", "datetime", "date", "id", "reference", "boolean"):
            return lambda row: holds(get(row), wanted)
        return lambda row: holds(comparable(field, get(row)), wanted)

    def _like(self, get: Callable[[Any], Any], field: Field, literal: Literal, place: int) -> Test:
        if field.type in DECIMALS or field.type in ("int", "boolean", "date", "datetime", "id", "reference"):
            raise self._wrong(place, f"invalid operator on {field.type} field")
        if not isinstance(literal, Text):
            raise self._needs(field, "string", place, quotes=True)
        pattern = re.compile(_pattern(literal.value), re.IGNORECASE | re.DOTALL)
        return lambda row: (value := get(row)) is not None and pattern.fullmatch(value) is not None

    def _period(self, get: Callable[[Any], Any], field: Field, sign: str, literal: Period) -> Test:
        if field.type not in ("date", "datetime"):
            raise self._needs(field, _called(field), literal.place, quotes=field.type not in DECIMALS)
        today = datetime.fromtimestamp(self._scope.org.now() / 1000, UTC).date()
        days = periods.days_of(literal.name, literal.count, today)
        if days is None:
            raise refuse(self._scope.text, literal.place, f"Invalid date literal: {literal.name}")
        begin, end = (_moment(one) if field.type == "datetime" else one.isoformat() for one in days)
        tests: dict[str, Callable[[Any], bool]] = {
            "=": lambda value: begin <= value < end,
            "<": lambda value: value < begin,
            "<=": lambda value: value < end,
            ">": lambda value: value >= end,
            ">=": lambda value: value >= begin,
        }
        if sign == "!=":
            return lambda row: (value := get(row)) is None or not begin <= value < end
        within = tests[sign]
        return lambda row: (value := get(row)) is not None and within(value)

    def _amount(self, get: Callable[[Any], Any], condition: Compare, field: Field) -> Test:
        """Compare amounts of many currencies with one that names its own, all in the corporate currency."""
        org, literal = self._scope.org, condition.literal
        assert isinstance(literal, Amount)
        operand = condition.operand
        if field.type != "currency" or not org.schema.multi_currency or not isinstance(operand, Path):
            raise self._wrong(condition.place, f"unexpected token: '{literal.currency}{literal.value}'")
        wanted = org.currencies.corporate(literal.value, literal.currency, None)
        code = self._scope.getter(self._scope.meaning(Path((*operand.parts[:-1], "CurrencyIsoCode"), operand.place)))
        holds = _SIGNS[condition.sign]

        def test(row: Record) -> bool:
            amount = get(row)
            return holds(None if amount is None else org.currencies.corporate(amount, code(row), row), wanted)

        return test

    def _member(self, condition: In) -> Test:
        get, field = self._resolve(condition.operand)
        if isinstance(condition.members, Query):
            members = self._asked(field, condition.members)
            return lambda row: get(row) in members
        tests: list[Test] = []
        plain: set[Any] = set()
        for literal in condition.members:
            if isinstance(literal, Null):
                plain.add(None)
            elif isinstance(literal, Period | Amount):
                tests.append(self._compare(Compare(condition.operand, "=", literal, condition.place)))
            else:
                plain.add(comparable(field, self.value(field, literal, condition.place)))
        return lambda row: comparable(field, get(row)) in plain or any(test(row) for test in tests)

    def _asked(self, field: Field, query: Query) -> set[Any]:
        """Give the values that a query behind IN asks for."""
        org, place = self._scope.org, query.source_place
        if field.type not in ("id", "reference"):
            raise refuse(
                self._scope.text, place, f"The left operand of 'IN' cannot have more than one level: {field.name}"
            )
        (output, *others) = query.outputs
        if others or not isinstance(output, Path) or query.groups or query.having or query.order or query.offset:
            raise refuse(self._scope.text, place, "A query behind IN selects one field and nothing else")
        kind = org.schema.find(query.source)
        if kind is None:
            raise unknown_source(self._scope.text, place, query.source)
        scope = Scope(org=org, kind=kind, text=self._scope.text, alias=query.alias)
        meant = scope.meaning(output)
        if meant.field.type not in ("id", "reference"):
            raise refuse(
                self._scope.text,
                output.place,
                f"{meant.field.name} is neither an id nor a reference",
                code="INVALID_FIELD",
            )
        get = scope.getter(meant)
        rows = matching(scope, query.where)
        return {value for row in rows if (value := get(row)) is not None}

    def _includes(self, condition: Includes) -> Test:
        get, field = self._resolve(condition.operand)
        if field.type != "multipicklist":
            raise self._wrong(condition.place, "includes and excludes are for multi-select picklists")
        wanted = [{part.strip().lower() for part in text.split(";")} for text in condition.texts]

        def test(row: Record) -> bool:
            value = get(row)
            chosen = set() if value is None else {part.lower() for part in value.split(";")}
            return any(parts <= chosen for parts in wanted)

        return test

    def value(self, field: Field, literal: Literal, place: int) -> Any:
        """Give a literal as the field's values are kept; refuses one of another type."""
        kind = field.type
        if kind in ("id", "reference"):
            id = read_id(literal.value) if isinstance(literal, Text) else None
            if id is None:
                shown = literal.value if isinstance(literal, Text) else ""
                raise self._wrong(place, f"invalid ID field: {shown}", code="INVALID_QUERY_FILTER_OPERATOR")
            return id
        if kind in DECIMALS or kind == "int":
            if not isinstance(literal, Number):
                raise self._needs(field, _called(field), place, quotes=False)
            return literal.value
        if kind == "boolean":
            if not isinstance(literal, Truth):
                raise self._needs(field, "boolean", place, quotes=False)
            return literal.value
        if kind == "date":
            if not isinstance(literal, Day):
                raise self._needs(field, "date", place, quotes=False)
            return literal.value
        if kind == "datetime":
            if not isinstance(literal, Moment):
                raise self._needs(field, "dateTime", place, quotes=False)
            return literal.value
        if not isinstance(literal, Text):
            raise self._needs(field, "string", place, quotes=True)
        return literal.value.replace("\\%", "%").replace("\\_", "_")

    def _needs(self, field: Field, called: str, place: int, *, quotes: bool) -> Refusal:
        return self._wrong(
            place,
            f"value of filter criterion for field '{field.name}' must be of type {called} and should "
            f"{'' if quotes else 'not '}be enclosed in quotes",
        )

    def _wrong(self, place: int, why: str, *, code: str = "INVALID_FIELD") -> Refusal:
        return refuse(self._scope.text, place, why, code=code)


def unknown_source(text: str, place: int, name: str) -> Refusal:
    """Refuse an object that the org does not have."""
    return refuse(
        text,
        place,
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the "
        "'__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
        code="INVALID_TYPE",
    )


def matching(scope: Scope, where: Condition | None, *, deleted: bool = False) -> Iterable[Record]:
    """Give the records for which a condition holds, looking at as few as it allows."""
    if where is None:
        return scope.org.store.rows(scope.kind.name, deleted=deleted)
    test = compiled(scope, where)
    found = None if deleted else _found_by_index(scope, where)
    rows = scope.org.store.rows(scope.kind.name, deleted=deleted) if found is None else found
    return (row for row in rows if test(row))


def _found_by_index(scope: Scope, where: Condition) -> Iterable[Record] | None:
    """Give the records that a part of the condition allows, where that part names ids, keys or a time; else None."""
    table = scope.org.store.table(scope.kind.name)
    for part in where.parts if isinstance(where, All) else (where,):
        if isinstance(part, Compare) and isinstance(part.operand, Path) and len(part.operand.parts) == 1:
            field = scope.kind.field(part.operand.parts[0])
            if field is None:
                continue
            literals: tuple[Literal, ...] = (part.literal,) if part.sign == "=" else ()
        elif isinstance(part, In) and isinstance(part.members, tuple) and len(part.operand.parts) == 1:
            field, literals = scope.kind.field(part.operand.parts[0]), part.members
        else:
            continue
        if field is None or not literals or not all(isinstance(one, Text) for one in literals):
            continue
        if field.type == "id" or table.has_index(field.name):
            compiler = _Compiler(scope, None)
            wanted = [compiler.value(field, one, 0) for one in literals]
            return _looked_up(scope, field, wanted)
    earliest = _earliest(scope, where)
    return None if earliest is None else table.written_since(earliest)


def _earliest(scope: Scope, condition: Condition) -> int | None:
    """Give the moment since which a record was written if it fulfils the condition; None when it does not say."""
    if isinstance(condition, All):
        return max((one for part in condition.parts if (one := _earliest(scope, part)) is not None), default=None)
    if isinstance(condition, Some):
        bounds = [_earliest(scope, part) for part in condition.parts]
        return None if None in bounds else min(one for one in bounds if one is not None)
    if not isinstance(condition, Compare) or not isinstance(condition.operand, Path):
        return None
    field = scope.kind.field(condition.operand.text)
    if field is None or field.name != "SystemModstamp" or not isinstance(condition.literal, Moment):
        return None
    return condition.literal.value if condition.sign in (">", ">=", "=") else None


def _looked_up(scope: Scope, field: Field, wanted: list[Any]) -> Iterable[Record]:
    table = scope.org.store.table(scope.kind.name)
    ids: dict[str, None] = {}
    for value in wanted:
        ids.update(dict.fromkeys([value] if field.type == "id" else table.find(field, value)))
    return [table.live[id] for id in ids if id in table.live]


def _called(field: Field) -> str:
    if field.type in DECIMALS:
        return "double"
    return {"datetime": "dateTime", "picklist": "string"}.get(field.type, field.type)


def _moment(day: date) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    )


def _pattern(text: str) -> str:
    """Give the regular expression of a LIKE pattern: `%` is anything, `_` one letter, a backslash takes both away."""
    parts, letters = [], iter(text)
    for letter in letters:
        if letter == "\\":
            parts.append(re.escape(next(letters, "\\")))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter) or re.escape(letter))
    return "".join(parts)
