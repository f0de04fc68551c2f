"""Read an expression's text by JMESPath's grammar, with positions, strictness and budgets added."""

from __future__ import annotations

from typing import Any

from jmespath import ast
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.parser import Parser

from hub.expressions.budgets import MAX_DEPTH, MAX_LENGTH, MAX_NODES
from hub.expressions.errors import ExpressionError
from hub.expressions.lexer import ExactLexer
from hub.expressions.tree import Node, grow

#: Signs and words of other languages → what is written here instead.
_INSTEAD = {
    "=": "equality is written `==`",
    "+": "sums are written `add(a, b)`",
    "-": "differences are written `subtract(a, b)`",
    "*": "products are written `multiply(a, b)`",
    "/": "quotients are written `divide(a, b, digits, rounding)`",
    "?": "a choice is written `condition && this || that`",
    "if": "a choice is written `condition && this || that`",
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`",
    "$": "the source's fields are named by themselves, and in a list it is `root()`",
}

#: More tokens than this cannot be few enough nodes.
_MAX_TOKENS = 6 * MAX_NODES


def parse(text: str) -> Node:
    """Read an expression; `ExpressionError` says what is wrong and where."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"The expression is longer than {MAX_LENGTH} characters.", text=text[:80], position=0, code="over-budget"
        )
    if not text.strip():
        raise ExpressionError("The expression is empty.", text=text, position=0)
    try:
        raw = _PositionedParser(text).read()
    except LexerError as error:
        raise ExpressionError(_unknown_token(error), text=text, position=error.lexer_position) from None
    except ParseError as error:
        raise _misplaced(error, text) from None
    except JMESPathError as error:
        raise ExpressionError(str(error), text=text, position=0) from None
    return grow(raw, text)


def _unknown_token(error: LexerError) -> str:
    if str(error.message).startswith("Unclosed"):
        return f"A closing {str(error.message).split()[1]} is missing."
    sign = str(error.lexer_value)[:20]
    return f"`{sign}` means nothing here{_instead(sign)}."


def _instead(word: str) -> str:
    return f"; {_INSTEAD[word]}" if word in _INSTEAD else ""


def _misplaced(error: ParseError, text: str) -> ExpressionError:
    if error.token_type in (None, "EOF"):
        return ExpressionError("The expression ends too early.", text=text, position=len(text))
    written = str(error.token_value)
    hint = f"; a number is written `{written}` in backquotes" if error.token_type == "NUMBER" else _instead(written)
    if not hint and text[: error.lex_position].rstrip().endswith("not"):
        hint = _instead("not")
    return ExpressionError(f"'{written[:40]}' cannot stand here{hint}.", text=text, position=error.lex_position)


class _PositionedParser(Parser):  # type: ignore[misc]  # the grammar's package has no types
    """JMESPath's parser; where it is more lenient than the grammar (missing or surplus commas), this one is not."""

    _tokens: list[dict[str, Any]]
    _index: int

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._depth = 0

    def read(self) -> dict[str, Any]:
        """Give the grammar's nested dicts, each with the `position` where its text begins."""
        self._tokens = []
        for token in ExactLexer().tokenize(self._text):
            self._tokens.append(token)
            if len(self._tokens) > _MAX_TOKENS:
                raise ExpressionError(
                    f"The expression has more than {_MAX_TOKENS} words and signs; split it.",
                    text=self._text,
                    position=token["start"],
                    code="over-budget",
                )
        self._index = 0
        raw = self._expression()
        if self._current_token() != "eof":
            self._raise_parse_error_for_token(self._lookahead_token(0), "surplus")
        return raw

    def _expression(self, binding_power: int = 0) -> dict[str, Any]:
        start = self._lookahead_token(0)["start"]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(
                "The expression is nested too deeply.", text=self._text, position=start, code="over-budget"
            )
        raw: dict[str, Any] = super()._expression(binding_power)
        self._depth -= 1
        raw.setdefault("position", start)
        return raw

    def _token_nud_quoted_identifier(self, token: dict[str, Any]) -> dict[str, Any]:
        if self._current_token() == "lparen":
            raise ExpressionError(
                "A function's name is written without quotes.", text=self._text, position=token["start"]
            )
        field: dict[str, Any] = super()._token_nud_quoted_identifier(token)
        return field

    def _token_led_lparen(self, left: dict[str, Any]) -> dict[str, Any]:
        named = self._lookahead_token(-2)
        if left["type"] != "field" or named["type"] != "unquoted_identifier":
            raise ExpressionError("Only a function's name can be called.", text=self._text, position=named["start"])
        arguments = [] if self._current_token() == "rparen" else self._separated()
        self._match("rparen")
        call: dict[str, Any] = ast.function_expression(left["value"], arguments)
        call["position"] = named["start"]
        return call

    def _separated(self) -> list[dict[str, Any]]:
        expressions = [self._expression()]
        while self._current_token() == "comma":
            self._advance()
            expressions.append(self._expression())
        return expressions

    def _parse_multi_select_hash(self) -> dict[str, Any]:
        position = self._lookahead_token(-1)["start"]
        pairs = [self._key_and_value()]
        while self._current_token() == "comma":
            self._advance()
            pairs.append(self._key_and_value())
        self._match("rbrace")
        return {**ast.multi_select_dict(nodes=pairs), "position": position}

    def _key_and_value(self) -> dict[str, Any]:
        key = self._lookahead_token(0)
        self._match_multiple_tokens(token_types=["quoted_identifier", "unquoted_identifier"])
        self._match("colon")
        pair: dict[str, Any] = ast.key_val_pair(key_name=key["value"], node=self._expression())
        return pair

    def _parse_multi_select_list(self) -> dict[str, Any]:
        position = self._lookahead_token(-1)["start"]
        raw: dict[str, Any] = super()._parse_multi_select_list()
        raw["position"] = position
        return raw

    def _parse_slice_expression(self) -> dict[str, Any]:
        begin = self._lookahead_token(0)["start"]
        bounds: list[int | None] = [None, None, None]
        for place in range(3):
            if self._current_token() == "number":
                bounds[place] = self._lookahead_token(0)["value"]
                self._advance()
            if self._current_token() == "rbracket":
                break
            if place < 2:
                self._match("colon")
        self._match("rbracket")
        if bounds[2] == 0:
            raise ExpressionError(
                "A slice cannot go in steps of 0.", text=self._text, position=begin, code="invalid-value"
            )
        sliced: dict[str, Any] = ast.slice(*bounds)
        return sliced
