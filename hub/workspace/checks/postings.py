"""What a record means in books: `x-postings` on a schema says which accounts a record moves, and by how much.

    "x-name": "number",
    "x-postings": [
      {"account": "receivable", "amount": "total"},
      {"account": "=join(' ', ['revenue', product_id])", "each": "lines", "amount": "amount"}
    ]

An account is a text, or an expression after `=`. `amount` gives money, or major units as a number or a text; nothing is
no posting. With `each` the other expressions read one element, and `root()` is the record. `entity` and `currency` are
those of the run where they are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context as Precision
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.errors import FixData
from hub.expressions.compiler import Expression, compile
from hub.expressions.context import Context
from hub.expressions.errors import ExpressionError
from hub.model.money import MAX_DIGITS, Money
from hub.workspace.source.lint import nearest
from hub.workspace.source.terms import Tables

POSTINGS = "x-postings"
NAME = "x-name"
_KEYS = ("account", "amount", "each", "when", "entity", "currency")
#: The usual context keeps 28 digits and would round the others away without a word.
EXACT = Precision(prec=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is moved: an account of an entity in a currency."""

    currency: str
    entity: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of `x-postings`, compiled; `account` is a text or an expression."""

    account: str | Expression
    amount: Expression
    each: Expression | None = None
    when: Expression | None = None
    entity: Expression | None = None
    currency: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """How the records of one schema are booked; `name` gives what people call a record."""

    schema: str
    rules: tuple[Rule, ...]
    name: Expression | None
    tables: Tables

    def called(self, record: Any) -> str | None:
        """Give what people call a record, such as an invoice's number."""
        found = None if self.name is None else self.name(record, Context(root=record, tables=self.tables))
        return None if found is None or isinstance(found, dict | list) else str(found)

    def postings(self, record: Any, *, entity: str, currency: str | None) -> dict[Account, Decimal]:
        """Give what a record moves, by account; see `by_rule`."""
        return summed(self.by_rule(record, entity=entity, currency=currency))

    def by_rule(self, record: Any, *, entity: str, currency: str | None) -> list[dict[Account, Decimal]]:
        """Give what a record moves, by account, for each line of `x-postings` by itself.

        `entity` and `currency` hold where a line names none. Raises `FixData` when an amount is none.
        """
        context = Context(root=record, tables=self.tables)
        return [self._moved(rule, record, context, entity, currency) for rule in self.rules]

    def _moved(
        self, rule: Rule, record: Any, context: Context, entity: str, currency: str | None
    ) -> dict[Account, Decimal]:
        moved: dict[Account, Decimal] = {}
        elements = [record] if rule.each is None else rule.each(record, context)
        for element in elements if isinstance(elements, list) else []:
            if rule.when is not None and _false(rule.when(element, context)):
                continue
            amount, code = self._amount(rule, element, context, currency)
            if amount is None:
                continue
            account = rule.account if isinstance(rule.account, str) else _text(rule.account(element, context))
            owner = entity if rule.entity is None else _text(rule.entity(element, context))
            place = Account(currency=code, entity=owner, account=account)
            moved[place] = EXACT.add(moved.get(place, Decimal(0)), amount)
        return moved

    def _amount(self, rule: Rule, element: Any, context: Context, currency: str | None) -> tuple[Decimal | None, str]:
        found = rule.amount(element, context)
        if found is None:
            return None, ""
        if isinstance(found, Mapping):
            money = Money.of_json(found)
            return money.major, money.currency
        if rule.currency is not None:
            currency = _text(rule.currency(element, context)).upper()
        if currency is None:
            raise FixData("A posting has no currency.", code="no-currency", schema=self.schema, amount=str(found)[:40])
        return _major(found, self.schema), currency


def summed(postings: Sequence[Mapping[Account, Decimal]]) -> dict[Account, Decimal]:
    """Add up, exactly, what several lines move."""
    moved: dict[Account, Decimal] = {}
    for each in postings:
        for account, amount in each.items():
            moved[account] = EXACT.add(moved.get(account, Decimal(0)), amount)
    return moved


def compile_books(schema: str, document: Mapping[str, Any], tables: Tables) -> Books | None:
    """Compile a schema's `x-postings` and `x-name`; None when it has none. `FixData` says what is wrong."""
    if POSTINGS not in document and NAME not in document:
        return None
    lines = document.get(POSTINGS, [])
    if not isinstance(lines, Sequence) or isinstance(lines, str):
        raise FixData(f"`{POSTINGS}` is a list.", code="bad-postings")
    name = document.get(NAME)
    return Books(
        schema=schema,
        rules=tuple(_rule(line, f"{POSTINGS}[{number}]") for number, line in enumerate(lines)),
        name=None if name is None else _expression(name, NAME),
        tables=tables,
    )


def _rule(line: Any, where: str) -> Rule:
    if not isinstance(line, Mapping) or not {"account", "amount"} <= line.keys():
        raise FixData(f"`{where}` needs `account` and `amount`.", code="bad-postings")
    for key in line:
        if key not in _KEYS:
            raise FixData(f"`{where}` has an unknown key `{key}`. {nearest(key, _KEYS)}", code="bad-postings")
    account = line["account"]
    if not isinstance(account, str) or not account.removeprefix("="):
        raise FixData(f"`{where}.account` is a text, or an expression after `=`.", code="bad-postings")
    return Rule(
        account=_expression(account[1:], f"{where}.account") if account.startswith("=") else account,
        **{key: _expression(line[key], f"{where}.{key}") for key in _KEYS[1:] if key in line},
    )


def _expression(text: Any, where: str) -> Expression:
    if not isinstance(text, str):
        raise FixData(f"`{where}` is an expression.", code="bad-postings")
    try:
        return compile(text)
    except ExpressionError as error:
        raise FixData(f"`{where}` is wrong: {error.detail}", code="bad-postings") from None


def _false(value: Any) -> bool:
    """Tell what JMESPath takes for false: nothing, and everything empty; every number is true."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _major(value: Any, schema: str) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or abs(amount.adjusted()) > MAX_DIGITS:
        raise FixData("An amount is no number.", code="not-a-number", schema=schema, amount=repr(value)[:40])
    return amount
