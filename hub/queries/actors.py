"""What those are called who did something: people, the command line, and the hub itself."""

from __future__ import annotations

from collections.abc import Mapping

from hub.access.permissions import LOCAL

_WORKER = "worker_"


def called(actor: str, people: Mapping[str, str]) -> str:
    """Give the name of an actor as the audit keeps it; `people` are names by id."""
    if actor == LOCAL.actor:
        return LOCAL.name
    if actor.startswith(_WORKER):
        return "the hub"
    return people.get(actor.removeprefix("person:"), actor)
