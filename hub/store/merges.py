"""Two things that turn out to be one, and a merge that is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, FixData, NotFound
from hub.model.thing import What
from hub.store import hierarchy, pairs, things
from hub.store.committer import Transaction
from hub.store.thing_tables import thing_history
from hub.store.things import By, Tie

#: So many merges in a row are followed to find what a thing has become.
_FOLLOWED = 100


def absorb(
    transaction: Transaction, by: By, *, into: str, gone: str, primary: Mapping[str, str] | None = None
) -> list[str]:
    """Make two things one: what named `gone` names `into` from here on, and what stood below it too.

    In a system where both have an id, that of `into` is given to others and the other one becomes an alias, unless
    `primary` (system → id) says otherwise. Nothing is changed in any system. Gives the topics of what can be found.
    Raises `Conflict` where one stands above the other.
    """
    connection, of = transaction.connection, {"environment": by.environment, "entity": by.entity}
    for one, other in ((into, gone), (gone, into)):
        if other in hierarchy.way_up(connection, **of, thing=one):
            raise Conflict(
                "One of them stands above the other. Put the lower one somewhere else first; then they can become one.",
                code="merge-within-tree",
                above=other,
                below=one,
            )
    standing = things.ids_of(connection, **of, thing=into)
    coming = things.ids_of(connection, **of, thing=gone)
    if len(standing) + len(coming) > things.MOST_IDS:
        raise Conflict(f"The thing would have more than {things.MOST_IDS} ids.", code="too-many-ids", thing=into)
    above = things.parent_of(connection, **of, thing=gone)
    up = hierarchy.way_up(connection, **of, thing=into) or hierarchy.way_up(connection, **of, thing=gone)
    down = max(hierarchy.levels_below(connection, **of, thing=each) for each in (into, gone))
    hierarchy.assert_shallow(len(up) + 1 + down, into)
    pairs.agree(transaction, by, into, gone)
    every = things.move_ids(transaction, by, coming, into, What.MERGED, standing=standing)
    topics = things.topics_of(by, every)
    if above is not None:
        things.set_parent(transaction, by, gone, None, above)
        if things.parent_of(connection, **of, thing=into) is None:
            topics += hierarchy.move(transaction, by, into, above)
    for child in things.children_of(connection, **of, thing=gone):
        things.set_parent(transaction, by, child, into, gone)
    for system, id in (primary or {}).items():
        tie = next((tie for tie in every if (tie.system, tie.id) == (system, id)), None)
        if tie is None:
            raise FixData(f"Neither of the two has the id {id} in {system}.", code="not-its-id", system=system, id=id)
        topics += things.prefer(transaction, by, tie)
    things.tell(transaction, AuditKind.THING_MERGED, by, into, systems={tie.system for tie in coming}, gone=gone)
    return [*topics, things.thing_topic(**of, thing=gone)]


def split(transaction: Transaction, by: By) -> list[str]:
    """Take the merge back that `by.change` names: each id that came with it names its own thing again.

    What was tied since stays where it is. Gives the topics of what can be found otherwise. `NotFound` when there is no
    such merge, `Conflict` when it was split before, or nothing of it is left.
    """
    connection, of = transaction.connection, {"environment": by.environment, "entity": by.entity}
    rows = things.history(
        connection, by.environment, thing_history.c.change == by.change, thing_history.c.entity == by.entity
    )
    merged = [row for row in rows if row["what"] == What.MERGED]
    if not merged:
        raise NotFound("There is no such merge.", merge=by.change)
    if any(row["what"] == What.SPLIT for row in rows):
        raise Conflict("This merge was taken back already.", code="split-already", merge=by.change)
    into, gone = merged[0]["thing"], merged[0]["other"]
    holder = holder_of(transaction, by, into)
    here = {(tie.system, tie.id): tie for tie in things.ids_of(connection, **of, thing=holder)}
    # In the order in which they were: what was first in its system is so again.
    leaving = [here[key] for row in merged if (key := (row["system"], row["id"])) in here]
    if not leaving:
        raise Conflict("None of the ids that came with it is there any more.", code="nothing-to-split", merge=by.change)
    if things.ids_of(connection, **of, thing=gone):
        raise Conflict("The thing has other ids by now.", code="thing-in-use", thing=gone)
    if len(leaving) == len(here):
        raise Conflict(
            "Nothing else names the thing any more; there is nothing to split it from.",
            code="nothing-to-split",
            merge=by.change,
        )
    topics = things.topics_of(by, list(here.values()))
    back = things.move_ids(transaction, by, leaving, gone, What.SPLIT)
    pairs.disagree(transaction, by, holder, gone)
    topics += things.fill(transaction, by, holder) + things.topics_of(by, back)
    topics += _places_back(transaction, by, [row for row in rows if row["what"] == What.MOVED], holder, gone)
    things.tell(transaction, AuditKind.THING_SPLIT, by, gone, systems={tie.system for tie in leaving}, was=holder)
    return topics


def holder_of(transaction: Transaction, by: By, thing: str) -> str:
    """Give what a thing has become: itself while anything names it, else what it was merged into last."""
    connection, of = transaction.connection, {"environment": by.environment, "entity": by.entity}
    for _ in range(_FOLLOWED):
        if things.ids_of(connection, **of, thing=thing):
            return thing
        rows = things.history(
            connection,
            by.environment,
            thing_history.c.entity == by.entity,
            thing_history.c.other == thing,
            thing_history.c.what == What.MERGED.value,
        )
        if not rows:
            return thing
        thing = rows[-1]["thing"]
    return thing


def _places_back(transaction: Transaction, by: By, moved: list[dict[str, Any]], holder: str, gone: str) -> list[str]:
    """Put what the merge has moved in the tree back to where it stood, as far as nobody has moved it since."""
    connection, of = transaction.connection, {"environment": by.environment, "entity": by.entity}
    topics: list[str] = []
    for row in moved:
        thing, was = row["thing"], row["was"]
        stands = things.parent_of(connection, **of, thing=thing)
        if thing == gone:
            wanted = None if was is None else holder_of(transaction, by, was)
        elif was == gone and stands == holder:
            wanted = gone
        elif row["other"] is not None and was is None and stands == row["other"]:
            wanted = None
        else:
            continue
        try:
            topics += hierarchy.move(transaction, by, thing, wanted)
        except Conflict:
            # Something else stands there by now; the history tells where it was.
            continue
    return topics


def together(ties: list[Tie]) -> dict[str, list[Tie]]:
    """Give the ids of a thing by system, where it has more than one: at the vendor two records stand for one thing."""
    found: dict[str, list[Tie]] = {}
    for tie in ties:
        found.setdefault(tie.system, []).append(tie)
    return {system: of_one for system, of_one in sorted(found.items()) if len(of_one) > 1}
