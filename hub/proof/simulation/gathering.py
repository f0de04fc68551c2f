"""The evidence of a trial: the vendors' books, what the shop told, and the hub's records, as the oracle judges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof import records
from hub.proof.evidence import Change, Document, Evidence, Expected, Trespass, Wanted, Write
from hub.proof.records import Names
from hub.proof.simulation.company import LEDGER, SHOP
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.people import People
from hub.proof.simulation.scenario import Fate, Happening, Scenario
from hub.proof.simulation.shop import Shop
from hub.proof.simulation.vendor import Entry, Vendor

FLOWS = {
    "simulated.sale.made": ("sale-to-ledger",),
    "simulated.payment.taken": ("payment-to-ledger",),
    "simulated.stock.changed": ("stock-to-ledger",),
    "simulated.warning.due": ("warning",),
}


class Gatherer:
    """Puts one finished trial's evidence together."""

    def __init__(
        self,
        scenario: Scenario,
        vendors: Mapping[str, Vendor],
        shop: Shop,
        people: People,
        database: MemoryDatabase,
        *,
        unclear: frozenset[str],
        trespasses: Sequence[tuple[str, int, int]],
    ) -> None:
        """Take what there is; `unclear` are names of writes whose outcome nobody could know.

        `trespasses` are records under an epoch that was no longer the run's: run, epoch, and the run's own.
        """
        self._scenario = scenario
        self._vendors = vendors
        self._shop = shop
        self._people = people
        self._database = database
        self._unclear = unclear
        self._trespasses = trespasses
        self._by_subject = {happening.subject: happening for happening in scenario.happenings}
        self._by_event = {happening.id: happening for happening in scenario.happenings}

    def evidence(self) -> Evidence:
        """Give it."""
        hub = records.read(self._database.file, Names(event=self._of_event, business=self._of_key, made=_made))
        families = {run.id: run.family for run in hub.runs}
        witnessed = list(self._witnessed({effect.key: effect.family for effect in hub.effects}))
        return Evidence(
            deliveries=self._shop.told,
            documents=[document for vendor in self._vendors.values() for document in self._documents(vendor)],
            wanted=list(self._wanted()),
            writes=[
                Write(
                    book=vendor.name,
                    address=received.address,
                    marker=received.marker,
                    family=self._of_name(received.name),
                    sha256=received.sha256,
                    refused=received.refused,
                )
                for vendor in self._vendors.values()
                for received in vendor.received
            ],
            hub=replace(
                hub,
                changes=witnessed,
                trespasses=[
                    Trespass(run_id=run_id, family=families.get(run_id, run_id), epoch=epoch, stood=stood)
                    for run_id, epoch, stood in self._trespasses
                ],
            ),
            expected=dict(self._expected()),
            flows=FLOWS,
        )

    # --- whose it is ----------------------------------------------------------------------------

    def _of_event(self, external_id: str) -> str:
        happening = self._by_event.get(external_id.partition("#")[0])
        return external_id if happening is None else happening.family

    def _of_key(self, business_key: str) -> str:
        return self._of_name(business_key.removeprefix("shop:"))

    def _of_name(self, name: str) -> str:
        happening = self._by_subject.get(name)
        return name if happening is None else happening.family

    # --- what is there --------------------------------------------------------------------------

    def _documents(self, vendor: Vendor) -> Iterator[Document]:
        for entry in vendor.entries:
            yield Document(
                book=vendor.name,
                kind=entry.kind,
                name=entry.name,
                family=self._of_name(entry.name),
                id=entry.id,
                facts=_told(entry),
                money=_minor(entry.facts),
                currency=entry.facts.get("currency"),
                place=entry.place if entry.kind in {"entries", "charges"} and not self._went_past(entry.name) else None,
                subject=entry.name,
            )
        for place, name in enumerate(vendor.versions_in_order("stocks")):
            yield Document(
                book=vendor.name,
                kind="version",
                name=name,
                family=name.partition("@")[0],
                place=None if self._went_past(name) else place,
                subject=name,
            )

    def _overtaken(self) -> set[str]:
        """Name the versions that the hub accepted after a newer one of the same thing."""
        found, newest = set(), 0
        for (key,) in self._database.file.execute(
            "SELECT business_key FROM runs WHERE flow = 'stock-to-ledger' AND replay_of IS NULL ORDER BY position"
        ):
            subject = key.removeprefix("shop:")
            version = int(subject.partition("@")[2])
            if version < newest:
                found.add(subject)
            newest = max(newest, version)
        return found

    def _went_past(self, subject: str) -> bool:
        """Tell whether a person let later things go past this one."""
        return f"shop:{subject}" in self._people.passed

    # --- what should be there -------------------------------------------------------------------

    def _wanted(self) -> Iterator[Wanted]:
        newest: dict[str, Happening] = {}
        overtaken = self._overtaken()
        for happening in self._scenario.happenings:
            match happening.type:
                case "sale.made":
                    yield from self._sale(happening)
                case "payment.taken":
                    yield self._money(happening, "charges", {"sale": self._entry_of(happening.family)})
                case "stock.changed":
                    newest[happening.family] = happening
                    yield Wanted(
                        book=LEDGER,
                        kind="version",
                        name=happening.subject,
                        family=happening.family,
                        needed=not self._is_ended(happening) and happening.subject not in overtaken,
                    )
                case _:
                    yield Wanted(
                        book=LEDGER,
                        kind="notices",
                        name=happening.subject,
                        family=happening.family,
                        needed=not self._is_ended(happening) and happening.subject not in self._unclear,
                    )
        for item, happening in newest.items():
            ended = any(self._is_ended(each) for each in self._scenario.happenings if each.family == item)
            facts = {name: happening.data[name] for name in ("version", "quantity")}
            yield Wanted(
                book=LEDGER, kind="stocks", name=item, family=item, facts={} if ended else facts, needed=not ended
            )

    def _sale(self, happening: Happening) -> Iterator[Wanted]:
        customer = self._scenario.customers[happening.data["customer"]]
        facts = {"customer": customer, "bought": happening.data["bought"]}
        yield self._money(happening, "entries", facts)
        entry = self._entry_of(happening.family)
        yield Wanted(
            book=SHOP,
            kind="sales",
            name=happening.subject,
            family=happening.family,
            facts={} if entry is None else {"ledger_id": entry},
            needed=not self._is_excused(happening),
        )

    def _money(self, happening: Happening, kind: str, facts: Mapping[str, object]) -> Wanted:
        amount = happening.data["amount"]
        return Wanted(
            book=LEDGER,
            kind=kind,
            name=happening.subject,
            family=happening.family,
            facts=facts,
            money=Decimal(amount["minor"]),
            currency=amount["currency"],
            needed=not self._is_excused(happening),
            never=self._is_left(happening),
        )

    def _entry_of(self, sale: str) -> str | None:
        entries = (entry for entry in self._vendors[LEDGER].entries if (entry.kind, entry.name) == ("entries", sale))
        return next((entry.id for entry in entries), None)

    def _is_left(self, happening: Happening) -> bool:
        """Tell whether a thing must stay an exception for ever."""
        return self._scenario.fate(happening.business_key) is not Fate.POSTED

    def _is_ended(self, happening: Happening) -> bool:
        return happening.business_key in self._people.ended

    def _is_excused(self, happening: Happening) -> bool:
        """Tell whether a thing may be missing: it must stop, a person ended it, or what it builds on is missing."""
        owner = self._by_subject.get(happening.family, happening)
        return self._is_ended(happening) or self._is_left(owner) or self._is_ended(owner)

    # --- which exceptions there must be ----------------------------------------------------------

    def _expected(self) -> Iterator[tuple[str, Expected]]:
        for family in sorted({happening.family for happening in self._scenario.happenings}):
            must: list[str] = []
            perhaps: set[str] = set()
            for happening in self._scenario.happenings:
                if happening.family != family:
                    continue
                fate = self._scenario.fate(happening.business_key)
                if fate is not Fate.POSTED:
                    (perhaps.add if self._is_ended(happening) else must.append)(fate.value)
                    # Before anybody can see that a sale is refused, its customer must be known.
                    perhaps.add(Fate.UNMAPPED.value)
                elif happening.type == "payment.taken" and self._is_excused(happening):
                    perhaps.add("sale-not-posted")
                elif happening.type == "stock.changed" and (
                    self._went_past(happening.subject) or happening.subject in self._overtaken()
                ):
                    perhaps.add("refused-409")
                elif happening.type == "warning.due" and happening.subject in self._unclear:
                    perhaps.add("outcome-unknown")
            yield family, Expected(exceptions=must, perhaps=frozenset(perhaps - set(must)))

    # --- what was witnessed ----------------------------------------------------------------------

    def _witnessed(self, effects: Mapping[str, str]) -> Iterator[Change]:
        runs = dict(self._database.file.execute("SELECT id, business_key FROM runs").fetchall())
        for kind, name, before, after in self._database.file.execute(
            "SELECT kind, id, before, after FROM witnessed ORDER BY number"
        ):
            family = self._of_key(runs.get(name, name)) if kind == "run" else effects.get(name, name)
            yield Change(kind=kind, id=name, family=family, before=before, after=after)


def _made(_connection: str, _operation: str, output: Any) -> str | None:
    return str(output["id"])


def _told(entry: Entry) -> dict[str, object]:
    return {name: value for name, value in entry.facts.items() if name not in {"amount", "currency"}}


def _minor(facts: Mapping[str, Any]) -> Decimal | None:
    if facts.get("amount") is None:
        return None
    return Decimal(facts["amount"]).scaleb(exponent(facts["currency"]))
