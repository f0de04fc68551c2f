"""An invoice that the ERP refuses for good leaves no tax behind: the flow that ships, against the real sandboxes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from hub.connections.embedded import EmbeddedTransport
from hub.errors import Conflict
from hub.model.event import InboundEvent, Via
from hub.queries import cases, runs, timeline
from hub.queries.runs import RunFilter, RunRow
from hub.queries.view import View
from hub.runtime.clock import SystemClock
from hub.sdk.exact_json import loads
from hub.sdk.transport import Transport
from hub.store.account_tables import embedded_documents
from hub.store.tables import effects
from tests.engine.house import House
from tests.engine.vendor import Vendor
from tests.ui.stage import shipped_bundle
from tests.workspace.test_money_path import every_kind, open_books, wish
from tests.workspace.walk import Walk, walking

FLOW = "invoice-to-erp"


@asynccontextmanager
async def company(folder: Path, customer: str = "de") -> AsyncIterator[tuple[House, Walk, str]]:
    """Open a house with the shipped workspace and sandboxes in which one invoice is finalised; gives its id too."""
    bundle = shipped_bundle()
    async with walking(bundle) as walk:
        (invoice,) = await open_books(walk, wish(every_kind(customer)[:1]))
        house = House(folder, Vendor(), bundle, clock=SystemClock())  # type: ignore[arg-type]
        transports = []
        for name, connected in walk.connected.items():
            transport = Transport(private_hosts=[urlsplit(connected.settings.base_url).hostname or ""])
            embedded = walk.connectors[name].embedded
            if embedded is not None:
                transport = EmbeddedTransport(
                    embedded,
                    connected.settings,
                    environment="test",
                    connection=name,
                    database=house.database,
                    committer=house.committer,
                    ambient=house.ambient,
                    revision=lambda: (bundle.id, bundle.files),
                )
            house.connect(name, transport, walk.connectors[name], settings=connected.settings)
            transports.append(transport)
        await house.start()
        try:
            yield house, walk, invoice
        finally:
            await house.stop()
            for transport in transports:
                await transport.close()


async def ended(house: House, walk: Walk, invoice: str, *, customer: str | None = None) -> RunRow:
    """Let the invoice's event come and give its run once it has ended; `customer` is its id in the ERP."""
    (bill,) = books(walk, "stripe")["invoices"]
    known = walk.crossrefs["customer", "stripe", bill["customer"], "netsuite"]
    await house.orders.link("customer", [{"stripe": bill["customer"], "netsuite": customer or known}], actor="local")
    record = {"id": invoice, "object": "invoice"}
    event = InboundEvent(
        external_id="evt_1",
        type="stripe.invoice.finalized",
        occurred_at=house.ambient.now(),
        subject=invoice,
        data={"object": record},
        record=record,
    )
    await house.intake.accept("stripe", [event], Via.API)
    return await at_rest(house)


async def at_rest(house: House) -> RunRow:
    """Wait for the end of the newest run."""
    async with asyncio.timeout(30):
        while True:
            run = runs.listing(view(house), RunFilter(flow=FLOW)).runs[0]
            if run.finished_at is not None or run.state == "parked":
                return run
            await asyncio.sleep(0.02)


def view(house: House) -> View:
    return View(environment="test", database=house.database, ambient=house.ambient)


def books(walk: Walk, name: str) -> Any:
    return walk.sandboxes[name].world.books.snapshot()


async def test_what_the_erp_refuses_for_good_leaves_a_void_tax_document_and_a_case(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, walk, invoice):
        run = await ended(house, walk, invoice, customer="999999")
        assert run.state == "compensated"
        assert books(walk, "netsuite")["invoices"] == []
        assert [document["status"] for document in books(walk, "tax")["documents"]] == ["Cancelled"]
        detail = timeline.detail(view(house), run.id, payloads=True)
        assert [step.path for step in detail.steps if step.kind == "undo"] == ["undo:tax"]
        (case,) = cases.listing(view(house)).cases
        assert "Taken back: tax." in case.detail
        with house.database.reading() as connection:
            rows = connection.execute(select(effects).order_by(effects.c.created_at)).all()
        made = {row.path: row for row in rows}
        assert made["tax"].state == made["undo:tax"].state == "done"
        assert made["undo:tax"].undoes == made["tax"].key


async def test_what_the_erp_takes_is_posted_once_and_its_tax_stays(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, walk, invoice):
        run = await ended(house, walk, invoice)
        assert run.state == "succeeded"
        assert len(books(walk, "netsuite")["invoices"]) == 1
        assert [document["status"] for document in books(walk, "tax")["documents"]] == ["Committed"]
        detail = timeline.detail(view(house), run.id, payloads=True)
        approval = next(step for step in detail.steps if step.path == "approval")
        assert approval.output["approved"] is True
        assert approval.output["by"] == []


async def test_once_the_cause_is_mended_it_is_written_once_more_with_a_tax_of_its_own(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, walk, invoice):
        refused = await ended(house, walk, invoice, customer="999999")
        with pytest.raises(Conflict):
            await house.run_orders.replay(refused.id, actor="person:p_1")
        (bill,) = books(walk, "stripe")["invoices"]
        known = walk.crossrefs["customer", "stripe", bill["customer"], "netsuite"]
        row = {"stripe": bill["customer"], "netsuite": known}
        await house.orders.link("customer", [row], actor="person:p_1", replace=True)
        there = [each.key for each in timeline.detail(view(house), refused.id, payloads=True).standing.written]
        reason = "the customer was another one"
        await house.run_orders.replay(refused.id, actor="person:p_1", reason=reason, confirmed=there)
        assert (await at_rest(house)).state == "succeeded"
        assert [document["status"] for document in books(walk, "tax")["documents"]] == ["Cancelled", "Committed"]
        assert len(books(walk, "netsuite")["invoices"]) == 1


def kept(house: House) -> dict[str, str]:
    """Give the status of each document that the table engine has kept, by its name."""
    with house.database.reading() as connection:
        rows = connection.execute(select(embedded_documents.c.name, embedded_documents.c.value)).all()
    return {row.name: loads(row.value)["status"] for row in rows if row.name.startswith("document:")}


async def test_the_tables_record_what_the_policy_leaves_to_them(tmp_path: Path) -> None:
    async with company(tmp_path, "au") as (house, walk, invoice):
        run = await ended(house, walk, invoice)
        assert run.state == "succeeded"
        (bill,) = books(walk, "stripe")["invoices"]
        assert kept(house) == {f"document:sale:{bill['number']}": "committed"}
        assert books(walk, "tax")["documents"] == []
        steps = {step.path: step for step in timeline.detail(view(house), run.id, payloads=True).steps}
        assert steps["tax"].output["nexus"] == [{"country": "AU", "collecting": True}]


async def test_the_tables_void_what_the_erp_refuses(tmp_path: Path) -> None:
    async with company(tmp_path, "au") as (house, walk, invoice):
        run = await ended(house, walk, invoice, customer="999999")
        assert run.state == "compensated"
        assert set(kept(house).values()) == {"voided"}
        assert books(walk, "netsuite")["invoices"] == []
