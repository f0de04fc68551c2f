"""What SuiteQL computes with: functions, arithmetic and dates, on single cells and with NULL as Oracle knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation

from connectors.netsuite.sandbox.suiteql.words import invalid

#: What a column holds; booleans are 'T' and 'F'.
Cell = str | Decimal | date | datetime | None
_Function = Callable[..., Cell]

#: Oracle's words for parts of a date, as strftime knows them.
_DATE_WORDS = (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"))
_DAY = timedelta(days=1)


def call(name: str, cells: Sequence[Cell]) -> Cell:
    """Compute a function; refuses one that is not known, or that takes another number of arguments."""
    found = _FUNCTIONS.get(name)
    if found is None:
        raise invalid(f"Unknown function '{name}'")
    function, least, most, strict = found
    if not least <= len(cells) <= most:
        raise invalid(f"{name} takes {least} to {most} arguments, not {len(cells)}")
    if strict and any(cell is None for cell in cells):
        return None
    return function(*cells)


def check(name: str, number: int) -> None:
    """Refuse a function that is not known, or so many arguments, before any row is looked at."""
    found = _FUNCTIONS.get(name)
    if found is None:
        raise invalid(f"Unknown function '{name}'")
    _, least, most, _ = found
    if not least <= number <= most:
        raise invalid(f"{name} takes {least} to {most} arguments, not {number}")


def compute(left: Cell, sign: str, right: Cell) -> Cell:
    """Join two cells by `+ - * /` or `||`; a date and a number of days give a date."""
    if sign == "||":
        joined = ("" if left is None else shown(left)) + ("" if right is None else shown(right))
        return joined or None
    if left is None or right is None:
        return None
    if sign in "+-" and (isinstance(left, date) or isinstance(right, date)):
        return _moved(left, sign, right)
    one, other = as_number(left), as_number(right)
    match sign:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
        case _:
            if not other:
                raise invalid("The divisor is equal to zero")
            return one / other


def shown(cell: Cell) -> str:
    """Write a cell as answers do: always text, dates in the account's format without time."""
    if isinstance(cell, Decimal):
        return f"{cell.normalize():f}" if cell else "0"
    if isinstance(cell, date):
        return f"{cell.month}/{cell.day}/{cell.year}"
    return str(cell)


def as_number(cell: Cell) -> Decimal:
    """Read a cell as a number; refuses what is none."""
    try:
        return cell if isinstance(cell, Decimal) else Decimal(str(cell))
    except InvalidOperation:
        raise invalid(f"'{cell}' is not a number") from None


def as_moment(cell: Cell) -> datetime:
    """Read a cell as a time; refuses what is none in the account's format."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    try:
        return datetime.strptime(str(cell), "%m/%d/%Y").replace(tzinfo=UTC)
    except ValueError:
        raise invalid(f"'{cell}' is not a date in the account's format M/D/YYYY") from None


def _moved(left: Cell, sign: str, right: Cell) -> Cell:
    if isinstance(left, date) and isinstance(right, date):
        if sign == "+":
            raise invalid("Two dates cannot be added")
        return Decimal(round((as_moment(left) - as_moment(right)).total_seconds())) / 86_400
    moment, days = (left, right) if isinstance(left, date) else (right, left)
    if sign == "-" and moment is right:
        raise invalid("A date cannot be taken from a number")
    seconds = timedelta(seconds=int(as_number(days) * 86_400))
    return as_moment(moment) + (seconds if sign == "+" else -seconds)


def _pattern(form: Cell) -> str:
    text = str(form).replace('"', "")
    for word, sign in _DATE_WORDS:
        text = text.replace(word, sign)
    return text


def _to_char(cell: Cell, form: Cell = None) -> Cell:
    return cell.strftime(_pattern(form)) if isinstance(cell, date) and form is not None else shown(cell)


def _to_date(cell: Cell, form: Cell) -> Cell:
    try:
        return datetime.strptime(str(cell), _pattern(form)).replace(tzinfo=UTC)
    except ValueError:
        raise invalid(f"'{cell}' is not a date of the form {form}") from None


def _rounded(mode: str) -> _Function:
    def function(cell: Cell, places: Cell = Decimal(0)) -> Cell:
        unit = Decimal(1).scaleb(-int(as_number(places)))
        return as_number(cell).quantize(unit, rounding=mode)

    return function


def _trunc(cell: Cell, places: Cell = Decimal(0)) -> Cell:
    if isinstance(cell, date):
        return as_moment(cell).replace(hour=0, minute=0, second=0, microsecond=0)
    return _rounded(ROUND_DOWN)(cell, places)


def _substr(cell: Cell, start: Cell, length: Cell = None) -> Cell:
    text, begin = shown(cell), int(as_number(start))
    begin = begin - 1 if begin > 0 else max(len(text) + begin, 0) if begin < 0 else 0
    end = None if length is None else begin + max(int(as_number(length)), 0)
    return text[begin:end] or None


def _coalesce(*cells: Cell) -> Cell:
    return next((cell for cell in cells if cell is not None), None)


def _decode(cell: Cell, *choices: Cell) -> Cell:
    for place in range(0, len(choices) - 1, 2):
        wanted = choices[place]
        if (cell is None and wanted is None) or (cell is not None and wanted is not None and _alike(cell, wanted)):
            return choices[place + 1]
    return choices[-1] if len(choices) % 2 else None


def _alike(one: Cell, other: Cell) -> bool:
    left, right = comparable(one, other)
    return bool(left == right)


def _mod(cell: Cell, divisor: Cell) -> Cell:
    return as_number(cell) % as_number(divisor) if as_number(divisor) else as_number(cell)


def comparable(left: Cell, right: Cell) -> tuple[Cell, Cell]:
    """Bring two cells to one type, as the database does; refuses what cannot be converted."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return as_number(left), as_number(right)
    if isinstance(left, date) or isinstance(right, date):
        return as_moment(left), as_moment(right)
    return left, right


_MANY = 99
#: Name → what it does, its least and most arguments, and whether NULL among them makes the whole NULL.
_FUNCTIONS: Mapping[str, tuple[_Function, int, int, bool]] = {
    "ABS": (lambda cell: abs(as_number(cell)), 1, 1, True),
    "CEIL": (lambda cell: as_number(cell).to_integral_value(ROUND_CEILING), 1, 1, True),
    "COALESCE": (_coalesce, 1, _MANY, False),
    "CONCAT": (lambda one, other: compute(one, "||", other), 2, 2, False),
    "DECODE": (_decode, 3, _MANY, False),
    "FLOOR": (lambda cell: as_number(cell).to_integral_value(ROUND_FLOOR), 1, 1, True),
    "LENGTH": (lambda cell: Decimal(len(shown(cell))), 1, 1, True),
    "LOWER": (lambda cell: shown(cell).lower(), 1, 1, True),
    "MOD": (_mod, 2, 2, True),
    "NVL": (_coalesce, 2, 2, False),
    "NVL2": (lambda cell, there, missing: missing if cell is None else there, 3, 3, False),
    "REPLACE": (lambda cell, old, new: shown(cell).replace(shown(old), shown(new)) or None, 3, 3, True),
    "ROUND": (_rounded(ROUND_HALF_UP), 1, 2, True),
    "SUBSTR": (_substr, 2, 3, True),
    "TO_CHAR": (_to_char, 1, 2, True),
    "TO_DATE": (_to_date, 2, 2, True),
    "TO_NUMBER": (as_number, 1, 1, True),
    "TRIM": (lambda cell: shown(cell).strip() or None, 1, 1, True),
    "TRUNC": (_trunc, 1, 2, True),
    "UPPER": (lambda cell: shown(cell).upper(), 1, 1, True),
}
