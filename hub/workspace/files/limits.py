"""The key `limits` of connections, in their own files and in environments."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.model.limits import QuotaPer
from hub.workspace.compiled_files import ConnectionLimits
from hub.workspace.source.lint import Lints
from hub.workspace.source.shapes import NAME, Choice, Form, Key, Number, Text, Whole
from hub.workspace.source.yaml_source import Keyed, Node, plain, text_of

_PER = {"second": 1, "minute": 60}
_LOWEST = Decimal("0.01")

LIMITS = Form(
    title="limits",
    keys={
        "concurrency": Key(shape=Whole(minimum=1, maximum=1000), doc="how many requests may be in flight"),
        "rate": Key(
            shape=Number(maximum=100_000), doc="how many requests may start in a second, or in a minute with `per`"
        ),
        "per": Key(shape=Choice(of=tuple(_PER)), doc="the time that `rate` counts for; `second` when left out"),
        "burst": Key(
            shape=Whole(minimum=1, maximum=100_000),
            doc="how many of `rate` may start at once; a tenth of it when left out, and at least two",
        ),
        "quota": Key(shape=Whole(minimum=1), doc="how many requests may be made in a day, or in another `quota_per`"),
        "quota_per": Key(
            shape=Choice(of=tuple(QuotaPer)),
            doc="the time that `quota` counts for, from the clock and the calendar; `day` when left out",
        ),
        "quota_zone": Key(
            shape=Text(pattern=r"[A-Za-z][A-Za-z0-9_+/-]*", example="a time zone such as `Europe/Vienna`"),
            doc="the time zone in which the times of `quota` begin; UTC when left out",
        ),
        "budget": Key(
            shape=Text(pattern=NAME, example="a name such as `netsuite-production`"),
            doc="the external account; connections that name the same one share its limits",
        ),
    },
)


def lint_limits(node: Node | None, lints: Lints) -> None:
    """Add a lint for limits that fit their shape and yet make no sense."""
    if not isinstance(node, Keyed):
        return
    rate, per, zone = node.get("rate"), node.get("per"), node.get("quota_zone")
    if rate is not None:
        if plain(rate) < _LOWEST:
            lints.error(rate, "bad-limit", "A rate is at least 0.01.", "To stop the connection, pause it.")
    elif per is not None:
        lints.error(per, "bad-limit", "`per` says what `rate` counts for, and there is no `rate`.", "Add `rate: …`.")
    if zone is not None and not _is_zone(text_of(zone)):
        lints.error(
            zone, "unknown-zone", f"There is no time zone `{text_of(zone)}`.", "Write one such as `Europe/Vienna`."
        )


def read_limits(node: Node | None) -> ConnectionLimits:
    """Give the limits a checked `limits` key holds."""
    values = plain(node) if isinstance(node, Keyed) else {}
    rate = values.get("rate")
    return ConnectionLimits(
        concurrency=values.get("concurrency"),
        rate=None if rate is None else float(rate),
        per=_PER[values.get("per", "second")],
        burst=values.get("burst"),
        quota=values.get("quota"),
        quota_per=QuotaPer(values.get("quota_per", QuotaPer.DAY)),
        quota_zone=values.get("quota_zone", "UTC"),
        budget=values.get("budget"),
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
