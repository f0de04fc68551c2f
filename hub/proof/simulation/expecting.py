"""What must come of everything that happened in a trial: documents wanted, and exceptions allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from hub.errors import OutcomeParked
from hub.model.effect import NEWER, TAKEN_BACK, WRITTEN_DIFFERENTLY
from hub.model.run import COMPENSATION_FAILED, RunState
from hub.proof.evidence import Document, Expected, HubRecords, OneOf, Wanted
from hub.proof.simulation.company import LEDGER, SHOP
from hub.proof.simulation.people import PUT_RIGHT, People, edited, moved
from hub.proof.simulation.scenario import Fate, Happening, Scenario

#: Why an order that is taken back tells of it.
_OF_ORDERS = frozenset({"refused-400", "child-taken-back", "child-cancelled"})


class Expecting:
    """Says what one finished trial must have come to."""

    def __init__(
        self,
        scenario: Scenario,
        people: People,
        hub: HubRecords,
        documents: Sequence[Document],
        *,
        unclear: frozenset[str],
    ) -> None:
        """Take what happened and what people ordered; `documents` are those that may have to be taken back."""
        self._scenario = scenario
        self._people = people
        self._documents = documents
        self._unclear = unclear
        self._by_subject = {happening.subject: happening for happening in scenario.happenings}
        self._overtaken = _overtaken(hub)
        self._compensated = {
            run.business_key for run in hub.runs if run.state == RunState.COMPENSATED and run.replaced_by is None
        }

    # --- documents ------------------------------------------------------------------------------

    def wanted(self) -> Iterator[Wanted]:
        """Give every document that should be there, may be there, or must not."""
        kinds: Mapping[str, Callable[[Happening], Iterator[Wanted]]] = {
            "sale.made": self._sale,
            "payment.taken": self._payment,
            "stock.changed": self._version,
            "order.placed": self._order,
            "batch.closed": self._batch,
            "warning.due": self._warning,
            "deal.signed": self._deal,
            "deal.confirmed": lambda _: iter(()),
            "bill.sent": lambda _: iter(()),
        }
        for happening in self._scenario.happenings:
            yield from kinds[happening.type](happening)
        yield from self._stocks()
        yield from self._bills()
        yield from self._reversals()

    def _sale(self, happening: Happening) -> Iterator[Wanted]:
        name = happening.data["customer"]
        customer = self._scenario.customers[name]
        either = OneOf(values=frozenset({customer, moved(customer)})) if name in self._people.moved else customer
        bought: str | OneOf = happening.data["bought"]
        if happening.business_key in self._people.edited:
            bought = OneOf(values=frozenset({happening.data["bought"], edited(happening.data)["bought"]}))
        facts = {"customer": either, "bought": bought}
        yield self._money(happening, "entries", happening.data, facts=facts)
        entry = self._entry_of(happening.subject)
        yield Wanted(
            book=SHOP,
            kind="sales",
            name=happening.subject,
            family=happening.family,
            facts={} if entry is None else {"ledger_id": entry},
            needed=not self._is_excused(happening),
        )

    def _payment(self, happening: Happening) -> Iterator[Wanted]:
        yield self._money(happening, "charges", happening.data, facts={"sale": self._entry_of(happening.family)})

    def _version(self, happening: Happening) -> Iterator[Wanted]:
        yield Wanted(
            book=LEDGER,
            kind="version",
            name=happening.subject,
            family=happening.family,
            needed=not (
                self._is_excused(happening)
                or happening.subject in self._overtaken
                or (happening.business_key in self._people.passed and self._has_newer(happening))
            ),
        )

    def _has_newer(self, happening: Happening) -> bool:
        """Tell whether the ledger has a later version, as it may once a person let it go past."""
        versions = (each.name for each in self._documents if each.kind == "version" and each.family == happening.family)
        return any(_version_of(name) > _version_of(happening.subject) for name in versions)

    def _order(self, happening: Happening) -> Iterator[Wanted]:
        for line in happening.data["lines"]:
            yield self._money(happening, "entries", line)
        yield self._money(happening, "charges", happening.data["fee"])
        total = self._money(happening, "entries", happening.data["total"])
        refused = self._scenario.fate(happening.business_key) is Fate.TAKEN_BACK
        yield Wanted(
            book=total.book,
            kind=total.kind,
            name=total.name,
            family=total.family,
            money=total.money,
            currency=total.currency,
            needed=total.needed,
            never=refused,
            subject=total.subject,
        )
        # That it was charged is told before it is known that it will be taken back.
        left = self._people.ended | self._people.taken_back
        yield Wanted(
            book=SHOP,
            kind="orders",
            name=total.name,
            family=happening.family,
            needed=not self._is_excused(happening) and f"told:{total.name}" not in left,
        )

    def _batch(self, happening: Happening) -> Iterator[Wanted]:
        for line in happening.data["lines"]:
            yield self._money(happening, "entries", line)

    def _warning(self, happening: Happening) -> Iterator[Wanted]:
        yield Wanted(
            book=LEDGER,
            kind="notices",
            name=happening.subject,
            family=happening.family,
            needed=not self._is_excused(happening) and happening.subject not in self._unclear,
        )

    def _deal(self, happening: Happening) -> Iterator[Wanted]:
        yield self._money(happening, "entries", happening.data)
        # Whatever else failed was gone past.
        noted = (("deals", happening.subject), ("agreements", happening.subject))
        parts = (("parts", part["id"]) for part in happening.data["parts"])
        for kind, name in (*noted, *parts):
            unwelcome = name in self._scenario.unwelcome
            yield Wanted(book=SHOP, kind=kind, name=name, family=happening.family, needed=False, never=unwelcome)

    def _stocks(self) -> Iterator[Wanted]:
        newest: dict[str, Happening] = {}
        excused: set[str] = set()
        for happening in self._scenario.happenings:
            if happening.type == "stock.changed":
                newest[happening.family] = happening
                if self._is_excused(happening):
                    excused.add(happening.family)
        for item, happening in newest.items():
            facts = {name: happening.data[name] for name in ("version", "quantity")}
            yield Wanted(
                book=LEDGER,
                kind="stocks",
                name=item,
                family=item,
                facts={} if item in excused else facts,
                needed=item not in excused,
            )

    def _bills(self) -> Iterator[Wanted]:
        """Give the one entry of each bill, with the amount of whichever event came first to be written."""
        for name, told in self._told_bills().items():
            entry = self._document("entries", name)
            first = next((each for each in told if entry is not None and _minor(each) == entry.money), told[0])
            yield self._money(
                first,
                "entries",
                {**first.data, "id": name},
                needed=first.business_key not in self._people.passed,
            )

    def _told_bills(self) -> dict[str, list[Happening]]:
        found: dict[str, list[Happening]] = {}
        for happening in self._scenario.happenings:
            if happening.type == "bill.sent":
                found.setdefault(happening.data["bill"], []).append(happening)
        return found

    def _reversals(self) -> Iterator[Wanted]:
        """Give what must have been taken back: all that can be of every run that did so."""
        for document in self._documents:
            kind = {"entries": "reversals", "charges": "refunds"}.get(document.kind)
            if kind is None or not self._is_undone(document):
                continue
            yield Wanted(
                book=document.book,
                kind=kind,
                name=document.id,
                family=document.family,
                money=None if document.money is None else -document.money,
                currency=document.currency,
            )

    def _is_undone(self, document: Document) -> bool:
        owner = document.name.partition(".")[0]
        if owner != document.name:
            # The total of an order of several lines is a run of its own, which is taken back with its caller's.
            return f"shop:{owner}" in self._compensated
        # What a payment flow does has no way back, nor has what is done for a bill.
        mended = document.kind == "entries" and document.name not in self._told_bills()
        return mended and f"shop:{document.name}" in self._compensated

    def _money(
        self,
        happening: Happening,
        kind: str,
        said: Mapping[str, object],
        *,
        facts: Mapping[str, object] | None = None,
        needed: bool = True,
    ) -> Wanted:
        amount = said["amount"]
        assert isinstance(amount, Mapping)
        return Wanted(
            book=LEDGER,
            kind=kind,
            name=str(said["id"]),
            family=happening.family,
            facts=facts or {},
            money=Decimal(amount["minor"]),
            currency=amount["currency"],
            needed=needed and not self._is_excused(happening),
            never=self._is_left(happening) and happening.type in {"sale.made", "deal.signed"},
            subject=happening.subject,
        )

    def _entry_of(self, sale: str) -> str | None:
        entry = self._document("entries", sale)
        return None if entry is None else entry.id

    def _document(self, kind: str, name: str) -> Document | None:
        return next((each for each in self._documents if (each.kind, each.name) == (kind, name)), None)

    # --- excuses --------------------------------------------------------------------------------

    def _is_left(self, happening: Happening) -> bool:
        """Tell whether a thing must stay an exception for ever."""
        return self._scenario.fate(happening.business_key) is not Fate.POSTED

    def _is_ended(self, happening: Happening) -> bool:
        """Tell whether a person ended it, or it was taken back as it was to be."""
        key = happening.business_key
        if key in self._compensated:
            return key in self._people.taken_back or self._scenario.fate(key) is Fate.TAKEN_BACK
        # What was written already another one does not write again: it stops, or what it says is not there.
        return key in self._people.ended or key in self._people.taken_back or key in self._people.edited

    def _is_excused(self, happening: Happening) -> bool:
        """Tell whether a thing may be missing: it must stop, a person ended it, or what it builds on is missing."""
        owner = self._by_subject.get(happening.family, happening)
        return any(self._is_ended(each) or self._is_left(each) for each in (happening, owner))

    # --- exceptions -----------------------------------------------------------------------------

    def exceptions(self, family: str) -> Expected:
        """Give which open exceptions a family must have, and which it may have."""
        must: list[str] = []
        perhaps: set[str] = set()
        for happening in self._scenario.happenings:
            if happening.family != family:
                continue
            if happening.business_key in self._people.edited:
                perhaps |= PUT_RIGHT
            fate, passed = self._scenario.fate(happening.business_key), happening.business_key in self._people.passed
            if happening.type == "sale.made" and fate is not Fate.POSTED:
                (perhaps.add if self._is_ended(happening) else must.append)(fate.value)
                # Before anybody can see that a sale is refused, its customer must be known, and people asked.
                perhaps.add(Fate.UNMAPPED.value)
            elif happening.type == "deal.signed" and fate is Fate.DECLINED:
                # What else has failed is told with it.
                perhaps |= {fate.value, "approval-expired", "refused-400", "not-confirmed", "step-timeout"}
            elif happening.type == "order.placed" and (fate is Fate.TAKEN_BACK or passed):
                perhaps |= _OF_ORDERS
            elif happening.type == "payment.taken" and self._is_excused(happening):
                perhaps.add("sale-not-posted")
            elif happening.type == "stock.changed" and (passed or happening.subject in self._overtaken):
                perhaps.add(NEWER)
                perhaps |= self._not_taken_back(happening)
            elif happening.type == "warning.due" and happening.subject in self._unclear:
                perhaps.add(OutcomeParked.code)
                perhaps |= self._not_taken_back(happening)
        for name, told in self._told_bills().items():
            if name == family:
                stopped = self._stopped_bills(name, told)
                if told[0].business_key in self._people.passed:
                    perhaps |= {*stopped, TAKEN_BACK}
                else:
                    must += stopped
        return Expected(exceptions=must, perhaps=frozenset(perhaps - set(must)))

    def _stopped_bills(self, name: str, told: Sequence[Happening]) -> list[str]:
        """Give why the events of a bill must stop: all that say another amount than was written."""
        entry = self._document("entries", name)
        written = _minor(told[0]) if entry is None else entry.money
        return [WRITTEN_DIFFERENTLY for each in told if _minor(each) != written]

    def _not_taken_back(self, happening: Happening) -> set[str]:
        """Give what tells that a thing cannot be taken back before a person has found out whether it was written."""
        return {COMPENSATION_FAILED} if happening.business_key in self._people.taken_back else set()


def _overtaken(hub: HubRecords) -> set[str]:
    """Name the versions that the hub accepted after a newer one of the same thing."""
    found, newest = set(), 0
    stocks = [run for run in hub.runs if run.flow == "stock-to-ledger" and run.replay_of is None]
    for run in sorted(stocks, key=lambda run: run.position):
        subject = run.business_key.removeprefix("shop:")
        version = _version_of(subject)
        if version < newest:
            found.add(subject)
        newest = max(newest, version)
    return found


def _minor(happening: Happening) -> Decimal:
    return Decimal(happening.data["amount"]["minor"])


def _version_of(subject: str) -> int:
    return int(subject.partition("@")[2])
