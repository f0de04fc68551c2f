"""The shipped hold of the ERPs: what posts waits while its period is closed, in whichever ERP, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.policy.decision import decide
from hub.policy.kinds import HOLD
from hub.sdk.connector import WriteOperation
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files

#: How each ERP calls the day on which something is posted.
DAYS = {"netsuite": "tranDate", "s4hana": "posting_date"}
#: Sales orders are dated and post nothing: the ERP takes them into closed periods, and amends them there.
POSTS_NOTHING = {"sales_order.upsert"}
CLOSED, OPEN = "2019-12-30", "2026-01-31"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    root = Path(hub.__file__).resolve().parent.parent
    compiled, lints = compile_bundle(read_files(root), catalogue_of([*load_connectors().values()]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


def dated() -> Iterator[tuple[str, str, Any]]:
    """Give connection, operation and input of each write of an ERP that bears a day of posting."""
    for connection, day in DAYS.items():
        connector = import_module(f"connectors.{connection}.connector").CONNECTOR
        for sample in import_module(f"connectors.{connection}.samples").SAMPLES.writes:
            assert isinstance(connector.operation(sample.operation), WriteOperation)
            if day in sample.input:
                yield connection, sample.operation, {**sample.input, day: CLOSED}


@pytest.mark.parametrize(("connection", "operation", "record"), list(dated()))
def test_what_posts_waits_while_its_period_is_closed(
    bundle: Bundle, connection: str, operation: str, record: dict[str, Any]
) -> None:
    policy = bundle.guard(HOLD.name, connection=connection, environment="production")
    assert policy is not None
    asked = {"operation": operation, "entity": "SG01", "input": record, "now": "2026-02-01T09:00:00Z"}
    rules = decide(policy, asked).rules
    assert rules == (() if operation in POSTS_NOTHING else ("closed period",))
    assert decide(policy, {**asked, "input": {**record, DAYS[connection]: OPEN}}).rules == ()


def test_each_journal_entry_bears_its_day() -> None:
    named = {operation for connection, operation, _ in dated() if connection == "s4hana"}
    assert named == {
        "invoice.post",
        "credit_memo.post",
        "payment.post",
        "journal_entry.post",
        "journal_entry.submit",
        "journal_entry.reverse",
    }
