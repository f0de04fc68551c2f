"""What can be wrong with an expression: its text, found when compiling, or its data, found when evaluating."""

from __future__ import annotations

from hub.errors import FixData


class ExpressionError(FixData):
    """The expression cannot be compiled.

    `code` is `syntax`, `unknown-function`, `invalid-arity`, `invalid-type`, `invalid-value`, `over-budget`, or that of
    the function that can only refuse its literal, such as `unknown-currency`.
    """

    code = "syntax"

    def __init__(self, detail: str, *, text: str, position: int, code: str | None = None, **facts: object) -> None:
        """Carry the expression's `text` and the `position` of the mistake: characters from its start, from 0."""
        super().__init__(detail, code=code, expression=text, position=position, **facts)
        self.text = text
        self.position = position


class EvaluationError(FixData):
    """The expression does not fit this data.

    Facts: `expression`, `position` (characters from its start), `data` (the source paths it was reading), and `field`
    where the expression fills a field of a record. Numbers in both (`lines[3].amount`) are those of the source's
    elements, from 0.
    """

    code = "invalid-type"


class OverBudget(EvaluationError):
    """The expression would take too many steps or make too large a value."""

    code = "over-budget"


class InvalidValue(FixData):
    """A function cannot work with this value; raised by functions, which do not know where they are called."""

    code = "invalid-value"
