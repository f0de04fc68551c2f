"""Older releases of Stripe's library against the sandbox, where `CONCORD_OLDER_STRIPE` names folders that hold them.

Each folder has one release, put there by `pip install --no-deps --target FOLDER stripe==12.5.1`; several are separated
as in `PATH`. Nothing is fetched from here, because tests reach no other machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.sandbox.server import Running

FOLDERS = [folder for folder in os.environ.get("CONCORD_OLDER_STRIPE", "").split(os.pathsep) if folder]
SCRIPT = Path(__file__).with_name("older_library.py")


async def run(sandbox: Running, paths: list[str]) -> dict[str, Any]:
    """Run the script with the library found first in `paths`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        sandbox.url,
        str(sandbox.announcement["api_key"]),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output)
    return seen


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
    seen = await run(sandbox, [])
    assert seen["api_version"].endswith(".endive")
    check(seen)


@pytest.mark.skipif(not FOLDERS, reason="CONCORD_OLDER_STRIPE names no folder with an older release")
@pytest.mark.parametrize("folder", FOLDERS)
async def test_an_older_release_works_and_sees_its_own_shapes(sandbox: Running, folder: str) -> None:
    seen = await run(sandbox, [folder])
    assert int(seen["release"].split(".")[0]) < 16
    check(seen)
