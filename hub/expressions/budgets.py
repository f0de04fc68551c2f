"""How large an expression may be, and how much work and data it may make; beyond that it is a defect or an attack."""

from __future__ import annotations

from hub.expressions.errors import OverBudget

#: Characters of an expression's text.
MAX_LENGTH = 4_096
#: Nodes of an expression, its literals' parts included.
MAX_NODES = 256
#: Nested parts of an expression, and of a literal in it.
MAX_DEPTH = 32
#: Steps of one evaluation: one for each element visited or value copied, one for every 64 characters handled.
EXPRESSION_STEPS = 1_000_000
#: Steps of one record's mapping, all its fields and elements together.
RECORD_STEPS = 4_000_000
#: Values in one result, counted as often as they appear in it.
MAX_RESULT = 1_000_000
#: Characters of one text that a function makes.
MAX_TEXT = 4_000_000
#: A text of so many characters takes no step.
_FREE = 63
#: Loops within loops, such as `a[].b[].c[]` has three of.
MAX_LOOPS = 16
#: Significant digits of an exact result; a longer one is refused, not rounded.
EXACT_DIGITS = 200
#: Significant digits of an average, which may have no exact decimal.
AVERAGE_DIGITS = 34
#: A number's first digit is at most this many places from the decimal point.
MAX_PLACES = 400


class Meter:
    """Counts down the steps left to one evaluation."""

    __slots__ = ("left",)

    def __init__(self, steps: int = EXPRESSION_STEPS) -> None:
        """Start with this many steps."""
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take steps; `OverBudget` when none are left."""
        self.left -= steps
        if self.left < 0:
            raise OverBudget("The expression takes too many steps.")

    def spend_text(self, characters: int) -> None:
        """Take the steps for handling or making a text of so many characters."""
        if characters > MAX_TEXT:
            raise OverBudget("The expression makes too long a text.", characters=characters)
        if characters > _FREE:
            self.spend(characters >> 6)


def measured(value: object) -> object:
    """Give the value back if, written out, it holds no more than the budget; shared parts count each time."""
    left = MAX_RESULT
    waiting: list[object] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
            left -= len(part)
        elif isinstance(part, list):
            waiting.extend(part)
            left -= len(part)
        elif isinstance(part, str):
            left -= len(part) >> 6
        if left < 0:
            raise OverBudget("The expression makes too large a value.", values=MAX_RESULT)
    return value
