"""How the streams of connections are read: by the files, else by the connectors and the hub's own interval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hub.sdk.connector import Stream
from hub.workspace.bundle import Bundle

#: Somebody is alarmed after so many intervals without a complete reading, but not before this time is over.
_INTERVALS = 5
_SHORTEST_SILENCE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often a stream is read, how much of it again each time, and after how long a silence somebody is alarmed."""

    every: timedelta
    overlap: timedelta
    dead_man: timedelta


def plan_of(bundle: Bundle, connection: str, stream: Stream, every: timedelta) -> Plan:
    """Give how a stream is read; `every` is the interval of those whose file names none.

    An overlap shorter than the connector's would lose events, so the longer of both counts.
    """
    file = bundle.connections.get(connection)
    poll = file.polls.get(stream.name) if file is not None else None
    often = (poll.every if poll is not None else None) or every
    again = (poll.overlap if poll is not None else None) or timedelta()
    silence = poll.dead_man if poll is not None else None
    return Plan(
        every=often,
        overlap=max(again, stream.overlap),
        dead_man=silence or max(often * _INTERVALS, _SHORTEST_SILENCE),
    )
