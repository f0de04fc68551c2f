"""The evidence of a trial: the vendors' books, what the shop told, and the hub's records, as the oracle judges them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof import records
from hub.proof.evidence import Consent, Document, Evidence, Expected, HubRecords, Trespass, Write
from hub.proof.records import Names
from hub.proof.simulation import witness
from hub.proof.simulation.expecting import Expecting
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.people import People, edited
from hub.proof.simulation.scenario import Scenario
from hub.proof.simulation.shop import Shop
from hub.proof.simulation.vendor import Entry, Vendor
from hub.sdk import exact_json

FLOWS = {
    "simulated.sale.made": ("sale-to-ledger",),
    "simulated.payment.taken": ("payment-to-ledger",),
    "simulated.stock.changed": ("stock-to-ledger",),
    "simulated.order.placed": ("order-to-ledger",),
    "simulated.warning.due": ("warning",),
    "simulated.bill.sent": ("bill-to-ledger",),
    "simulated.batch.closed": ("batch-to-ledger",),
    "simulated.deal.signed": ("deal-to-ledger",),
    "simulated.deal.confirmed": (),
    "concord.flow.total-to-ledger": ("total-to-ledger",),
    "concord.order.charged": ("charge-told",),
}
#: Kinds of entries whose order is that of their events.
_IN_ORDER = frozenset({"entries", "charges"})
#: Kinds of entries that take others back.
_TAKING_BACK = frozenset({"reversals", "refunds"})


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
        self._by_event = {happening.id: happening for happening in scenario.happenings}
        self._entries = {entry.id: entry for vendor in vendors.values() for entry in vendor.entries}

    def evidence(self) -> Evidence:
        """Give it."""
        names = Names(event=self._of_event, business=self._of_key, made=_made)
        hub = records.read(self._database.file, names)
        documents = [document for vendor in self._vendors.values() for document in self._documents(vendor)]
        expecting = Expecting(self._scenario, self._people, hub, documents, unclear=self._unclear)
        seen = witness.read(self._database.file)
        # What may be told anew with other content, once it is surely not there: by a second event, or by an edit.
        told_anew = {happening.data.get("bill") for happening in self._scenario.happenings} - {None}
        told_anew |= {key.removeprefix("shop:") for key in self._people.edited}
        return Evidence(
            deliveries=self._shop.told,
            documents=documents,
            wanted=list(expecting.wanted()),
            writes=[
                Write(
                    book=vendor.name,
                    address=received.address,
                    marker=received.marker,
                    family=self._of_name(received.name),
                    sha256=received.sha256,
                    refused=received.refused,
                    settles=received.settles,
                    afresh=received.missing and received.name in told_anew,
                )
                for vendor in self._vendors.values()
                for received in vendor.received
            ],
            hub=self._with_witness(hub, seen),
            expected=dict(self._expected(expecting)),
            flows=FLOWS,
            consents=dict(self._consents()),
            away=seen.away,
        )

    # --- whose it is ----------------------------------------------------------------------------

    def _of_event(self, external_id: str) -> str:
        happening = self._by_event.get(external_id.partition("#")[0])
        if happening is not None:
            return happening.family
        subject = self._database.file.execute(
            "SELECT subject FROM events WHERE external_id = ?", (external_id,)
        ).fetchone()
        return external_id if subject is None else self._of_name(subject[0])

    def _of_key(self, business_key: str) -> str:
        return self._of_name(business_key.partition(":")[2] or business_key)

    def _of_name(self, name: str) -> str:
        entry = self._entries.get(name)
        return self._scenario.family(entry.name if entry is not None and entry.name != name else name)

    # --- what is there --------------------------------------------------------------------------

    def _documents(self, vendor: Vendor) -> Iterator[Document]:
        for entry in vendor.entries:
            taken = self._entries.get(entry.name) if entry.kind in _TAKING_BACK else None
            money, currency = _money(taken or entry)
            yield Document(
                book=vendor.name,
                kind=entry.kind,
                name=entry.name,
                family=self._of_name(entry.name),
                id=entry.id,
                facts=_told(entry),
                money=-money if money is not None and taken is not None else money,
                currency=currency,
                # What a person let others go past has no order any more.
                place=entry.place if entry.kind in _TAKING_BACK or not self._went_past(entry.name) else None,
                subject=entry.name if entry.kind in _IN_ORDER else None,
                reverses=entry.name if taken is not None else None,
                stage=_stage(entry),
                marker=entry.mark or "",
            )
        for place, name in enumerate(vendor.versions_in_order("stocks")):
            yield Document(
                book=vendor.name,
                kind="version",
                name=name,
                family=self._of_name(name),
                place=None if self._went_past(name) else place,
                subject=name,
            )

    def _went_past(self, subject: str) -> bool:
        return f"shop:{subject}" in self._people.passed

    # --- what must have been --------------------------------------------------------------------

    def _expected(self, expecting: Expecting) -> Iterator[tuple[str, Expected]]:
        for family in sorted({happening.family for happening in self._scenario.happenings}):
            yield family, expecting.exceptions(family)

    def _consents(self) -> Iterator[tuple[str, Consent]]:
        for happening in self._scenario.happenings:
            people = self._scenario.agreement(happening)
            if people:
                said = [happening.data]
                if happening.business_key in self._people.edited:
                    said.append(edited(happening.data))
                yield (
                    happening.business_key,
                    Consent(
                        people=people,
                        record_hashes=frozenset(map(_digest, said)),
                        began=self._people.began.get(happening.business_key, {}),
                        # What a deal has noted beside it or before needs nobody's agreement.
                        operations=frozenset({"entry.create"} if happening.type == "deal.signed" else ()),
                    ),
                )

    def _with_witness(self, hub: HubRecords, seen: witness.Seen) -> HubRecords:
        families = {run.id: run.family for run in hub.runs} | {effect.key: effect.family for effect in hub.effects}
        return replace(
            hub,
            effects=[replace(effect, intended=seen.intended.get(effect.key, ())) for effect in hub.effects],
            changes=[replace(change, family=families.get(change.id, change.id)) for change in seen.changes],
            trespasses=[
                Trespass(run_id=run_id, family=families.get(run_id, run_id), epoch=epoch, stood=stood)
                for run_id, epoch, stood in self._trespasses
            ],
            approvals=seen.approvals,
            holds=seen.holds,
        )


def _made(_connection: str, _operation: str, output: Any) -> str | None:
    return str(output["id"])


def _told(entry: Entry) -> dict[str, object]:
    return {name: value for name, value in entry.facts.items() if name not in {"amount", "currency"}}


def _money(entry: Entry) -> tuple[Decimal | None, str | None]:
    if entry.facts.get("amount") is None:
        return None, None
    currency = entry.facts["currency"]
    return Decimal(entry.facts["amount"]).scaleb(exponent(currency)), currency


def _stage(entry: Entry) -> int | None:
    """Give the place of the step that made an entry of an order; None for what is not of one."""
    owner, _, part = entry.name.partition(".")
    if not owner.startswith("order") or entry.kind not in _IN_ORDER:
        return None
    return {"fee": 1, "total": 2}.get(part, 0)


def _digest(said: Mapping[str, object]) -> str:
    # What is approved is the event's data, read back as the hub has it: exact numbers, keys in order.
    data = exact_json.loads(exact_json.dumps(dict(said)))
    return hashlib.sha256(exact_json.canonical(data)).hexdigest()
