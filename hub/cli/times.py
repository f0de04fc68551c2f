"""Times and spans on the command line, as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime

from hub.cli.output import EXIT_WRONG, fail
from hub.model.durations import duration


def moment(text: str, option: str) -> str:
    """Read a day or a time (`2026-01-05`, `2026-01-05T06:00`, `…+01:00`), in UTC where no offset stands."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} is a day or a time such as 2026-01-05 or 2026-01-05T06:00+01:00, not `{text}`.", EXIT_WRONG)
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).isoformat()


def span(text: str) -> str:
    """Give a span of ISO 8601 in words: `PT15M` is `15 min`, `P1DT2H` is `1 d 2 h`."""
    read = duration(text)
    if read is None:
        return text
    hours, seconds = divmod(read.seconds, 3600)
    parts = ((read.days, "d"), (hours, "h"), (seconds // 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
