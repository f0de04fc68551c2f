"""Values as people read them: ages, durations, amounts, codes, states."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from markupsafe import Markup, escape

from hub.queries.amounts import Amount
from hub.queries.amounts import amount as of_minor

#: How checks write money that differs.
_MINOR = re.compile(r"(-?\d{1,30}) minor ([A-Z]{3})\b")
#: Words of codes that would read badly if only their hyphens were dropped.
_ACRONYMS = {"erp": "ERP", "id": "id", "api": "API", "url": "URL", "http": "HTTP"}


def amount(value: Amount | None) -> Markup:
    """Give an amount with grouped digits and its code: `1,284.10 EUR`."""
    if value is None:
        return Markup("")
    return Markup('<span class="amount">{}\N{NO-BREAK SPACE}<span class="currency">{}</span></span>').format(
        grouped(value.value), value.currency
    )


def grouped(number: Decimal | int) -> str:
    """Give a number with its thousands apart and a real minus sign."""
    return f"{number:,}".replace("-", "\N{MINUS SIGN}")


def sentence(code: str | None) -> str:
    """Give a code as words: `customer-not-mapped` becomes `Customer not mapped`; what is a sentence stays one."""
    if not code:
        return ""
    if " " in code:
        return code[:1].upper() + code[1:]
    words = [_ACRONYMS.get(word, word) for word in code.replace("_", "-").split("-")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def ticked(text: str) -> Markup:
    """Give a sentence with the names between backticks set as code, and minor units turned into amounts."""
    parts = [
        Markup("<code>{}</code>").format(part) if number % 2 else _with_amounts(part) for number, part in _pieces(text)
    ]
    return Markup("").join(parts)


def _with_amounts(text: str) -> Markup:
    shown, last = Markup(""), 0
    for found in _MINOR.finditer(text):
        shown += escape(text[last : found.start()]) + amount(of_minor(int(found[1]), found[2]))
        last = found.end()
    return shown + escape(text[last:])


def _pieces(text: str) -> list[tuple[int, str]]:
    pieces = text.split("`")
    return list(enumerate(pieces)) if len(pieces) % 2 else [(0, text)]


def duration(seconds: float | None) -> str:
    """Give a length of time at the precision a person needs: `38 ms`, `1.2 s`, `3 min 20 s`, `2 d 4 h`."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 0.001:
        return "<1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = int(seconds)
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 86_400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86_400, "d", whole % 86_400 // 3600, "h")


def _two(large: int, unit: str, small: int, rest: str) -> str:
    return f"{large} {unit} {small} {rest}" if small else f"{large} {unit}"


def age(moment: datetime | None, now: datetime) -> str:
    """Give how long ago something was, or how soon it will be, in one unit."""
    if moment is None:
        return "never"
    gap = now - moment
    ahead = gap < timedelta(0)
    seconds = abs(gap.total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            text = f"{int(seconds // size)} {unit}"
            break
    else:
        text = f"{int(seconds)} s"
    if seconds < 1:
        return "now"
    return f"in {text}" if ahead else f"{text} ago"


def clock(moment: datetime | None, now: datetime | None = None) -> Markup:
    """Give a time that stays right: its age, kept up by the page, with the exact moment on hovering."""
    if moment is None:
        return Markup('<span class="muted">never</span>')
    exact = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    shown = age(moment, now) if now is not None else exact
    relative = Markup(" data-age") if now is not None else ""
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        moment.isoformat(timespec="milliseconds"), exact, relative, shown
    )


def short_id(text: str) -> Markup:
    """Give the telling end of a long id, with the whole on hovering; copies take the whole from its page."""
    prefix, _, rest = text.rpartition("_")
    if len(rest) <= 10:
        return escape(text)
    return Markup('<span title="{}">{}\N{HORIZONTAL ELLIPSIS}{}</span>').format(
        text, f"{prefix}_" if prefix else "", rest[-7:]
    )


class Tone(StrEnum):
    """How a state is coloured: never by colour alone, its word stands beside."""

    GOOD = "good"
    BUSY = "busy"
    WAIT = "wait"
    BAD = "bad"
    QUIET = "quiet"


_TONES = {
    "succeeded": Tone.GOOD,
    "done": Tone.GOOD,
    "healthy": Tone.GOOD,
    "closed": Tone.GOOD,
    "accepted": Tone.GOOD,
    "found": Tone.GOOD,
    "fired": Tone.GOOD,
    "ordered": Tone.GOOD,
    "on time": Tone.GOOD,
    "works": Tone.GOOD,
    "does not work": Tone.BAD,
    "read": Tone.GOOD,
    "running": Tone.BUSY,
    "reading": Tone.BUSY,
    "under way": Tone.BUSY,
    "compensating": Tone.BUSY,
    "compensated": Tone.QUIET,
    "intent": Tone.BUSY,
    "queued": Tone.QUIET,
    "waiting": Tone.WAIT,
    "unknown": Tone.WAIT,
    "paused": Tone.WAIT,
    "absent": Tone.WAIT,
    "quarantined": Tone.WAIT,
    "held": Tone.WAIT,
    "skipped": Tone.WAIT,
    "parked": Tone.BAD,
    "failed": Tone.BAD,
    "failing": Tone.BAD,
    "open": Tone.BAD,
    "rejected": Tone.BAD,
    "missed": Tone.BAD,
    "alarm": Tone.BAD,
    "gap": Tone.BAD,
    "pending": Tone.WAIT,
    "approved": Tone.GOOD,
    "refused": Tone.BAD,
    "expired": Tone.BAD,
    "void": Tone.QUIET,
    "cancelled": Tone.QUIET,
    "untried": Tone.QUIET,
    "unrouted": Tone.QUIET,
}


def tone(state: str) -> Tone:
    """Give how a state is coloured."""
    return _TONES.get(str(state), Tone.QUIET)


def attempt_tone(outcome: str) -> Tone:
    """Give how the outcome of an attempt is coloured: whatever is not done or found has failed in some way."""
    if outcome in {"done", "found"}:
        return Tone.GOOD
    return Tone.WAIT if outcome in {"limit-reached", "retry-later", "not-sent", "absent"} else Tone.BAD


def count(number: int, one: str, many: str | None = None) -> str:
    """Give a number with its noun: `1 run`, `1,204 runs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
