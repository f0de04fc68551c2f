"""The page on sandboxes tells of every fault, every key of a plan, and every call of the control address."""

from __future__ import annotations

import re
from pathlib import Path

from connectors.salesforce.sandbox.app import sandbox as salesforce
from connectors.stripe.sandbox.app import sandbox as stripe
from hub.sandbox.control import control_application
from hub.sandbox.faults import PLAN_KEYS, REQUEST_KINDS
from hub.sandbox.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "sandboxes.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))


def test_every_fault_is_told_of() -> None:
    assert (REQUEST_KINDS | stripe.fault_kinds | salesforce.fault_kinds) - NAMED == set()


def test_every_key_of_a_plan_is_told_of() -> None:
    assert set() == PLAN_KEYS - NAMED


def test_every_call_of_the_control_address_is_told_of() -> None:
    routes = control_application(World(name="none", seed=1)).router.routes()
    calls = {f"{route.method} {route.resource.canonical}" for route in routes if route.resource is not None}
    assert {call for call in calls if not call.startswith("HEAD")} - NAMED == set()
