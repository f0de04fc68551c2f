"""A journal entry that was handed in is confirmed later: the flow of the connector's page sees what became of it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from sqlalchemy import select

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import JOURNAL, SAMPLES
from hub.model.run import RunState
from hub.proof.certification.flows import CONNECTION
from hub.proof.certification.stand import Stand, stand
from hub.sdk.connector import WriteOperation
from hub.sdk.testing.sending import Connected
from hub.store.tables import cases, runs
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.connectors.s4hana.conftest import basic
from tests.connectors.s4hana.linking import KEY, OTHER_KEY
from tests.proof.test_vendor_drift import ROOT


def documented() -> Bundle:
    """Compile the flow that stands in the connector's page."""
    page = (ROOT / "connectors" / "s4hana" / "README.md").read_text("utf-8")
    (flow,) = re.findall(r"```yaml\n(# flows/entry-confirmed\.yaml\n.*?)```", page, re.DOTALL)
    files = {
        f"connections/{CONNECTION}.yaml": f"connection: {CONNECTION}\nconnector: s4hana\n".encode(),
        "flows/entry-confirmed.yaml": flow.encode(),
        "policies/erp.yaml": (ROOT / "policies" / "erp.yaml").read_bytes(),
    }
    bundle, lints = compile_bundle(files, catalogue_of([CONNECTOR]))
    assert bundle is not None, [str(lint) for lint in lints]
    assert lints == []
    return bundle


async def test_a_refused_entry_calls_a_person_and_a_posted_one_is_read() -> None:
    async with stand(CONNECTOR, SAMPLES, documented()) as hub:
        secret = hub.account.settings.webhook_secret.get_secret_value()  # type: ignore[attr-defined]
        arrived: list[asyncio.Task[Any]] = []

        async def post(_url: str, headers: Any, body: bytes, _seconds: float) -> int:
            lowered = {name.lower(): value for name, value in headers.items()}
            arrived.append(asyncio.create_task(hub.intake.webhook(CONNECTION, lowered, body)))
            return 202

        hub.sandbox.world.post = post
        door = {"confirmation_url": "https://hub.example/hooks/s4hana"}
        settings = {"posting_seconds": 0, **door, "confirmation_authorization": basic("SAP", secret)}
        await hub.sandbox.world.books.seed({"settings": settings})
        submit = CONNECTOR.operation("journal_entry.submit")
        assert isinstance(submit, WriteOperation)
        connected = Connected(CONNECTOR, hub.beside)
        wrong = [{"account": "41999999", "amount": "-1"}, {"account": "11001000", "amount": "1"}]
        await connected.write(submit, JOURNAL, KEY)
        await connected.write(submit, {**JOURNAL, "lines": wrong}, OTHER_KEY)
        await connected.close()
        await hub.until(lambda: len(arrived) == 2 and all(each.done() for each in arrived) and len(ended(hub)) == 2)
        assert sorted(ended(hub)) == [(RunState.PARKED, "entry-refused"), (RunState.SUCCEEDED, None)]


def ended(hub: Stand) -> list[tuple[str, str | None]]:
    """Give the state of each run that is over, with the code of its case."""
    with hub.database.reading() as reading:
        rows = reading.execute(select(runs.c.state, cases.c.reason).outerjoin(cases, cases.c.run_id == runs.c.id)).all()
    return [(row.state, row.reason) for row in rows if row.state in (RunState.PARKED, RunState.SUCCEEDED)]
