"""One run of a case of the crash sweep: the world it happens in, where the process dies, and what came of it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any

from hub.connections.accounts import Account
from hub.connections.budgets import Budgets
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.proof import (
    credit_books,
    customer_checks,
    money_path,
    oracle,
    payouts,
    records,
    vendor_books,
    wishes,
)
from hub.proof.evidence import Evidence, Expected
from hub.proof.invariants import Finding, Invariant
from hub.proof.lines import items_made
from hub.proof.records import Names
from hub.proof.scenario import Scenario
from hub.proof.simulation import coverage, crm, sap, shipped, trial
from hub.proof.simulation.backups import Backups
from hub.proof.simulation.case import Books as Left
from hub.proof.simulation.case import Case, Tied
from hub.proof.simulation.clock import VirtualClock
from hub.proof.simulation.committing import AtCommit
from hub.proof.simulation.desk import Desk
from hub.proof.simulation.host import Host
from hub.proof.simulation.loop import Life, Restless, Stuck, VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.points import Point, Where
from hub.proof.simulation.process import Premises
from hub.proof.simulation.sandboxed import Sandboxed
from hub.proof.simulation.story import Story
from hub.proof.vendor_documents import Books, Due
from hub.proof.vendor_families import Families
from hub.runtime.composition import Composition
from hub.sdk import exact_json
from hub.sdk.transport import Transport

VENDORS = ("stripe", "netsuite", "tax")
HUB = "https://hub.simulated"
#: Name → kind of Stripe's books and the fact that it stands for, of the oldest object.
_NAMES = (
    ("customer", "customers", "id"),
    ("invoice", "invoices", "id"),
    ("number", "invoices", "number"),
    ("note", "credit_notes", "id"),
    ("note_number", "credit_notes", "number"),
    ("refund", "refunds", "id"),
    ("subscription", "subscriptions", "id"),
)
#: Everything must be at rest after so many seconds.
HORIZON = 10 * 86_400.0


def play(case: Case, point: Point | None, composition: Composition | None = None, *, kept: bool = False) -> Played:
    """Run a case once, and let the process die at a point."""
    return _Play(case, point, composition, kept=kept).play()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run of a case: its points, whether the process died where it was to, and what does not hold."""

    commits: int
    calls: int
    died: bool
    findings: Sequence[Finding]
    story: Sequence[str]
    reached: frozenset[str]


class _Play:
    """One run of one case."""

    def __init__(self, case: Case, point: Point | None, composition: Composition | None, *, kept: bool = False) -> None:
        self._case = case
        self._point = point
        self._composition = composition or Composition()
        # The same for every point: up to where it dies, a run does what the one without a crash has done.
        self._loop = VirtualLoop(Random(f"{case.name}:order"))
        self._loop.horizon = HORIZON
        self._clock = VirtualClock(self._loop)
        self._story = Story(self._loop.time, kept=kept)
        self._database: MemoryDatabase = trial.database()
        self._sandboxes: dict[str, Sandboxed] = {}
        self._counting = False
        self._commits = 0
        self._calls = 0
        self._died = False
        self._reached: set[str] = set()
        self._ids: dict[str, str] = {}
        self._taken_back_at: list[datetime] = []
        self._settings: dict[str, dict[str, object]] = {}
        self._sap = [sap.VENDOR] if case.erp == sap.VENDOR else []
        moved = [sap.MOVED] if self._sap else [crm.IN_ONE_ERP] if case.crm is not None else []
        self._bundle = shipped.compiled(case.engine, *moved)

    def play(self) -> Played:
        self._database.begin_anew()
        self._database.tell_time(self._loop.time)
        self._more: list[Finding] = []
        collecting = gc.isenabled()
        gc.disable()
        try:
            try:
                self._loop.run_until_complete(self._happen())
            except (Stuck, Restless) as error:
                self._more.append(Finding(invariant=Invariant.QUEUE_DRAINED, family=None, detail=str(error)))
            self._more.extend(trial.about_the_whole(self._database, self._loop.unhandled))
            self._more.extend(self._ran_once())
            self._more.extend(self._untied())
            self._more.extend(self._customers())
            findings = oracle.find(self._evidence(), self._more)
        finally:
            self._loop.leave()
            if collecting:
                gc.enable()
        return Played(
            commits=self._commits,
            calls=self._calls,
            died=self._died,
            findings=findings,
            story=self._story.lines,
            reached=frozenset(self._reached | coverage.done(self._database.file)),
        )

    # --- what happens ---------------------------------------------------------------------------

    async def _happen(self) -> None:
        self._sandboxes = {
            name: Sandboxed(name, self._loop, seed=1, post=self._post if name == "stripe" else None)
            for name in (*VENDORS, *([] if self._case.crm is None else [crm.VENDOR]), *self._sap)
        }
        told = {name: await sandbox.open() for name, sandbox in self._sandboxes.items()}
        secret = await self._set_up(self._case.scenario)
        if self._case.crm is not None:
            self._crm = crm.CrmSide(self._sandboxes[crm.VENDOR])
            await self._crm.seed({"currency": shipped.CRM_CURRENCY})
            await self._crm.set_up(self._case.crm, self._database, shipped.ENVIRONMENT)
        self._settings = {
            name: shipped.settings(name, told[name], url=sandbox.world.url, webhook_secret=secret)
            for name, sandbox in self._sandboxes.items()
        }
        self._settings["stripe"]["event_types"] = list(self._case.watched)
        self._counting = self._case.prepare is None
        self._host = Host(
            loop=self._loop,
            clock=self._clock,
            database=self._database,
            premises=Premises(
                environment=shipped.ENVIRONMENT,
                bundle=self._bundle,
                accounts=self._accounts,
                wire=self._wire,
            ),
            is_clear=lambda: True,
            story=self._story,
            chance=Random(f"{self._case.name}:host"),
            troubles=(),
            composition=self._composition,
            befalls=self._befalls,
        )
        self.backups = Backups(self._host, self._database, self._clock, self._story)
        self._desk = Desk(self._host, self._database, loop=self._loop, story=self._story)
        if self._case.customers is not None or self._case.crm is not None:
            # What people have made is older than what happens.
            await asyncio.sleep(10.0)
        if self._case.prepare is not None:
            await self._case.prepare(self)
            await self.rested()
            self._counting = True
        await self._case.happen(self)
        await self.rested()

    async def _set_up(self, scenario: Scenario) -> str:
        stripe, netsuite, tax = (self._sandboxes[name] for name in VENDORS)
        self._ids.update((await stripe.seed(wishes.stripe_catalogue(scenario)))["keys"])
        customers = (await netsuite.seed(wishes.netsuite_wish(scenario)))["customers"]
        for tenant in self._sap:
            customers = await sap.set_up(self._sandboxes[tenant], scenario)
        await tax.seed(wishes.tax_wish())
        watched = list(self._case.watched)
        if self._case.engine == "stripe":
            await stripe.seed(wishes.stripe_tax(scenario))
        made = await stripe.seed(
            {"endpoints": [{"key": "hub", "url": f"{HUB}/hooks/stripe", "enabled_events": watched}]}
        )
        known = scenario.customers if self._case.tied is not Tied.NOBODY else ()
        for number, customer in enumerate(known):
            there = customers[customer.key] if self._case.tied is Tied.OWN else "999999"
            for system, name in (("stripe", self._ids[customer.key]), (self._case.erp, there)):
                self._database.file.execute(
                    "INSERT INTO crossrefs VALUES (?, 'customer', ?, ?, ?, 0, NULL, NULL, 0)",
                    (shipped.ENVIRONMENT, system, name, f"thing{number}"),
                )
        self._erp_customers = {customer.key: customers[customer.key] for customer in scenario.customers}
        return str(made["made"]["endpoints"][0]["secret"])

    async def invoice(self, *, paid: bool) -> None:
        """Let Stripe finalise the case's invoice, and let it be paid if it is to be."""
        scenario = self._case.scenario
        if not paid:
            bare = tuple(replace(invoice, payments=()) for invoice in scenario.invoices)
            scenario = replace(scenario, invoices=bare)
        scenario = replace(scenario, invoices=tuple(replace(one, credits=()) for one in scenario.invoices))
        wish = self._meant(wishes.stripe_invoices(scenario, per_second=10))
        self._ids.update((await self._sandboxes["stripe"].seed(wish))["keys"])
        await asyncio.sleep(10.0)

    async def stripe(self, path: str, body: str = "", *, method: str = "POST") -> None:
        """Ask something of Stripe as a person at its dashboard would; names stand for the case's objects."""
        stripe = self._sandboxes["stripe"]
        headers = {
            "authorization": f"Bearer {self._settings['stripe']['api_key']}",
            "content-type": "application/x-www-form-urlencoded",
        }
        url, content = stripe.world.url + self._named(path), self._named(body).encode()
        answer = await stripe.answer(Request(method=method, url=url, headers=headers, body=content))
        if answer.status != 200:
            raise AssertionError(answer)
        await asyncio.sleep(10.0)

    async def credit(self) -> None:
        """Let Stripe give back what the case's invoice says is given back."""
        await self._sandboxes["stripe"].seed(wishes.stripe_credits(self._case.scenario))
        await asyncio.sleep(10.0)

    async def seed(self, vendor: str, wish: Mapping[str, Any]) -> None:
        """Let something happen at a vendor that no call of the hub brings about."""
        await (self._crm if vendor == crm.VENDOR else self._sandboxes[vendor]).seed(self._meant(wish))
        await asyncio.sleep(10.0)
        self._look()

    async def deliver(self, **kinds: str) -> None:
        """Let Stripe's webhooks of types that fit be lost, doubled or late from now on, and no others."""
        plan = [{"kind": kind, "match": {"path": types}, "seconds": 120} for kind, types in kinds.items()]
        self._sandboxes["stripe"].world.faults.replace(plan)

    def _meant(self, wish: Mapping[str, Any]) -> Any:
        return exact_json.loads(self._named(exact_json.dumps(wish).decode()).encode())

    def _named(self, text: str) -> str:
        """Put what Stripe and the CRM call the case's objects in the place of their names."""
        text = text if self._case.crm is None else self._crm.named(text)
        books = self._sandboxes["stripe"].books()
        for name, kind, fact in _NAMES:
            if books[kind]:
                text = text.replace(f"{{{name}}}", str(books[kind][0][fact]))
        if books["subscriptions"]:
            text = text.replace("{newest_subscription}", str(books["subscriptions"][-1]["id"]))
        return text

    async def read(self) -> None:
        """Let the hub read the streams of its connections; one that dies over it is followed by one that reads too."""
        while True:
            process = await self._host.serving()
            reading = self._loop.live(process.life, process.incoming.polls.read_all())
            done, _ = await asyncio.wait({reading}, timeout=300.0)
            if done:
                return

    async def day_later(self) -> None:
        """Let a day pass, and the schedules fire once that are due ten minutes after it."""
        for seconds in (86_400.0 + 500.0, 86_400.0 + 601.0):
            await asyncio.sleep(seconds - self._loop.time())
            process = await self._host.serving()
            ticked = self._loop.live(process.life, process.incoming.schedules.tick())
            done, _ = await asyncio.wait({ticked}, timeout=30.0)
            if not done:
                # The process has died over it; the next one looks at its schedules when it starts.
                process = await self._host.serving()
                await self._loop.live(process.life, process.incoming.schedules.tick())
        await self.rested()

    async def rested(self) -> None:
        """Wait until no run goes on by itself any more."""
        self._look()
        await trial.rested(self._host, self._database, self._clock, self._desk.is_asked, in_hand_first=True)
        self._look()

    def _look(self) -> None:
        """Take note of what waits now: of a wait that something ends nothing is left to be seen."""
        self._reached |= coverage.waiting(self._database.file)

    async def agree(self) -> None:
        """Let as many people agree to the invoice as are asked."""
        await self.rested()
        await self._desk.agree()

    async def refuse(self) -> None:
        """Let a person refuse the invoice."""
        await self._desk.refuse()

    async def tie(self) -> None:
        """Tie the customer once a run has stopped for that, and make the run again."""
        await self.rested()
        customer = self._case.scenario.customers[0].key
        await self._desk.tie({"stripe": self._ids[customer], self._case.erp: self._erp_customers[customer]})

    async def take_back(self) -> None:
        """Have what the first run of the case's first flow did taken back."""
        self._taken_back_at.append(self._clock.now())
        await self._desk.take_back(self._case.flows[0])

    async def pay_out(self, *, travels: int, returned: bool = False) -> None:
        """Let Stripe pay out what is available, travelling so many seconds; the bank sends it back on its way."""
        stripe = self._sandboxes["stripe"]
        made = (await stripe.seed({"switches": {"payout_seconds": travels}, "pay_out": True}))["made"]["payouts"]
        if returned:
            await stripe.seed({"failed_payouts": [{"payout": payout["id"]} for payout in made]})
        await self.rested()
        await asyncio.sleep(travels + 10.0)

    async def erp(self, **fields: object) -> None:
        """Let people in the ERP change fields of the case's customer there; `named`: it gets its id in billing."""
        there = self._erp_customers[self._case.scenario.customers[0].key]
        named = {"externalId": self._ids[self._case.scenario.customers[0].key]} if fields.pop("named", False) else {}
        await self._sandboxes["netsuite"].seed({"changes": [{"type": "customer", "id": there, **fields, **named}]})
        await asyncio.sleep(10.0)

    async def link(self, *, account: str = "", product: tuple[str, str] | None = None) -> None:
        """Tie the customer while that is waited for, an `account` of the CRM to it, or a `product`."""
        await asyncio.sleep(60.0)
        self._look()
        first = self._case.scenario.customers[0].key
        row = {"stripe": self._ids[first], self._case.erp: self._erp_customers[first]}
        if named := product or (account and (account, self._ids[first])):
            row = self._crm.row(*named)
        await self._desk.link(row, entity="product" if product else "customer")

    async def _post(self, _url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> int | None:
        process = self._host.current
        if self._case.deaf or process.life.ended or not process.ready.done():
            return None
        lower = {name.lower(): value for name, value in headers.items()}
        answer = self._loop.live(process.life, process.door("stripe", lower, body))
        done, _ = await asyncio.wait({answer}, timeout=seconds)
        return int(answer.result()) if done else None

    # --- where it dies --------------------------------------------------------------------------

    def _befalls(self) -> AtCommit:
        if not self._counting:
            return AtCommit.NOTHING
        self._commits += 1
        if self._point == Point(where=Where.BEFORE_COMMIT, number=self._commits):
            self._died = True
            return AtCommit.KILLED_BEFORE
        if self._point == Point(where=Where.AFTER_COMMIT, number=self._commits):
            self._died = True
            return AtCommit.KILLED_AFTER
        return AtCommit.NOTHING

    def _wire(self, _life: Life, kill: Callable[[], None]) -> Transport:
        async def around(what: str, send: Callable[[], Awaitable[Response]]) -> Response:
            self._calls += self._counting
            number = self._calls if self._counting else 0
            if self._point == Point(where=Where.BEFORE_CALL, number=number):
                await self._die(kill)
            answer = await send()
            self._story.tell("hub", f"{what}: {answer.status}")
            if self._point == Point(where=Where.AFTER_CALL, number=number):
                await self._die(kill)
            return answer

        return shipped.SandboxWire({sandbox.host: sandbox for sandbox in self._sandboxes.values()}, around)

    async def _die(self, kill: Callable[[], None]) -> None:
        self._died = True
        kill()
        await self._loop.create_future()

    def _accounts(self, ambient: Ambient, transport: Transport, budgets: Budgets) -> dict[str, Account]:
        return shipped.accounts(self._settings, ambient, transport, budgets, self._bundle)

    # --- what came of it -------------------------------------------------------------------------

    def _books(self) -> dict[str, Mapping[str, Any]]:
        return {name: sandbox.books() for name, sandbox in self._sandboxes.items()}

    def _evidence(self) -> Evidence:
        read = crm.heard_of(self._case.crm, self._books())
        books = Books(
            stripe=vendor_books.stripe_invoices(read["stripe"], items_made(read["netsuite"])),
            sent=vendor_books.sent(read["stripe"]),
            subjects=vendor_books.subjects(read["stripe"], wishes.EVENTS),
            erp_invoices=vendor_books.erp_invoices(read["netsuite"]),
            erp_payments=vendor_books.erp_payments(read["netsuite"]),
            notices=vendor_books.notices(read["netsuite"]),
            tax_documents=vendor_books.tax_documents(read["tax"]) + vendor_books.stripe_tax_documents(read["stripe"]),
            requests=[
                request
                for name, sandbox in self._sandboxes.items()
                for request in vendor_books.requests(name, sandbox.requests())
            ],
            due={
                self._ids[invoice.key]: Due(
                    customers=frozenset({self._erp_customers[invoice.customer.key]}),
                    exception=self._case.exception,
                    notice=self._case.notice,
                    void=self._case.books is not Left.POSTED,
                    reversed=self._case.books is Left.REVERSED,
                )
                for invoice in self._case.scenario.invoices
                if invoice.key in self._ids
            },
            credits=credit_books.read(
                read["stripe"],
                read["netsuite"],
                read["tax"],
                {note["id"]: self._case.note for note in read["stripe"]["credit_notes"]},
                reversed_on=frozenset(
                    moment.date().isoformat()
                    for ordered in self._taken_back_at
                    for moment in (ordered, self._clock.now())
                ),
            ),
            payouts=payouts.read(
                read["stripe"],
                read["netsuite"],
                records.effect_keys(self._database.file),
                taken_back=self._case.reversed_in(read["stripe"]),
            ),
        )
        effects = records.effect_keys(self._database.file)
        books = sap.judged(books, read, effects) if self._sap else books
        families = Families(books, effects)
        names = Names(event=families.of_event, business=families.of_business_key, made=money_path.made)
        return self._unsure(money_path.evidence(books, records.read(self._database.file, names), families))

    def _ran_once(self) -> Iterator[Finding]:
        for flow in self._case.once:
            statement = "SELECT count(*), count(*) FILTER (WHERE state = 'succeeded') FROM runs WHERE flow = ?"
            runs, ended = self._database.file.execute(statement, (flow,)).fetchone()
            if (runs, ended) != (1, 1):
                detail = f"{flow} has {runs} runs, of which {ended} have come to their end; must be one"
                scheduled = shipped.compiled().flows[flow].schedule is not None
                broken = Invariant.FIRES_ONCE if scheduled else Invariant.ONE_RUN_PER_EVENT
                yield Finding(invariant=broken, family=None, detail=detail)

    def _untied(self) -> Iterator[Finding]:
        """What was taken back is tied to nothing any more."""
        if self._case.untied is not None:
            statement = "SELECT count(*) FROM crossrefs WHERE entity = ?"
            (ties,) = self._database.file.execute(statement, (self._case.untied,)).fetchone()
            if ties:
                told = f"{ties} ties of the {self._case.untied} are left"
                yield Finding(invariant=Invariant.TAKEN_BACK, family=None, detail=told)

    def _customers(self) -> Iterator[Finding]:
        """What the two systems have of the case's customer is what each owns, written once and no more."""
        if self._case.crm is not None:
            first, on = self._ids[self._case.scenario.customers[0].key], self._clock.now().date()
            yield from self._crm.findings(self._case.crm, self._books(), self._database, customer=first, on=on)
        wanted = self._case.customers
        if wanted is None:
            return
        key = self._case.scenario.customers[0].key
        read, own = self._books(), self._erp_customers[key] if self._case.own_record else None
        if self._sap:
            yield from sap.customer(wanted, read["stripe"], read[sap.VENDOR], billing=self._ids[key], erp=own)
            return
        yield from customer_checks.find(wanted, read["stripe"], read["netsuite"], billing=self._ids[key], erp=own)

    def _unsure(self, evidence: Evidence) -> Evidence:
        """Allow what only a person can find out: a notice that was cut off may have been given or not."""
        if self._case.crm is not None:
            return crm.expecting(self._case.crm, evidence)
        if not self._case.notice or not self._died:
            return evidence
        parked = {case.family for case in evidence.hub.cases if case.reason == money_path.UNKNOWN_OUTCOME}
        wanted = [
            replace(each, needed=False) if each.kind == "notice" and each.family in parked else each
            for each in evidence.wanted
        ]
        perhaps = Expected(perhaps=frozenset({money_path.UNKNOWN_OUTCOME}))
        return replace(evidence, wanted=wanted, expected=dict.fromkeys(evidence.expected, perhaps))
