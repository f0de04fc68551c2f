"""What people say about things: two are one or different, a merge is taken back, where one stands, which id counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hub.errors import FixData, NotFound
from hub.model.ambient import Ambient
from hub.model.thing import PairState
from hub.store import crossrefs, hierarchy, matches, merges, pairs, runs, things
from hub.store.committer import Committer, Transaction, Work
from hub.store.things import By

#: Reasons are for people; a longer one is a document.
LONGEST_REASON = 1000


class ThingOrders:
    """Carries out orders on things of one environment; `actor` is who gave it, and each says why."""

    def __init__(self, *, environment: str, ambient: Ambient, committer: Committer) -> None:
        """Take the collaborators."""
        self._environment = environment
        self._ambient = ambient
        self._committer = committer

    async def decide(
        self,
        pair: str,
        *,
        same: bool,
        actor: str,
        reason: str,
        keep: str | None = None,
        primary: Mapping[str, str] | None = None,
    ) -> str:
        """Say of two records whether they are about one thing; gives the thing that the waiting record is about.

        Of one thing, `keep` names which of the two things stays, and `primary` the id of each system that others are
        given; without, what was there first counts. The stopped run goes on when it is replayed.
        """
        change = self._ambient.new_id("merge") if same else None

        def work(transaction: Transaction) -> str:
            by = self._by(_entity_of(transaction, self._environment, pair), actor, reason, change)
            state = PairState.SAME if same else PairState.DIFFERENT
            thing, topics = matches.decide(transaction, by, pair, state, keep=keep, primary=primary)
            runs.wake(transaction, topics)
            return thing

        decided: str = await self._committer.commit(Work(work))
        return decided

    async def merge(
        self,
        entity: str,
        *,
        into: str,
        gone: str,
        actor: str,
        reason: str,
        primary: Mapping[str, str] | None = None,
    ) -> str:
        """Make two things one that nobody was asked about; gives the name of the merge."""
        change = self._ambient.new_id("merge")

        def work(transaction: Transaction, by: By) -> list[str]:
            for thing in (into, gone):
                _assert_thing(transaction, by, thing)
            if into == gone:
                raise FixData("It is one thing already.", code="one-thing", thing=into)
            return merges.absorb(transaction, by, into=into, gone=gone, primary=primary)

        await self._order(entity, actor, reason, work, change=change)
        return change

    async def split(self, entity: str, merge: str, *, actor: str, reason: str) -> None:
        """Take a merge back: what came with it names its own thing again, and the two are different from then on."""
        await self._order(entity, actor, reason, merges.split, change=merge)

    async def move(self, entity: str, thing: str, *, parent: str | None, actor: str, reason: str) -> None:
        """Put a thing, with all that is below it, under another one, or under none."""

        def work(transaction: Transaction, by: By) -> list[str]:
            for each in (thing, *([] if parent is None else [parent])):
                _assert_thing(transaction, by, each)
            return hierarchy.move(transaction, by, thing, parent)

        await self._order(entity, actor, reason, work)

    async def prefer(self, entity: str, *, system: str, id: str, actor: str, reason: str) -> None:
        """Let others be given this id of a system for its thing, in the place of the one they were given until now."""

        def work(transaction: Transaction, by: By) -> list[str]:
            of = {"environment": by.environment, "entity": by.entity}
            thing = things.named(transaction.connection, **of, system=system, id=id)
            if thing is None:
                raise NotFound("Nothing is tied to this id.", system=system, id=id)
            standing = things.ids_of(transaction.connection, **of, thing=thing)
            tie = next(tie for tie in standing if (tie.system, tie.id) == (system, id))
            return things.prefer(transaction, by, tie)

        await self._order(entity, actor, reason, work)

    async def untie(self, entity: str, *, system: str, id: str, actor: str, reason: str) -> None:
        """Untie one id from its thing."""
        await self._order(entity, actor, reason, lambda tx, by: crossrefs.untie(tx, by, system, id))

    async def _order(
        self,
        entity: str,
        actor: str,
        reason: str,
        work: Callable[[Transaction, By], list[str]],
        *,
        change: str | None = None,
    ) -> None:
        by = self._by(entity, actor, reason, change)
        await self._committer.commit(Work(lambda tx: runs.wake(tx, work(tx, by))))

    def _by(self, entity: str, actor: str, reason: str, change: str | None) -> By:
        reason = reason.strip()
        if not reason:
            raise FixData("Say why: people will ask what this rests on.", code="no-reason")
        if len(reason) > LONGEST_REASON:
            raise FixData(f"A reason has at most {LONGEST_REASON} characters.", code="long-reason")
        return By(environment=self._environment, entity=entity, actor=actor, reason=reason, change=change)


def _entity_of(transaction: Transaction, environment: str, pair: str) -> str:
    row = pairs.find(transaction.connection, environment, pair)
    if row is None:
        raise NotFound("There is no such pair.", pair=pair)
    return str(row["entity"])


def _assert_thing(transaction: Transaction, by: By, thing: str) -> None:
    of = {"environment": by.environment, "entity": by.entity}
    if not things.ids_of(transaction.connection, **of, thing=thing):
        raise NotFound("Nothing names this thing; it may have been merged into another.", thing=thing)
