"""One trial: everything from one seed, from the first event to rest, and what the oracle says of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from functools import cache
from random import Random

from hub.audit.verification import verify_chain
from hub.connections.accounts import Account
from hub.connections.bounds import of_vendor
from hub.connections.budgets import Budgets
from hub.model.ambient import Ambient
from hub.proof import oracle
from hub.proof.invariants import Finding, Invariant
from hub.proof.simulation import acts, scenario, troubles
from hub.proof.simulation.acts import Act
from hub.proof.simulation.clock import VirtualClock
from hub.proof.simulation.company import CONNECTIONS, ENVIRONMENT, LEDGER, SHOP, TIMEOUT, compiled
from hub.proof.simulation.connector import CONCURRENCY, CONNECTOR
from hub.proof.simulation.gathering import Gatherer
from hub.proof.simulation.host import Host
from hub.proof.simulation.loop import Life, Restless, Stuck, VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.people import VOTERS, People
from hub.proof.simulation.process import Premises
from hub.proof.simulation.scenario import Scenario
from hub.proof.simulation.shop import Shop
from hub.proof.simulation.story import Story
from hub.proof.simulation.troubles import ProcessTrouble, Trouble
from hub.proof.simulation.vendor import Vendor
from hub.proof.simulation.wire import Sky, Wire
from hub.runtime.composition import Composition
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store import audit
from hub.workspace.bundle import Bundle

#: Everything must be at rest after so many seconds: longer than the longest wait that a flow knows.
HORIZON = 20 * 86_400.0
#: So often people look after the exceptions before they give up.
_ROUNDS = 12
#: So often a stream is read that cannot be read; so many seconds lie in between at first, and then so many times more.
#: Together it is more than the day for which a vendor may want to be left alone.
_READINGS, _BETWEEN_READINGS, _MORE = 24, 60.0, 1.4
#: Within so many seconds a hub has seen that a disk which was full has room again.
_LOOKS_FOR_ROOM = 5.0
#: So often it is looked whether the process that reads them still lives.
_WATCHING = 30.0
#: Who is asked for something is left to it when nothing else happens for so many seconds.
_SOON = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a seed holds: what happens, what goes wrong, and what people do.

    Troubles and acts have places, troubles first, by which they can be left out.
    """

    seed: int
    scenario: Scenario
    troubles: tuple[Trouble, ...]
    acts: tuple[Act, ...]

    @property
    def size(self) -> int:
        """Count what can be left out."""
        return len(self.troubles) + len(self.acts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one trial did, and what does not hold.

    `struck` counts troubles that have really struck, `covered` what the hub did: states, waits, writes. `digest` is the
    same whenever the same happened.
    """

    seed: int
    findings: Sequence[Finding]
    struck: Mapping[str, int]
    covered: Mapping[str, int]
    steps: int
    commits: int
    calls: int
    events: int
    lives: int
    seconds: float
    digest: str
    story: Sequence[str] = field(default=(), repr=False)


def draw(seed: int) -> Draft:
    """Draw all of a trial; the same for the same seed."""
    drawn = scenario.draw(Random(f"{seed}:scenario"))
    return Draft(
        seed=seed,
        scenario=drawn,
        troubles=troubles.draw(
            Random(f"{seed}:troubles"),
            vendors=(SHOP, LEDGER),
            events=len(drawn.happenings),
            moment=drawn.moment,
        ),
        acts=acts.draw(Random(f"{seed}:people"), drawn.moment),
    )


@cache
def database() -> MemoryDatabase:
    """Give this process's one database, which every trial begins anew."""
    return MemoryDatabase()


def run(
    draft: Draft, *, composition: Composition | None = None, without: Collection[int] = (), kept: bool = False
) -> Trial:
    """Run a trial and judge it; `without` are places of troubles that are left out, `kept` keeps the story."""
    database().begin_anew()
    return played(Stage(draft, database(), composition or Composition(), frozenset(without), kept=kept))


def played(stage: Stage) -> Trial:
    """Let a stage's trial happen, judge it, and drop everything."""
    collecting = gc.isenabled()
    # Nothing is unwound at a moment that the seed does not name.
    gc.disable()
    try:
        return stage.play()
    finally:
        stage.leave()
        if collecting:
            gc.enable()


class Stage:
    """Everything of one trial; what it is about can be another company, with other people and another judge."""

    def __init__(
        self,
        draft: Draft,
        database: MemoryDatabase,
        composition: Composition,
        without: frozenset[int],
        *,
        kept: bool,
    ) -> None:
        """Take what the seed holds and where it happens; nothing does yet."""
        seed = draft.seed
        self._draft = draft
        self._database = database
        self._loop = VirtualLoop(Random(f"{seed}:order"))
        self._loop.horizon = HORIZON
        database.tell_time(self._loop.time)
        self._story = Story(self._loop.time, kept=kept)
        self._clock = VirtualClock(self._loop)
        self._composition = composition
        self._troubles = [trouble for place, trouble in enumerate(draft.troubles) if place not in without]
        self._acts = [act for place, act in enumerate(draft.acts, start=len(draft.troubles)) if place not in without]
        self._sky = Sky(self._troubles, self._loop.time, self._story)
        chance = Random(f"{seed}:vendors")
        self._vendors = {name: Vendor(name, self._loop.time, chance) for name in (SHOP, LEDGER)}
        self._vendors[SHOP].refuses |= draft.scenario.unwelcome
        for family, fate in draft.scenario.fates.items():
            if fate is scenario.Fate.REFUSED:
                self._vendors[LEDGER].refuses.add(family)
            elif fate is scenario.Fate.TAKEN_BACK:
                self._vendors[LEDGER].refuses.add(f"{family}.total")
        self._more: list[Finding] = []

    def play(self) -> Trial:
        """Let everything happen, and judge it."""
        self._tie_known_customers()
        self._add_people()
        try:
            self._loop.run_until_complete(self._happen())
        except (Stuck, Restless) as error:
            self._find(Invariant.QUEUE_DRAINED, str(error))
        findings = self.judged()
        for finding in findings:
            self._story.tell("oracle", f"{finding.invariant}: {finding.detail}")
        return Trial(
            seed=self._draft.seed,
            findings=findings,
            struck=dict(self._story.struck),
            covered=self._covered(),
            steps=self._loop.steps,
            commits=self._host.commits,
            calls=self._sky.calls,
            events=len(self._draft.scenario.happenings),
            lives=len(self._host.lives),
            seconds=self._loop.time(),
            digest=self._story.digest,
            story=self._story.lines,
        )

    def judged(self) -> list[Finding]:
        """Say what does not hold, once everything is at rest."""
        evidence = Gatherer(
            self._draft.scenario,
            self._vendors,
            self._shop,
            self._people,
            self._database,
            unclear=frozenset(self._sky.unclear | {key.removeprefix("shop:") for key in self._host.cut_off}),
            trespasses=[each for process in self._host.lives for each in process.committer.trespasses],
        ).evidence()
        self._judge_the_whole()
        return list(oracle.find(evidence, self._more))

    def bundle(self) -> Bundle:
        """Give the workspace."""
        return compiled()

    def people(self) -> People:
        """Give those who order and mend."""
        return People(
            self._draft.scenario,
            self._host,
            self._database,
            books={name: self._vendors[owner] for name, owner in CONNECTIONS.items()},
            loop=self._loop,
            story=self._story,
        )

    def _add_people(self) -> None:
        for voter, role in VOTERS.items():
            self._database.file.execute(
                "INSERT INTO people (id, email, name, role, password, disabled, created_at)"
                " VALUES (?, ?, ?, ?, '', 0, 0)",
                (voter, f"{voter}@simulated.example", voter, role),
            )

    def leave(self) -> None:
        """Drop everything."""
        self._loop.leave()

    def _tie_known_customers(self) -> None:
        known = self._draft.scenario.customers.items()
        for number, (customer, entry) in enumerate(known):
            if customer not in self._draft.scenario.strangers:
                for system, name in ((SHOP, customer), (LEDGER, entry)):
                    self._database.file.execute(
                        "INSERT INTO crossrefs VALUES (?, 'customer', ?, ?, ?, 0, NULL, NULL, 0)",
                        (ENVIRONMENT, system, name, f"thing{number}"),
                    )

    async def _happen(self) -> None:
        self._chance = Random(f"{self._draft.seed}:host")
        self._host = Host(
            loop=self._loop,
            clock=self._clock,
            database=self._database,
            premises=Premises(environment=ENVIRONMENT, bundle=self.bundle(), accounts=self._accounts, wire=self._wire),
            is_clear=lambda: self._sky.is_clear,
            story=self._story,
            chance=self._chance,
            troubles=self._troubles,
            composition=self._composition,
        )
        self._shop = Shop(
            self._draft.scenario,
            self._vendors[SHOP],
            self._host,
            loop=self._loop,
            story=self._story,
            troubles=self._troubles,
        )
        self._people = self.people()
        for trouble in self._troubles:
            if isinstance(trouble, ProcessTrouble):
                self._loop.call_later(trouble.at, self._befall, trouble, context=Context())
        await asyncio.gather(self._shop.run(), self._people.act(self._acts))
        while (left := self._all_has_struck() - self._loop.time()) > 0:
            await asyncio.sleep(left)
        self._sky.clear()
        self._database.make_room()
        self._story.tell("world", "nothing goes wrong any more")
        await self._come_to_rest()

    def _all_has_struck(self) -> float:
        """Give the moment by which every spell is over, and who overslept has woken and done what it was about."""
        return max(self._draft.scenario.seconds, self._sky.spell_ends(), self._host.awake_at) + 5.0

    def _accounts(self, ambient: Ambient, wire: Transport, budgets: Budgets) -> dict[str, Account]:
        bounds = [of_vendor(CONNECTOR.limits, "vendor")]
        return {
            name: Account(
                name=name,
                connector=CONNECTOR,
                settings=Settings(base_url=f"https://{self._vendors[owner].host}", timeout=TIMEOUT),
                limiter=budgets.limiter(owner, name, lambda _now: bounds),
                transport=wire,
                ambient=ambient,
            )
            for name, owner in CONNECTIONS.items()
        }

    def _wire(self, life: Life, kill: Callable[[], None]) -> Transport:
        return Wire(
            {vendor.host: vendor for vendor in self._vendors.values()},
            self._sky,
            loop=self._loop,
            life=life,
            now=self._clock.now,
            kill=kill,
            chance=self._chance,
            story=self._story,
        )

    def _befall(self, trouble: ProcessTrouble) -> None:
        if not self._sky.is_clear:
            self._host.befall(trouble)

    async def _come_to_rest(self) -> None:
        """Let people mend what they can until nothing is left to do."""
        await self._host.serving()
        self._host.leave_one()
        if (await self._host.serving()).committer.full_since is not None:
            # It does not look again at once whether there is room, and takes nothing new until then.
            await asyncio.sleep(_LOOKS_FOR_ROOM)
        for _ in range(_ROUNDS):
            await self._people.mend()
            await self._read()
            await self._rested()
            if self._people.is_mended():
                return
        self._find(Invariant.QUEUE_DRAINED, f"people could not put everything right in {_ROUNDS} rounds")

    async def _read(self) -> None:
        """Find by the streams what no webhook has brought; a vendor may want to be left alone for a while yet."""
        for number in range(_READINGS):
            process = await self._host.serving()
            reading = self._loop.live(process.life, process.incoming.polls.read_all())
            while not reading.done() and not process.life.ended:
                await asyncio.wait({reading}, timeout=_WATCHING)
            if reading.done():
                reading.result()
            if self._database.file.execute("SELECT 1 FROM cursors WHERE failures > 0").fetchone() is None:
                return
            await asyncio.sleep(_BETWEEN_READINGS * _MORE**number)

    async def _rested(self) -> None:
        await rested(self._host, self._database, self._clock, self._people.is_asked)

    def _judge_the_whole(self) -> None:
        self._more.extend(about_the_whole(self._database, self._loop.unhandled))
        for name, most in self._sky.over.items():
            told = f"{most} requests of one process were under way to {name} at once, at most {CONCURRENCY} may be"
            self._find(Invariant.WITHIN_LIMITS, told)
        for vendor in self._vendors.values():
            for name, what in vendor.abuses:
                self._find(Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST, f"{vendor.name}: {what} ({name})")

    def _find(self, invariant: Invariant, detail: str) -> None:
        self._more.append(Finding(invariant=invariant, family=None, detail=detail))

    def _covered(self) -> Counter[str]:
        """Count what the hub did in this trial, by kind."""
        found: Counter[str] = Counter()
        for kind, after, number in self._database.file.execute(
            "SELECT kind, after, count(*) FROM witnessed GROUP BY kind, after"
        ):
            found[f"{kind} {after}"] += number
        for flow, number in self._database.file.execute("SELECT flow, count(*) FROM runs GROUP BY flow"):
            found[f"flow {flow}"] += number
        for kind, number in self._database.file.execute("SELECT kind, count(*) FROM steps GROUP BY kind"):
            found[f"step {kind}"] += number
        for code, number in self._database.file.execute(
            "SELECT json_extract(error, '$.code') AS code, count(*) FROM steps WHERE state = 'failed' GROUP BY code"
        ):
            found[f"failed {code}"] += number
        for kind, number in self._database.file.execute("SELECT idempotency, count(*) FROM effects GROUP BY 1"):
            found[f"write {kind}"] += number
        for kind, number in self._database.file.execute("SELECT kind, count(*) FROM audit GROUP BY kind"):
            found[f"audit {kind}"] += number
        return found


async def rested(
    host: Host,
    database: MemoryDatabase,
    clock: VirtualClock,
    is_asked: Callable[[], bool] = lambda: False,
    *,
    in_hand_first: bool = False,
) -> None:
    """Wait until no run goes on by itself any more, or somebody is asked for something.

    With `in_hand_first` no long wait is slept through while a run is in hand, which may be its process's that has died.
    """
    while True:
        await asyncio.sleep(2.0)
        (next_at,) = database.file.execute(
            "SELECT min(claimable_at) FROM runs WHERE state IN ('queued', 'waiting')"
        ).fetchone()
        # One that is claimed is not in hand before the claim is told.
        claimed = database.file.execute("SELECT 1 FROM runs WHERE state IN ('running', 'compensating')").fetchone()
        if next_at is None and claimed is None and not host.current.life.ended and host.current.worker.in_flight == 0:
            return
        if next_at is not None and next_at / 1e6 - clock.now().timestamp() > _SOON and is_asked():
            return
        if in_hand_first and claimed is not None:
            continue
        if next_at is not None:
            # Long waits are slept through; what is overdue must be taken up in a moment.
            await asyncio.sleep(max(next_at / 1e6 - clock.now().timestamp(), 0.0))


def about_the_whole(database: MemoryDatabase, unhandled: Sequence[str]) -> Iterator[Finding]:
    """Check what concerns no single thing: the audit log, the database, defects, and what is left to do."""
    with database.reading() as connection:
        for head in audit.logs(connection):
            for fault in verify_chain(audit.entries(connection, head.log), head):
                yield Finding(invariant=Invariant.AUDIT_VERIFIES, family=None, detail=str(fault))
    if database.file.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        yield Finding(invariant=Invariant.AUDIT_VERIFIES, family=None, detail="the database is damaged")
    for problem in unhandled:
        yield Finding(invariant=Invariant.NO_DEFECT, family=None, detail=problem)
    left = database.file.execute(
        "SELECT id, business_key, state, wait_kind FROM runs"
        " WHERE state IN ('queued', 'running', 'waiting', 'compensating')"
    )
    for run_id, key, state, wait in left.fetchall():
        detail = f"run {run_id} of {key} is {state} {wait or ''}".strip()
        yield Finding(invariant=Invariant.QUEUE_DRAINED, family=None, detail=detail)
