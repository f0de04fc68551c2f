"""What people at the CRM do in a demo with two ERPs: they make accounts, change them, and win some more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from hub.proof import crm, customers, faults, records, wishes
from hub.proof.crm import CRM, Crm
from hub.proof.faults import Gust
from hub.proof.http_json import NoAnswer
from hub.proof.stage import Stage

#: The flows begin with accounts: so many seconds may pass without any of them getting further.
STALLED = 150.0
#: Seconds after a change until the CRM's list of changes has it, whoever is asked and however slowly it answers.
LISTED = timedelta(seconds=3)
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
        self._changed: datetime | None = None
        self.ids = crm_ids

    def begin(self, tell: Callable[[], None]) -> None:
        """Make the accounts, and wait until each customer is one in billing and in its books; `tell` shows the numbers.

        Raises `NoAnswer` when nothing gets further.
        """
        sold = [one for one in self._wanted.accounts if not one.won]
        self._say(f"{len(sold)} accounts are made in Salesforce; billing and the ERPs get them from there.")
        self._seed(crm.accounts(self._wanted))
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
        """Rename and move accounts, and win some more."""
        told = crm.changes(self._wanted, self.ids)
        self._say(f"{len(told['changes'])} accounts are changed in Salesforce.")
        self._org.seed(told)
        self._changed = datetime.now(UTC)

    def late(self) -> None:
        """Take note of the customers that accounts have become late."""
        self._stripe_ids.update(self._customers(anywhere=True))

    def is_heard(self) -> bool:
        """Tell whether the hub has read what was changed, and has every event that Stripe has told of."""
        if self._changed is not None:
            read = self._stage.hub.read_up_to(CRM, "accounts")
            if read is None or read <= self._changed + LISTED:
                return False
        told = {*wishes.EVENTS, *crm.TOLD, customers.MADE, *customers.EVENTS}
        wanted = {event["id"] for event in self._stage.stripe.books()["events"] if event["type"] in told}
        with records.reading(self._stage.hub.data) as connection:
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
        with records.reading(self._stage.hub.data) as connection:
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
