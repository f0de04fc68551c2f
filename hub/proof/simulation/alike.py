"""Trials of master data: records that may be one arrive at once, people say what they are, and processes die over it.

What is judged is what people would see: the ledger's books, and the history of each thing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import Any

from hub.proof.invariants import Finding, Invariant
from hub.proof.simulation import clients, trial, troubles
from hub.proof.simulation.acts import WAYS, Act, Order
from hub.proof.simulation.company import ENVIRONMENT, LEDGER, SHOP
from hub.proof.simulation.people import PERSON, People
from hub.proof.simulation.process import Process
from hub.proof.simulation.trial import Draft, Stage, Trial
from hub.runtime.composition import Composition
from hub.store import things
from hub.workspace.bundle import Bundle

_OPEN = "SELECT pair, id, other_id FROM match_pairs WHERE state = 'open' ORDER BY found_at, pair"
_TIES = "SELECT system, id, thing, rank FROM crossrefs WHERE entity = 'client'"
_MERGES = """
    SELECT DISTINCT change FROM thing_history AS merged WHERE what = 'merged' AND other IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM thing_history AS taken WHERE taken.change = merged.change AND taken.what = 'split')
    ORDER BY change
"""


def draw(seed: int) -> Draft:
    """Draw all of a trial; the same for the same seed."""
    drawn = clients.draw(Random(f"{seed}:clients"))
    dice = Random(f"{seed}:words")
    # People look in now and then while things happen, and not only when all is at rest.
    looks = (Act(order=Order.LINK, at=drawn.moment(dice), pick=dice.random()) for _ in range(dice.choice((0, 1, 3, 6))))
    return Draft(
        seed=seed,
        scenario=drawn,
        troubles=troubles.draw(
            Random(f"{seed}:troubles"), vendors=(SHOP, LEDGER), events=len(drawn.happenings), moment=drawn.moment
        ),
        acts=tuple(sorted(looks, key=lambda act: act.at)),
    )


def run(
    draft: Draft, *, composition: Composition | None = None, without: Collection[int] = (), kept: bool = False
) -> Trial:
    """Run a trial and judge it; `without` are places of troubles that are left out, `kept` keeps the story."""
    trial.database().begin_anew()
    stage = _Clients(draft, trial.database(), composition or Composition(), frozenset(without), kept=kept)
    return trial.played(stage)


class _Registrars(People):
    """Say of each pair what it is in truth, now and then the wrong thing first, and make again what waited."""

    async def mend(self) -> None:
        """Say what nobody has said yet, and make again what waited for it."""
        await self._resume_all()
        await self._say(0.0)
        waited = {run_id: key for run_id, key, reason in self._parked() if self._waits(reason)}
        for number, (run_id, key) in enumerate(waited.items()):
            await self._replay(run_id, key, PERSON, WAYS[number % len(WAYS)])

    def is_mended(self) -> bool:
        """Tell whether nothing is left that a person could say or make again."""
        return not self._database.file.execute(_OPEN).fetchall() and not [
            run_id for run_id, _, reason in self._parked() if self._waits(reason)
        ]

    @staticmethod
    def _waits(reason: str) -> bool:
        return (
            reason == "possible-duplicate"
            or reason.endswith("-too-often")
            or reason in {"not-found", "crossref-conflict"}
        )

    async def _order(self, act: Act) -> None:
        await self._say(act.pick)

    async def _say(self, pick: float) -> None:
        for pair, id, other in self._database.file.execute(_OPEN).fetchall():
            same = clients.company_of(id) == clients.company_of(other)
            if not same and pick > 0.7:
                # Somebody says the wrong thing, and takes it back at once.
                await self._say_of(pair, same=True)
                await self._split_wrong()
            else:
                await self._say_of(pair, same=same)

    async def _say_of(self, pair: str, *, same: bool) -> None:
        async def given(process: Process) -> None:
            await process.orders.things.decide(pair, same=same, actor=PERSON, reason="looked at both")

        await self._tell(f"say of {pair} {'same' if same else 'different'}", given)

    async def _split_wrong(self) -> None:
        for (merge,) in self._database.file.execute(_MERGES).fetchall():
            moved = self._database.file.execute(
                "SELECT DISTINCT id, thing FROM thing_history WHERE change = ? AND system = 'shop'", (merge,)
            ).fetchall()
            staying = self._database.file.execute(
                "SELECT id FROM crossrefs WHERE system = 'shop' AND thing = ?", (moved[0][1] if moved else "",)
            ).fetchall()
            came = {id for id, _ in moved}
            companies = {clients.company_of(id) for (id,) in staying if id not in came}
            if companies and not companies & {clients.company_of(id) for id in came}:

                async def given(process: Process, merge: str = merge) -> None:
                    await process.orders.things.split("client", merge, actor=PERSON, reason="it was wrong")

                await self._tell(f"split {merge}", given)

    async def _resume_all(self) -> None:
        for name in (SHOP, LEDGER):

            async def given(process: Process, name: str = name) -> None:
                await process.orders.set_connection(name, active=True, reason="ordered", actor=PERSON)

            await self._tell(f"resume {name}", given)


class _Clients(Stage):
    """A stage on which clients sign."""

    def bundle(self) -> Bundle:
        """Give the workspace."""
        return clients.compiled()

    def people(self) -> People:
        """Give those who say what is one."""
        return _Registrars(
            self._draft.scenario,
            self._host,
            self._database,
            books={SHOP: self._vendors[SHOP], LEDGER: self._vendors[LEDGER]},
            loop=self._loop,
            story=self._story,
        )

    def judged(self) -> list[Finding]:
        """Say what does not hold, once everything is at rest."""
        self._judge_the_whole()
        entered: dict[str, list[str]] = {}
        for entry in self._vendors[LEDGER].entries:
            if entry.kind == "entries":
                entered.setdefault(entry.name, []).append(entry.id)
        records = {happening.subject: happening.data for happening in self._draft.scenario.happenings}
        ties = {(system, id): (thing, rank) for system, id, thing, rank in self._database.file.execute(_TIES)}
        told = [*_entered_once(records, entered), *_found(records, entered, ties), *_of_one_company(ties)]
        with self._database.reading() as connection:
            rows = things.history(connection, ENVIRONMENT)
        above = dict(self._database.file.execute("SELECT thing, parent FROM parents").fetchall())
        state = replayed(rows)
        if state.torn or state.ids != ties or state.parents != above:
            detail = state.torn or "the history of ids and places does not lead to what is"
            told.append(Finding(invariant=Invariant.RECORDED_IS_TRUE, family=None, detail=detail))
        for run_id, reason in self._database.file.execute(
            "SELECT id, reason FROM runs WHERE state = 'parked' AND replaced_by IS NULL"
        ):
            detail = f"run {run_id} stands still at {reason}"
            told.append(Finding(invariant=Invariant.EXCEPTIONS_EXPLAINED, family=None, detail=detail))
        return [*told, *self._more]


def _entered_once(records: Mapping[str, Mapping[str, Any]], entered: Mapping[str, list[str]]) -> Iterator[Finding]:
    """Each record is entered once at most, and of two that are one and agree in a key only one is."""
    for name, entries in entered.items():
        if len(entries) > 1:
            yield Finding(invariant=Invariant.NOTHING_TWICE, family=name, detail=f"{name} was entered as {entries}")
    for one, other in combinations(sorted(records), 2):
        if clients.company_of(one) == clients.company_of(other) and _alike(records[one], records[other]):
            both = [*entered.get(one, ()), *entered.get(other, ())]
            if len(both) > 1:
                detail = f"{one} and {other} are one, and were entered as {both}"
                yield Finding(invariant=Invariant.NOTHING_TWICE, family=one, detail=detail)


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(_plain(one.get(key)) == _plain(other.get(key)) is not None for key in ("tax", "name"))


def _plain(text: str | None) -> str | None:
    """Give the first two words, which are what the keys compare."""
    return None if text is None else " ".join(text.replace(",", "").split()[:2])


def _found(
    records: Iterable[str], entered: Mapping[str, list[str]], ties: Mapping[tuple[str, str], tuple[str, int]]
) -> Iterator[Finding]:
    """Each record's id leads to an entry of the ledger, which was made for one of the same thing."""
    primary = {thing: id for (system, id), (thing, rank) in ties.items() if system == LEDGER and rank == 0}
    makers = {entry: name for name, entries in entered.items() for entry in entries}
    for record in sorted(records):
        thing = ties.get((SHOP, record), ("", 0))[0]
        maker = makers.get(primary.get(thing, ""))
        if maker is None or ties.get((SHOP, maker), ("", 0))[0] != thing:
            detail = f"{record} leads to {primary.get(thing)}, which was entered for {maker}"
            yield Finding(invariant=Invariant.BOOKS_AGREE, family=record, detail=detail)


def _of_one_company(ties: Mapping[tuple[str, str], tuple[str, int]]) -> Iterator[Finding]:
    companies: dict[str, set[str]] = {}
    for (system, id), (thing, _) in ties.items():
        if system == SHOP:
            companies.setdefault(thing, set()).add(clients.company_of(id))
    for thing, several in sorted(companies.items()):
        if len(several) > 1:
            detail = f"{thing} is {sorted(several)} at once"
            yield Finding(invariant=Invariant.RECORDED_IS_TRUE, family=None, detail=detail)


@dataclass(slots=True, kw_only=True)
class State:
    """Ids with their thing and rank, and things with their parents; `torn` tells the first row that does not fit."""

    ids: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    torn: str = ""


def replayed(rows: Iterable[Mapping[str, Any]]) -> State:
    """Give the state of things as nothing but the rows of their history tells it, in their order."""
    state = State()
    for row in rows:
        key, before = (row["system"], row["id"]), None
        here = (row["thing"], row["rank"])
        match row["what"]:
            case "tied":
                before, fits = state.ids.get(key), key not in state.ids
                state.ids[key] = here
            case "untied":
                before = state.ids.pop(key, None)
                fits = before == (row["thing"], row["was_rank"])
            case "merged" | "split":
                before = state.ids.get(key)
                fits = before == (row["other"], row["was_rank"])
                state.ids[key] = here
            case "ranked":
                before = state.ids.get(key)
                fits = before is not None and before[0] == row["thing"]
                state.ids[key] = here
            case _:
                fits = state.parents.pop(row["thing"], None) == row["was"]
                if row["other"] is not None:
                    state.parents[row["thing"]] = row["other"]
        if not fits and not state.torn:
            state.torn = f"row {row['position']} of the history ({row['what']} {key}) does not fit {before}"
    return state
