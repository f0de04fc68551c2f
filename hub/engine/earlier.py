"""What a run finds written that was formed of another event or by other files: it stops if that is not what it means.

An ordinary replay recognises what was written, whatever it would form now. A person who edits a record, or takes other
files, may mean something else than what stands; so does a later event about the same thing with another content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from hub.engine import outcomes
from hub.engine.outcomes import Row
from hub.engine.parts import Parts
from hub.engine.recording import Target
from hub.errors import StandsAlready
from hub.model.effect import LEFT_STANDING, WRITTEN_DIFFERENTLY
from hub.model.flow import Step
from hub.model.standing import Made, beside, elsewhere, gone, is_formed_alike, of_others
from hub.sdk import exact_json
from hub.store import earlier, runs
from hub.store import effects as stored
from hub.store.claims import ClaimedRun
from hub.store.lineage import replayed

#: So many of the writes that stand are named.
_NAMED = 20


class Earlier:
    """What other runs have made that one run replays, or that are about the same thing.

    What those have left that it replays is looked at only when its event or its files are others.
    """

    def __init__(self, parts: Parts, claimed: ClaimedRun) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._run = claimed.run
        self.differs = claimed.differs
        self._gone: list[Made] | None = None

    def is_other(self, row: Row) -> bool:
        """Tell whether a write was formed of another event, or by other files.

        Whichever run goes on with a write that was left half-way: it stays formed of the event that it was formed of.
        """
        if row["event_id"] is None:
            return self.is_of_another(row["run_id"], row["created_at"])
        if row["event_id"] != self._run["event_id"]:
            return True
        return self.differs and self.is_of_another(row["run_id"], row["created_at"])

    def is_of_another(self, run_id: str, at: int) -> bool:
        """Tell whether what a run has formed at a moment was formed of another event, or by other files."""
        if run_id == self._run["id"] and not self.differs:
            return False
        maker = runs.find(self._parts.database.looking, run_id)
        if maker is None:
            return True
        if not self.differs:
            return bool(maker["event_id"] != self._run["event_id"])
        return not is_formed_alike(maker, self._run, at)

    def is_as_now(self, target: Target, row: Row, form: Callable[[], Any]) -> bool:
        """Tell whether a write is what this run would write, or does not stand any more."""
        if stored.is_taken_back(self._parts.database.looking, row["key"]):
            return True
        record = form()
        if not row["method"]:
            # One of many in a request is known by its input.
            return bool(row["body_hash"] == hashlib.sha256(exact_json.canonical(record)).hexdigest())
        key = outcomes.key_at_target(target.key, row["renewals"] or 0)
        request = target.operation.request(target.account.settings, record, key)
        return outcomes.is_request(row, request)

    def assert_as_now(self, target: Target, row: Row, form: Callable[[], Any]) -> None:
        """Raise `StandsAlready` when a write was made that this run would make otherwise."""
        if self.is_other(row) and not self.is_as_now(target, row, form):
            raise self.written_differently(target.path, row)

    def written_differently(self, path: str, row: Row) -> StandsAlready:
        """Say that a step has written something else than it would write now."""
        what, facts = f"{row['connection']} {row['operation']}", {"effect": row["key"], "run": row["run_id"]}
        if row["event_id"] == self._run["event_id"] or self._is_of_line(row["run_id"]):
            return StandsAlready(
                f"The step {path} has written already ({what}), and not what it would write with this record and these "
                "files. Nothing was written. Take back what the run did and replay it, or order its writes once more "
                "as new effects; or cancel it: what stands stays.",
                code=WRITTEN_DIFFERENTLY,
                step=path,
                **facts,
            )
        return StandsAlready(
            f"The step {path} has written this already ({what}) for an earlier event with the same business key, and "
            "not what it would write for this one. Nothing was written. Order it once more as a new effect, or cancel "
            "the run: what stands stays.",
            code=WRITTEN_DIFFERENTLY,
            step=path,
            **facts,
        )

    def _is_of_line(self, run_id: str) -> bool:
        return run_id in replayed(self._parts.database.looking, self._run["id"])

    def assert_none_elsewhere(self, path: str, key: str | None, steps: Sequence[Step]) -> None:
        """Raise `StandsAlready` before the step at a path begins something, when it did so before under another key.

        Nothing new begins either while something stands of a step that the flow does not have any more.
        """
        if self.differs:
            _assert_none(elsewhere(self._made(path), path, key), path)
            self.assert_none_gone(path, steps)

    def assert_none_gone(self, path: str, steps: Sequence[Step]) -> None:
        """Raise `StandsAlready` when something stands of a step that the flow does not have any more."""
        if self.differs and self._gone is None:
            self._gone = self._unmet(gone(self._made(None), steps))
        _assert_none(self._gone or [], path)

    def assert_none_inside(self, path: str) -> None:
        """Raise `StandsAlready` when something stands of a step that is left out now."""
        if self.differs:
            _assert_none(self._made(path), path)

    def assert_none_beside(self, path: str, taken: Collection[str]) -> None:
        """Raise `StandsAlready` when something stands of another arm of a branch than the one that is taken now."""
        if self.differs:
            _assert_none(beside(self._made(path), path, taken), path)

    def assert_none_of_others(self, path: str, keys: Callable[[], Mapping[str, str | None]]) -> None:
        """Raise `StandsAlready` when something stands of items that there are not any more, or under another key.

        `keys` gives the names of the items, with the keys of their writes where they are nothing but a write.
        """
        if not self.differs or not (made := self._made(path)):
            return
        _assert_none(of_others(made, path, keys()), path)

    def assert_met(self) -> None:
        """Raise `StandsAlready` when something stands that a run has not met that comes to its end."""
        if self.differs:
            _assert_none(self._unmet(self._made(None)), "end")

    def _unmet(self, made: Sequence[Made]) -> list[Made]:
        if not made:
            return []
        with self._parts.database.reading() as connection:
            met = earlier.met(connection, self._run, made)
        return [each for each in made if each.path not in met]

    def _made(self, within: str | None) -> list[Made]:
        with self._parts.database.reading() as connection:
            return earlier.made(connection, self._run, within=within)


def called_differently(path: str, flow: str, run: str) -> StandsAlready:
    """Say that a flow was called with another record than it would be called with now."""
    return StandsAlready(
        f"The step {path} has called the flow {flow} already, with another record than it would call it with now. "
        "Correct the record of the called run likewise and replay it, then this one; or take back what this run did, "
        "and replay it; or cancel it: what stands stays.",
        code=WRITTEN_DIFFERENTLY,
        step=path,
        run=run,
    )


def told_differently(path: str, type: str, event: str) -> StandsAlready:
    """Say that an event was told of with another content than it would be told of now."""
    return StandsAlready(
        f"The step {path} has told of this already ({type}), with another content than it would tell of now. Nothing "
        "was told. Order it once more as a new effect, or cancel the run: what was told stays.",
        code=WRITTEN_DIFFERENTLY,
        step=path,
        event=event,
    )


def _assert_none(left: Sequence[Made], path: str) -> None:
    if not left:
        return
    named = ", ".join(f"{each.key} ({each.path}: {each.what})" for each in left[:_NAMED])
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    raise StandsAlready(
        "An earlier run has written what this one, with its record and its files, would leave standing: "
        f"{', '.join(each.path for each in left[:_NAMED])}{more}. Nothing more was written. Take back what the run did "
        "and replay it, or confirm each of them with an order of new effects; or cancel it: what stands stays.",
        code=LEFT_STANDING,
        step=path,
        effects=f"{named}{more}",
    )
