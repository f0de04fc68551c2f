"""What a run waits for, in words."""

from __future__ import annotations

from collections.abc import Sequence

from hub.model.run import WaitKind

_KINDS = {
    WaitKind.TIMER: "a time",
    WaitKind.LIMIT: "its turn at a limit",
    WaitKind.ORDER: "an earlier run of its key",
    WaitKind.EVENT: "something that another run or system brings",
    WaitKind.CHILD: "a flow that it has called",
    WaitKind.APPROVAL: "people who approve",
    WaitKind.HOLD: "a hold to be lifted",
    WaitKind.CONNECTION: "its connection to be resumed",
}


def waits_in_words(kind: WaitKind | None, topics: Sequence[str]) -> tuple[str, ...]:
    """Say what a run waits for, each thing once; nothing when it does not wait."""
    if kind is None:
        return ()
    told = [words for topic in topics if (words := _of(topic))]
    return tuple(dict.fromkeys(told)) or (_KINDS[kind],)


def _of(topic: str) -> str:
    """Say what a topic means; empty when its kind says as much."""
    match topic.split(":"):
        case ["event", _, type, *subject]:
            return f"the event {type} about {':'.join(subject)}"
        case ["crossref", _, entity, system, *id, want]:
            return f"the {want} id of the {system} {entity} {':'.join(id)}"
        case ["thing", _, entity, *thing]:
            return f"the {entity} {':'.join(thing)} to get an id, or another place in its tree"
        case ["connection", _, *name]:
            return f"the connection {':'.join(name)} to be resumed"
        case ["child", _, *path]:
            return f"the flow that its step {':'.join(path)} has called"
        case ["limit", *budget]:
            return f"its turn at the limit of {':'.join(budget)}"
        case _:
            return ""
