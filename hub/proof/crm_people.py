"""What people at the CRM do in a demo with two ERPs: they make accounts, change them, win more, and sign contracts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from hub.proof import crm, customers, faults, records, wishes
from hub.proof.contract_payers import ContractPayers
from hub.proof.crm import CRM, Contract, Crm
from hub.proof.faults import Gust
from hub.proof.http_json import NoAnswer
from hub.proof.stage import Stage

#: The flows begin with accounts: so many seconds may pass without any of them getting further.
STALLED = 150.0
#: Seconds after a change until the CRM's list of changes has it, whoever is asked and however slowly it answers.
LISTED = timedelta(seconds=2)
#: The streams that tell of what people change, and of what the hub writes.
STREAMS = ("accounts", "contracts", "orders")
#: Seconds between looks whether contracts are billed by now.
BETWEEN_LOOKS = 2.0
#: What was looked at so many seconds ago has not been looked at all the while.
AGAIN = 2.0
#: The settings by which an org takes so many calls at once.
_AT_ONCE, _NONE_AT_ONCE = 25, 0


class CrmPeople:
    """One org and those who work in it."""

    def __init__(
        self,
        stage: Stage,
        wanted: Crm,
        stripe_ids: dict[str, str],
        crm_ids: dict[str, str],
        say: Callable[[str], None],
    ) -> None:
        """Take whom they work for; ids of what comes to be, by its name, are added to those of Stripe and the CRM."""
        self._stage = stage
        self._wanted = wanted
        self._stripe_ids = stripe_ids
        self._say = say
        self._org = stage.sandboxes[CRM]
        self._price_book = ""
        #: What is still to be amended, who pays, and when both are next looked after.
        self._to_amend: list[Contract] = []
        self._payers = ContractPayers(stage, wanted.contracts, crm_ids, say)
        self._look_again = 0.0
        #: Since when all else rests, and when that was last looked at.
        self._rests: datetime | None = None
        self._looked = 0.0
        self.ids = crm_ids

    def begin(self, tell: Callable[[], None]) -> None:
        """Make the accounts, and wait until each customer is one in billing and in its books; `tell` shows the numbers.

        Raises `NoAnswer` when nothing gets further.
        """
        sold = [one for one in self._wanted.accounts if not one.won]
        self._say(f"{len(sold)} accounts are made in Salesforce; billing and the ERPs get them from there.")
        self._seed(crm.accounts(self._wanted))
        books = self._org.books()["records"]["Pricebook2"]
        self._price_book = next(book["Id"] for book in books if book.get("IsStandard"))
        self._org.seed(crm.on_sale(self.ids))
        self._seed(crm.catalogue(self._price_book, self.ids))
        still, known = time.monotonic(), -1
        while True:
            tell()
            there = self._customers()
            if (found := sum(one.key in there for one in sold)) == len(sold):
                self._stripe_ids.update(there)
                return
            if found > known:
                still, known = time.monotonic(), found
            if time.monotonic() - still > STALLED:
                missing = ", ".join(one.name for one in sold if one.key not in there)
                raise NoAnswer("accounts", f"these have not become customers in billing and the books: {missing}")
            time.sleep(0.4)

    def change(self) -> None:
        """Rename and move accounts, win some more, and let others sign contracts."""
        told = crm.changes(self._wanted, self.ids)
        contracts = [one.key for one in self._wanted.contracts]
        self._say(f"{len(told['changes'])} accounts are changed in Salesforce, and {len(contracts)} contracts signed.")
        self._org.seed(told)
        self._seed(crm.signed(self._wanted, self.ids, self._price_book, datetime.now(UTC).date()))
        self._org.seed(crm.activated("Contract", contracts, self.ids))
        self._org.seed(crm.activated("Order", [f"{name}-first" for name in contracts], self.ids))

    def amend(self) -> None:
        """Let some of the contracts get more, each once the hub has told the org that it is billed.

        Of a record that the hub has not written yet nobody can tell what people have changed of it.
        """
        self._to_amend = [one for one in self._wanted.contracts if one.more]

    def go_on(self) -> bool:
        """Do what can be done by now; tells whether nothing is left to do."""
        if time.monotonic() < self._look_again:
            return False
        self._look_again = time.monotonic() + BETWEEN_LOOKS
        paid = self._payers.go_on()
        if self._to_amend:
            told = crm.told(self._org.books(), self.ids)
            ready = [one for one in self._to_amend if one.key in told]
            if ready:
                self._say(f"{len(ready)} contracts are amended.")
                self._seed(crm.amended(ready, self.ids, self._price_book, datetime.now(UTC).date()))
                self._org.seed(crm.activated("Order", [f"{one.key}-more" for one in ready], self.ids))
                self._to_amend = [one for one in self._to_amend if one not in ready]
        return paid and not self._to_amend

    def end(self) -> None:
        """Do all that is left, as far as the hub lets it be done."""
        began = time.monotonic()
        while not self.go_on() and time.monotonic() - began < STALLED:
            time.sleep(0.4)

    def late(self) -> None:
        """Take note of the customers that accounts have become late."""
        self._stripe_ids.update(self._customers(anywhere=True))

    def is_heard(self) -> bool:
        """Tell whether the hub has read the org since all rests, and has every event that Stripe has told of.

        What the hub writes into the org is a change too, which comes back by its streams.
        """
        now, before = time.monotonic(), self._looked
        self._looked = now
        if self._rests is None or now - before > AGAIN:
            self._rests = datetime.now(UTC)
        read = [self._stage.hub.read_up_to(CRM, stream) for stream in STREAMS]
        if any(at is None or at <= self._rests + LISTED for at in read):
            return False
        told = {*wishes.EVENTS, *crm.TOLD, customers.MADE, *customers.EVENTS}
        wanted = {event["id"] for event in self._stage.stripe.books()["events"] if event["type"] in told}
        with records.reading(self._stage.hub.data, self._stage.hub.database) as connection:
            return wanted <= records.event_names(connection)

    def blow(self, gust: Gust) -> bool:
        """Let happen what no fault of a sandbox is; tells whether it was such a thing."""
        sandbox = self._stage.sandboxes[gust.vendor]
        if gust.kind == faults.SESSIONS:
            self._say(f"{gust.vendor}: all sessions end.")
            sandbox.seed({"revoke_sessions": True} if gust.vendor == CRM else {"settings": {"end_sessions": True}})
            sandbox.note(gust.kind, 1)
            return True
        if gust.kind == faults.TOO_MANY:
            self._say(f"{gust.vendor}: takes no further call for {gust.seconds:g} seconds.")
            before = int(sandbox.progress()["refused_by_limits"])
            sandbox.seed({"settings": {"concurrent_requests": _NONE_AT_ONCE}})
            began = time.monotonic()
            refused = 0
            while (passed := time.monotonic() - began) < gust.seconds or (not refused and passed < STALLED / 10):
                time.sleep(0.1)
                refused = int(sandbox.progress()["refused_by_limits"]) - before
            sandbox.seed({"settings": {"concurrent_requests": _AT_ONCE}})
            sandbox.note(gust.kind, int(sandbox.progress()["refused_by_limits"]) - before)
            return True
        return False

    def _seed(self, wish: dict[str, object]) -> None:
        self.ids.update(self._org.seed(wish)["refs"])

    def _customers(self, *, anywhere: bool = False) -> dict[str, str]:
        """Give Stripe's ids of accounts by their names: of those that their books have too, or that are `anywhere`."""
        with records.reading(self._stage.hub.data, self._stage.hub.database) as connection:
            billed = records.tied(connection, "customer", CRM, "stripe")
            posted = {erp: records.tied(connection, "customer", "stripe", erp) for erp in ("netsuite", "s4hana")}
        return dict(self._known(billed, posted, anywhere=anywhere))

    def _known(
        self, billed: dict[str, str], posted: dict[str, dict[str, str]], *, anywhere: bool
    ) -> Iterator[tuple[str, str]]:
        for one in self._wanted.accounts:
            customer = billed.get(self.ids.get(one.key, ""))
            if customer is not None and (anywhere or customer in posted[crm.home(one.market)]):
                yield one.key, customer
