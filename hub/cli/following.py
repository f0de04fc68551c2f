"""A back-fill seen while it goes on: a bar on a terminal, lines elsewhere, one JSON document a look for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hub.cli.output import EXIT_REFUSED, console, print_json
from hub.cli.reach import assert_data, running_at
from hub.errors import HubError, Refused
from hub.runtime.settings import HubSettings

#: Seconds between looks; and between lines where nobody sees a bar.
LOOK, LINE = 1.0, 15.0
#: The rate is that of so many of the last seconds.
_SPAN = 30.0
#: Over less than so many seconds nothing is said of it.
_SHORTEST = 0.5

Show = Callable[[Mapping[str, Any]], None]


def follow(settings: HubSettings, backfill_id: str, *, json: bool) -> int:
    """Show a back-fill until it has ended and all its runs with it; gives the exit status.

    A hub that does not answer for a while, because it is started anew, is waited for. Whoever stops looking stops
    nothing. The status is 1 where runs stopped for a person, or the back-fill was cancelled.
    """
    last: dict[str, Any] = {}
    with _shown(json=json) as show:
        for last in _looks(settings, backfill_id):
            show(last)
    if not json:
        _end(last)
    ended_well = bool(last["state"] == "done") and not last["stopped"]
    return 0 if ended_well else EXIT_REFUSED


def _looks(settings: HubSettings, backfill_id: str) -> Iterator[dict[str, Any]]:
    answered = False
    while True:
        row = _look(settings, backfill_id)
        if row is None and not answered:
            assert_data(settings.data)
            raise Refused(
                "No hub runs on this data. The back-fill goes on where it is as soon as one serves.", code="no-hub"
            )
        if row is not None:
            answered = True
            yield row
            if row["state"] != "open" and not row["at_work"]:
                return
        time.sleep(LOOK)


def _look(settings: HubSettings, backfill_id: str) -> dict[str, Any] | None:
    """Give a back-fill as it stands; None while no hub answers."""
    try:
        hub = running_at(settings.data)
        found: dict[str, Any] | None = None if hub is None else hub.get(f"/api/backfills/{backfill_id}")
    except HubError as error:
        if error.code in ("no-answer", "no-answer-yet"):
            return None
        raise
    return found


class _shown:  # noqa: N801 - used as a block
    """What shows a back-fill, by who looks."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._progress: Progress | None = None
        self._said = 0.0
        self._seen: list[tuple[float, int]] = []

    def __enter__(self) -> Show:
        if self._json:
            return lambda row: print_json({**row, "per_second": self._rate(row)})
        if not console.is_terminal:
            return self._line
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[stopped]}"),
            console=console,
        )
        self._task = self._progress.add_task("counting", total=None, rate="", stopped="")
        self._progress.start()
        return self._bar

    def __exit__(self, *_exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _bar(self, row: Mapping[str, Any]) -> None:
        assert self._progress is not None
        rate = self._rate(row)
        stopped = f"[red]{row['stopped']:,} stopped[/]" if row["stopped"] else ""
        self._progress.update(
            self._task,
            description="counting" if row["total"] is None else escape(f"{row['connection']} {row['stream']}"),
            completed=_ended(row),
            total=row["total"],
            rate="" if rate is None else f"{rate:,}/s",
            stopped=f"[red]{escape(row['error'])}[/] {stopped}" if row["error"] else stopped,
        )

    def _line(self, row: Mapping[str, Any]) -> None:
        rate, now = self._rate(row), time.monotonic()
        if self._said and now - self._said < LINE:
            return
        self._said = now
        total = "?" if row["total"] is None else f"{row['total']:,}"
        told = [f"{_ended(row):,} of {total}"]
        if rate:
            told.append(f"{rate:,} a second")
            if row["total"] is not None:
                told.append(f"{max(row['total'] - _ended(row), 0) / rate / 60:,.0f} min left")
        if row["stopped"]:
            told.append(f"{row['stopped']:,} stopped")
        if row["error"]:
            told.append(escape(row["error"]))
        console.print(", ".join(told), highlight=False)

    def _rate(self, row: Mapping[str, Any]) -> int | None:
        """Give how many came to their end each second of late; None before that can be said."""
        now = time.monotonic()
        # More than now only before all is listed again.
        self._seen = [(at, ended) for at, ended in self._seen if now - at <= _SPAN and ended <= _ended(row)]
        self._seen.append((now, _ended(row)))
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return round((after - before) / (last - first)) if last - first >= _SHORTEST else None


def _end(row: Mapping[str, Any]) -> None:
    console.print(
        f"Back-fill {row['id']} is {row['state']}: {row['read']:,} listed, {_ended(row):,} came to their end, "
        f"{row['stopped'] or 0:,} stopped for a person.",
        highlight=False,
    )
    if row["stopped"]:
        console.print("`concord cases list` says why.", highlight=False)


def _ended(row: Mapping[str, Any]) -> int:
    """Give how many records' runs have come to their end; of a stream, how many events were read."""
    ended: int = row["read"] if row["ended"] is None else row["ended"]
    return ended
