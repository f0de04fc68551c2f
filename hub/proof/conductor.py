"""Lets the scenario happen: invoices and payments over time, weather, kills, and calls that cannot be repeated."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.proof import customers, faults, money_path, payouts, records, wishes
from hub.proof.approvers import Approvers
from hub.proof.crm_people import CrmPeople
from hub.proof.customers import Change
from hub.proof.faults import Gust, Plan, Profile
from hub.proof.http_json import NoAnswer, insist
from hub.proof.scenario import Invoice, Notice
from hub.proof.stage import Stage

Say = Callable[[str], None]
#: How a vendor says that something is not there.
NOT_FOUND = 404

#: Finalisations a second on the long run; a small demo takes its time, so that something can happen in it.
PER_SECOND = 25.0
#: The shortest time in seconds over which invoices are finalised.
SHORTEST: Mapping[Profile, float] = {Profile.NONE: 2.0, Profile.STANDARD: 8.0, Profile.STORM: 18.0}
#: How long a kill waits for writes to be under way, and a gust for somebody to be struck. In a storm the first writes
#: come late: the tax engine is asked before anything is recorded, and the first of every fault meets the questions.
PATIENCE = 20.0
#: The write that the customer of an invoice goes into.
_UPSERT = "invoice.upsert"
#: So many writes under way are worth a kill.
UNDER_WAY = 2
#: The hub has come to rest when nothing has changed for so long, whatever is left. A circuit breaker waits up to 75
#: seconds between two probes.
STALLED = 150.0
#: When customers are changed, as fractions of all that happens.
EARLY, LATE = 0.1, 0.5
#: So long after a change in the ERP its list of changes has it, whoever is asked and however slowly it answers.
LISTED = timedelta(seconds=5)
#: Seconds between looks whether the ERP has what customers are called by now.
BETWEEN_LOOKS = 2.0
#: It is at rest when so many looks in a row, 0.4 seconds apart, show the same and nothing to do.
CALM = 4


@dataclass(slots=True, kw_only=True)
class Course:
    """What has happened so far."""

    kills: int = 0
    #: Writes without an outcome at each kill.
    open_at_kill: list[int] = field(default_factory=list)
    #: Customers that were tied to their other record in NetSuite, by key: how often.
    moved: dict[str, int] = field(default_factory=dict)
    gusts: list[Gust] = field(default_factory=list)
    #: Stripe's ids by the scenario's names, invoices among them once they are there.
    stripe_ids: dict[str, str] = field(default_factory=dict)
    #: The CRM's ids by the scenario's names.
    crm_ids: dict[str, str] = field(default_factory=dict)
    settled: bool = False


def worth_a_kill(
    under_way: Sequence[Mapping[str, Any]], moving: Collection[str], *, sent: bool, least: int = UNDER_WAY
) -> bool:
    """Tell whether a kill finds enough writes without an outcome, as the hub's API tells of them.

    With `sent` there must be some that are surely so in a moment still: they were sent, and nobody knows of them. Where
    customers can be moved, it must be as many, and of theirs: `moving` are the business keys of their invoices. It must
    be at least so many.
    """
    unknown = [each for each in under_way if each["state"] == "unknown"]
    theirs = [each for each in unknown if each["operation"] == _UPSERT and each["business_key"] in moving]
    enough = len(theirs) >= least if moving else bool(unknown)
    return len(under_way) >= least and (enough or not sent)


class Conductor:
    """Drives one demo from its first invoice to rest."""

    def __init__(
        self,
        stage: Stage,
        say: Say,
        show: Callable[[Mapping[str, Any]], None],
        *,
        per_second: float | None = None,
        plan: Callable[[str], Plan] | None = None,
    ) -> None:
        """Take the stage; `say` tells what happens, `show` gets the numbers while it does.

        `per_second` is how many invoices are finalised in a second, and `plan(vendor)` what goes wrong all the time;
        both are the profile's when nothing is said.
        """
        self._per_second = per_second
        further = stage.scenario.crm is not None
        self._plan = plan or (lambda vendor: faults.plan(stage.profile, vendor, further=further))
        self._stage = stage
        self._say = say
        self._show = show
        self.course = Course(stripe_ids=dict(stage.stripe_ids), crm_ids=dict(stage.crm_ids))
        self._approvers = Approvers(stage.hub, stage.stripe, stage.approvers)
        crm = stage.scenario.crm
        self._crm = None if crm is None else CrmPeople(stage, crm, self.course.stripe_ids, self.course.crm_ids, say)
        self._seeding: threading.Thread | None = None
        self._failed: list[BaseException] = []
        self._changes = 0
        #: What is still to be changed on both sides, and when that is next looked after.
        self._on_both_sides: list[Change] = []
        self._look_again = 0.0
        #: When people have last changed something in the ERP.
        self._erp_changed: datetime | None = None

    def perform(self, kills: int) -> Course:
        """Let everything happen, the calls that cannot be repeated last."""
        self.begin()
        for fraction, act in self._moments(kills):
            self._until(fraction)
            act()
        return self.end()

    def begin(self) -> None:
        """Let troubles and invoices begin."""
        for vendor, sandbox in self._stage.sandboxes.items():
            sandbox.trouble(self._plan(vendor))
        if self._crm is not None:
            self._crm.begin(lambda: self._tell(self._stage.stripe.progress()))
        self._drive()

    def end(self) -> Course:
        """Wait until all has happened and the hub is at rest; then make the calls that cannot be repeated."""
        self._until(1.0)
        if self._crm is not None:
            self._crm.end()
        self._pay_out_the_rest()
        self._say("Everything has happened; the hub comes to rest.")
        self._settle()
        if any(invoice.notice for invoice in self._stage.scenario.invoices):
            self._say("Some invoices are given up; the ERP's script is called, which cannot be repeated.")
            self._give_up()
            self._settle()
        if self._crm is not None:
            self._crm.late()
        return self.course

    def _drive(self) -> None:
        scenario = self._stage.scenario
        usual = min(PER_SECOND, len(scenario.invoices) / SHORTEST[self._stage.profile])
        per_second = self._per_second or usual
        self._say(f"{len(scenario.invoices)} invoices in Stripe, {per_second:.3g} a second.")

        def seed() -> None:
            try:
                wish = wishes.stripe_invoices(
                    scenario, per_second=per_second, pay_outs=payouts.TIMES, accounts=self.course.stripe_ids
                )
                self.course.stripe_ids.update(self._stage.stripe.seed(wish)["keys"])
            except NoAnswer as error:
                self._failed.append(error)

        self._seeding = threading.Thread(target=seed, daemon=True)
        self._seeding.start()

    def _moments(self, kills: int) -> Sequence[tuple[float, Callable[[], None]]]:
        weather: list[Callable[[], None]] = []
        if self._stage.profile is Profile.STORM:
            gusts = [gust for pair in zip(faults.OUTAGES, (*faults.REFUSALS, None), strict=True) for gust in pair]
            gusts += faults.FURTHER if self._crm is not None else ()
            weather = [_later(self._blow, gust) for gust in gusts if gust is not None]
        acts: list[Callable[[], None]] = []
        # Kills are spread among the gusts, so that both find the hub at work.
        for place in range(max(len(weather), kills)):
            acts.extend(weather[place : place + 1])
            acts.extend([self._kill] if place < kills else [])
        # Who is struck, and the wait for writes, take time in which the load goes on: where others do most of the work,
        # they leave no backlog for a strike after its end.
        last = len(acts) + 2 if self._stage.company is None else 1.5 * len(acts)
        moments = [((place + 1) / last, act) for place, act in enumerate(acts)]
        people: list[tuple[float, Callable[[], None]]] = (
            [(EARLY, self._change_early), (LATE, self._change_late)]
            if self._crm is None
            else [(EARLY, self._crm.change), (LATE, self._crm.amend)]
        )
        return sorted([*moments, *people], key=lambda moment: moment[0])

    def _until(self, fraction: float) -> None:
        steps = self._stage.scenario.steps
        while True:
            if self._failed:
                raise self._failed[0]
            progress = self._stage.stripe.progress()
            self._tell(progress)
            self._change_both()
            if self._crm is not None:
                self._crm.go_on()
            over = not progress["planned"] and self._seeding is not None and not self._seeding.is_alive()
            if over or (fraction < 1 and progress["driven"] >= steps * fraction):
                return
            time.sleep(0.25)

    def _change_early(self) -> None:
        followed = self._stage.scenario.followed
        self._say(f"{len(followed)} customers are made and changed, at Stripe and in the ERP.")
        made = self._stage.stripe.seed(customers.at_stripe(followed, known=False))
        self.course.stripe_ids.update(made["keys"])
        self._change(customers.early(followed))

    def _change_late(self) -> None:
        followed = self._stage.scenario.followed
        self._change(customers.late(followed))
        self._on_both_sides = list(customers.both(followed))

    def _change_both(self) -> None:
        """Change on both sides whom the hub has carried over by now; of the others nothing more is changed."""
        if not self._on_both_sides or time.monotonic() < self._look_again:
            return
        self._look_again = time.monotonic() + BETWEEN_LOOKS
        records = self._stage.sandboxes["netsuite"].books()["customers"]
        names = {one["externalId"]: one["companyName"] for one in records}
        open_effects = [str(effect["business_key"]) for effect in self._stage.hub.open_effects()]
        for change in list(self._on_both_sides):
            customer = change.customer
            key = f"stripe:{self.course.stripe_ids[customer.key]}:"
            if names[customer.erp_name] == customers.renamed(customer) and not any(
                one.startswith(key) for one in open_effects
            ):
                self._on_both_sides.remove(change)
                self._change([change])

    def _change(self, changes: Iterable[Change]) -> None:
        for change in changes:
            name = self.course.stripe_ids[change.customer.key]
            if change.erp:
                record = {"type": "customer", "id": self._stage.erp_customers[change.customer.erp_name], **change.erp}
                self._stage.sandboxes["netsuite"].seed({"changes": [record]})
                self._erp_changed = datetime.now(UTC)
            if change.form:
                self._change_at_stripe(f"/v1/customers/{name}{change.path}", change.form)
            if change.deletes:
                insist(lambda name=name: self._delete(f"/v1/customers/{name}"))  # type: ignore[misc]

    def _change_at_stripe(self, path: str, form: Mapping[str, str]) -> None:
        self._changes += 1
        api = self._stage.as_person(f"change-{self._changes}")
        insist(lambda: api.form(path, form, timeout=3))

    def _delete(self, path: str) -> None:
        try:
            self._stage.as_person("delete").raw("DELETE", path, timeout=3)
        except NoAnswer as error:
            # An earlier one was carried out, and its answer lost.
            if error.status != NOT_FOUND:
                raise

    def _pay_out_the_rest(self) -> None:
        """Pay out when all money is available, and once more when a bank has sent a payout back."""
        stripe = self._stage.stripe
        time.sleep(payouts.SWITCHES["pending_seconds"] + 1)
        stripe.seed({"pay_out": True})
        time.sleep(payouts.SWITCHES["payout_seconds"] + 1)
        made = [payout["id"] for payout in stripe.books()["payouts"]]
        self._say(f"Stripe has made {len(made)} payouts; a bank sends one back.")
        stripe.seed({"failed_payouts": [{"payout": payout} for payout in made[:1]], "pay_out": True})

    def _blow(self, gust: Gust) -> None:
        if self._crm is not None and self._crm.blow(gust):
            self.course.gusts.append(gust)
            return
        sandbox = self._stage.sandboxes[gust.vendor]
        before = sandbox.injected().get(gust.kind, 0)
        self._say(f"{gust.vendor}: {'is away' if gust.kind == 'outage' else 'refuses'} for {gust.seconds:g} seconds.")
        sandbox.begin(gust)
        began = time.monotonic()
        while True:
            time.sleep(0.1)
            passed = time.monotonic() - began
            if passed >= gust.seconds and (
                sandbox.injected().get(gust.kind, 0) > before or passed > gust.seconds + PATIENCE
            ):
                break
        sandbox.end()
        self.course.gusts.append(gust)

    def _kill(self) -> None:
        hub, company = self._stage.hub, self._stage.company
        assert self._seeding is not None
        self._seeding.join()
        self._wait_for_writes()
        strike = company.strike() if company is not None else None
        if strike is not None:
            told = strike()
            self._say(f"{told.what}.")
            if told.left is not None:
                self.course.kills += 1
                self.course.open_at_kill.append(told.left)
            return
        hub.kill()
        left = records.open_effects(hub.data, hub.database)
        self.course.kills += 1
        self.course.open_at_kill.append(len(left))
        self._say(f"The hub is killed (-9) with {len(left)} writes under way.")
        moved = self._move({key for operation, key in left if operation == _UPSERT})
        if moved:
            self._say(f"{moved} of their customers are tied to another record of the ERP meanwhile.")
        hub.start()

    def _wait_for_writes(self) -> None:
        """Wait for writes to be under way that are worth a kill."""
        began, moving = time.monotonic(), self._moving()
        storm = self._stage.profile is Profile.STORM
        while (passed := time.monotonic() - began) < PATIENCE:
            under_way = self._stage.hub.open_effects()
            # Where there is little to do, two at once may never come.
            least = UNDER_WAY if passed <= PATIENCE / 2 or self._stage.company is None else 1
            if worth_a_kill(under_way, moving, sent=storm and passed <= PATIENCE / 2, least=least):
                return
            time.sleep(0.02)

    def _moving(self) -> dict[str, Invoice]:
        """Give the invoices of customers that may be moved, by their business key; in a storm alone."""
        if self._stage.profile is not Profile.STORM:
            return {}
        ids = self.course.stripe_ids
        return {
            f"stripe:{ids[invoice.key]}": invoice
            for invoice in self._stage.scenario.invoices
            if invoice.customer.moving and invoice.key in ids
        }

    def _move(self, keys: set[str]) -> int:
        """Tie customers to their other record; a write already recorded must still go to the first one."""
        moving = self._moving()
        customers = {moving[key].customer.key: moving[key].customer for key in keys if key in moving}
        rows = []
        for name, customer in sorted(customers.items()):
            turn = self.course.moved[name] = self.course.moved.get(name, 0) + 1
            ids = self._stage.erp_ids(customer)
            rows.append({"stripe": self.course.stripe_ids[name], "netsuite": ids[turn % len(ids)]})
        if rows:
            self._stage.hub.link_while_down("customer", rows)
        return len(rows)

    def _give_up(self) -> None:
        stage, ids = self._stage, self.course.stripe_ids
        numbers = {invoice["id"]: str(invoice["number"]) for invoice in stage.stripe.books()["invoices"]}
        chosen = [invoice for invoice in stage.scenario.invoices if invoice.notice is not None]
        silent = [numbers[ids[invoice.key]] for invoice in chosen if invoice.notice is Notice.UNKNOWN]
        if silent:
            stage.sandboxes["netsuite"].add(faults.silent_notices(silent))
        for invoice in chosen:
            name = ids[invoice.key]
            api = self._stage.as_person(f"give-up-{name}")
            insist(lambda api=api, name=name: api.form(f"/v1/invoices/{name}/mark_uncollectible", {}, timeout=3))  # type: ignore[misc]

    def _settle(self) -> None:
        """Wait until everything Stripe tells of has a run and nothing is left to do, or nothing moves any more."""
        still, last = time.monotonic(), ""
        calm = 0
        while time.monotonic() - still < STALLED:
            progress, summary = self._stage.stripe.progress(), self._stage.hub.summary()
            self._tell(progress, summary)
            if summary is not None:
                now = f"{summary['runs']} {summary['waiting']} {progress}"
                same = now == last
                if not same:
                    still, last = time.monotonic(), now
                sent = not any(progress[name] for name in ("planned", "deliveries_waiting", "payouts_under_way"))
                rests = same and sent and idle(summary) and self._is_heard()
                calm = calm + 1 if rests else 0
                if calm >= CALM and complete(summary, self._expected_runs()):
                    self.course.settled = True
                    return
            time.sleep(0.4)
        self.course.settled = False
        self._say(f"Nothing has changed for {STALLED:.0f} seconds; the hub is judged as it stands.")

    def _is_heard(self) -> bool:
        """Tell whether the hub has read what people changed in the ERP and the CRM."""
        if self._crm is not None:
            return self._crm.is_heard()
        if self._erp_changed is None:
            return True
        read = self._stage.hub.read_up_to("netsuite", "customers")
        return read is not None and read > self._erp_changed + LISTED

    def _expected_runs(self) -> Counter[str]:
        """Count the runs of each flow that what Stripe has told of must have started."""
        told = {*wishes.EVENTS, *customers.EVENTS}
        types = Counter(event["type"] for event in self._stage.stripe.books()["events"] if event["type"] in told)
        wanted: Counter[str] = Counter()
        for type_, number in types.items():
            for flow in money_path.FLOWS.get(f"stripe.{type_}", ()):
                wanted[flow] += number
        return wanted

    def _tell(self, progress: Mapping[str, Any], summary: Mapping[str, Any] | None = None) -> None:
        self._approvers.decide()
        known = summary if summary is not None else self._stage.hub.summary()
        self._show({**progress, "summary": known, "kills": self.course.kills})


def idle(summary: Mapping[str, Any]) -> bool:
    """Tell whether nothing is left to do for what has been told."""
    waiting = sum(number for kind, number in summary["waiting"].items() if kind != "event")
    # What is queued and stays so is held back behind a run of its own key.
    busy = any(counts.get("running") or counts.get("compensating") for counts in summary["runs"].values())
    return not busy and not waiting


def complete(summary: Mapping[str, Any], wanted: Mapping[str, int]) -> bool:
    """Tell whether each flow has had all the runs that it must have.

    Flow by flow: runs of one flow, which the ERP may start as often as it likes, say nothing of a webhook that got lost
    and is yet to be found in Stripe's list.
    """
    runs: Mapping[str, Mapping[str, int]] = summary["runs"]
    return all(sum(runs.get(flow, {}).values()) >= number for flow, number in wanted.items())


def _later(act: Callable[[Gust], None], gust: Gust) -> Callable[[], None]:
    return lambda: act(gust)
