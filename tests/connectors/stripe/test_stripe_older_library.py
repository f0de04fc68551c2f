"""Older releases of Stripe's library against the sandbox, where `CONCORD_OLDER_STRIPE` names folders that hold them.

Each folder has one release, put there by `pip install --no-deps --target FOLDER stripe==12.5.1`; several are separated
as in `PATH`. Nothing is fetched from here, because tests reach no other machine.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from hub.sandbox.server import Running
from tests.connectors.stripe.with_library import run

FOLDERS = [folder for folder in os.environ.get("CONCORD_OLDER_STRIPE", "").split(os.pathsep) if folder]


def check(seen: dict[str, Any]) -> None:
    acacia = seen["api_version"].endswith(".acacia")
    assert seen["period_on"] == ("subscription" if acacia else "item")
    assert seen["link"] == ("subscription" if acacia else "parent")
    assert seen["invoices"] == ["paid", "paid", "uncollectible", "void"]
    assert seen["totals"] == [2700, 250, 100]
    assert seen["ending"] == ["active", True]
    assert seen["payments"] == 2
    assert all(seen[name] is True for name in ("found", "subscriptions", "prices", "meters"))
    assert seen["refused"] == ["IdempotencyError", "invoice_not_editable", "parameter_unknown", "resource_missing"]


async def test_the_present_release_does_the_same(sandbox: Running) -> None:
    seen = await run("older_library.py", sandbox, [])
    assert seen["api_version"].endswith(".endive")
    check(seen)


@pytest.mark.skipif(not FOLDERS, reason="CONCORD_OLDER_STRIPE names no folder with an older release")
@pytest.mark.parametrize("folder", FOLDERS)
async def test_an_older_release_works_and_sees_its_own_shapes(sandbox: Running, folder: str) -> None:
    seen = await run("older_library.py", sandbox, [folder])
    assert int(seen["release"].split(".")[0]) < 16
    check(seen)
