"""How the streams of a connection are read, as its file says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from hub.model.durations import duration
from hub.workspace.catalogue import ConnectorEntry, StreamEntry
from hub.workspace.compiled_files import Poll
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Entry, Keyed, text_of

SHORTEST = timedelta(seconds=1)


def lint_polls(connection: Keyed, connector: ConnectorEntry, lints: Lints) -> None:
    """Add a lint for a stream that is not there, and for times at which events would be lost or alarms be false."""
    for name, entry in _entries(connection).items():
        stream = connector.streams.get(name)
        if stream is None:
            message = f"The connector `{connector.name}` has no stream `{name}`."
            hint = nearest(name, connector.streams) if connector.streams else "It has none; take `poll` out."
            lints.error(entry.key, "unknown-stream", message, hint)
        elif isinstance(entry.value, Keyed):
            _lint_times(entry.value, stream, lints)


def _lint_times(poll: Keyed, stream: StreamEntry, lints: Lints) -> None:
    every, overlap, dead_man = (poll.get(key) for key in ("every", "overlap", "dead_man"))
    often, again, longest = (duration(text_of(node)) for node in (every, overlap, dead_man))
    if every is not None and often is not None and often < SHORTEST:
        lints.error(every, "too-often", "A stream is read once in a second at the most.", "Write `PT1S` or more.")
    for node, span in ((every, often), (overlap, again)):
        if node is not None and span is not None and stream.keeps is not None and span >= stream.keeps:
            message = f"The vendor keeps events of `{stream.name}` for {stream.keeps.days} days, so some would be lost."
            lints.error(node, "longer-than-kept", message, "Write a shorter time.")
    if overlap is not None and again is not None and again < stream.overlap:
        least = f"PT{int(stream.overlap.total_seconds())}S"
        message = f"Events of `{stream.name}` may come to light later than that; {least} is what counts."
        lints.warn(overlap, "overlap-too-short", message, f"Write `{least}` or more, or leave it out.")
    if dead_man is not None and longest is not None and often is not None and longest <= often:
        message = "This alarm would come before the next reading."
        lints.warn(dead_man, "dead-man-too-short", message, "Write several times `every`.")


def read_polls(connection: Keyed) -> dict[str, Poll]:
    """Give how the streams of a checked connection are read, by their names."""
    return {name: _poll(entry.value) for name, entry in _entries(connection).items() if isinstance(entry.value, Keyed)}


def _poll(node: Keyed) -> Poll:
    times = (duration(text_of(node.get(key))) for key in ("every", "overlap", "dead_man"))
    every, overlap, dead_man = times
    return Poll(every=every, overlap=overlap, dead_man=dead_man)


def _entries(connection: Keyed) -> Mapping[str, Entry]:
    polls = connection.get("poll")
    return polls.entries if isinstance(polls, Keyed) else {}
