"""Cases of the crash sweep whose books are in S/4HANA: what its ledger comes to, wherever the process dies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hub
from hub.proof import wishes
from hub.proof.evidence import Evidence
from hub.proof.scenario import Scenario
from hub.proof.simulation import campaign, crm, playing, shipped
from hub.proof.simulation.case import Case
from hub.proof.simulation.loop import VirtualLoop
from hub.proof.simulation.playing import Point
from hub.proof.simulation.sandboxed import Sandboxed
from hub.sandbox.world import Post
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files

ERP, CUSTOMER = "s4hana", "11000001"
_BOOKS = "mappings/tables/entity_books.csv"
_TENANT = {"customers": [{"number": CUSTOMER, "name": "Alder Works", "company_codes": ["1010"]}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a case ended: amounts by account, by type of document; what is open on customers' accounts; open cases."""

    documents: Mapping[str, list[dict[str, Decimal]]]
    owed: Decimal
    cases: tuple[str, ...]
    died: bool
    commits: int
    calls: int


@cache
def moved(*_given: object) -> Bundle:
    """Compile the shipped workspace with the German company's books in S/4HANA."""
    files = dict(read_files(Path(hub.__file__).resolve().parent.parent))
    files[_BOOKS] = files[_BOOKS].replace(b"DE01,netsuite", b"DE01,s4hana")
    bundle, lints = compile_bundle(files, catalogue_of(list(shipped.connectors().values())))
    assert bundle is not None, [str(lint) for lint in lints]
    return bundle


@pytest.fixture
def in_s4hana(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cases be played with four vendors, of whom S/4HANA has the books."""
    campaign.be_quiet()
    known = shipped.settings

    def settings(vendor: str, told: Mapping[str, Any], *, url: str, webhook_secret: str) -> dict[str, Any]:
        if vendor == ERP:
            return {
                "base_url": url,
                "user": told["user"],
                "password": told["password"],
                "webhook_secret": "shown-by-the-sender",
            }
        return known(vendor, told, url=url, webhook_secret=webhook_secret)

    monkeypatch.setattr(shipped, "settings", settings)
    monkeypatch.setattr(shipped, "compiled", moved)
    monkeypatch.setattr(playing, "VENDORS", (*playing.VENDORS, ERP))
    monkeypatch.setattr(playing, "Sandboxed", _sandboxed)


def _sandboxed(name: str, loop: VirtualLoop, *, seed: int, post: Post | None = None) -> Sandboxed:
    """Open a vendor's sandbox; what S/4HANA has to tell, nobody takes."""
    return Sandboxed(name, loop, seed=seed, post=crm.nobody if name == ERP else post)


class _InS4hana(playing._Play):
    """One run of a case; the ledger itself is looked at in the place of what the oracle knows of the other ERP."""

    async def _set_up(self, scenario: Scenario) -> str:
        self._ids.update((await self._sandboxes["stripe"].seed(wishes.stripe_catalogue(scenario)))["keys"])
        await self._sandboxes[ERP].seed(_TENANT)
        await self._sandboxes["tax"].seed(wishes.tax_wish())
        endpoint = {"key": "hub", "url": f"{playing.HUB}/hooks/stripe", "enabled_events": list(self._case.watched)}
        made = await self._sandboxes["stripe"].seed({"endpoints": [endpoint]})
        (customer,) = scenario.customers
        for system, name in (("stripe", self._ids[customer.key]), (ERP, CUSTOMER)):
            self._database.file.execute(
                "INSERT INTO crossrefs VALUES (?, 'customer', ?, ?, 'thing0', 0, NULL, NULL, 0)",
                (shipped.ENVIRONMENT, system, name),
            )
        return str(made["made"]["endpoints"][0]["secret"])

    def _evidence(self) -> Evidence:
        return Evidence()

    def ended(self) -> Ended:
        played = self.play()
        assert list(self._more) == []
        found: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
        owed = Decimal(0)
        for row in self._sandboxes[ERP].books()["tables"]["JournalItem"]:
            amounts = found[row["AccountingDocumentType"]][row["AccountingDocument"]]
            amount = Decimal(row["AmountInTransactionCurrency"])
            amounts[row["GLAccount"]] = amounts.get(row["GLAccount"], Decimal(0)) + amount
            owed += amount if row.get("Customer") and not row.get("IsCleared") else 0
        file = self._database.file
        return Ended(
            documents={type: [each for _, each in sorted(entries.items())] for type, entries in found.items()},
            owed=owed,
            cases=tuple(reason for (reason,) in file.execute("SELECT reason FROM cases WHERE state != 'closed'")),
            died=played.died,
            commits=played.commits,
            calls=played.calls,
        )


def ended(case: Case, point: Point | None = None) -> Ended:
    """Play a case, let the process die at a point, and give what came of it."""
    return _InS4hana(case, point, None).ended()
