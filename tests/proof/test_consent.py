"""What the oracle says of large invoices is what the shipped policy asks for, at every limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hub.policy.decision import decide
from hub.proof.consent import LIMITS, people_needed
from tests.ui.stage import shipped_bundle

AMOUNTS = sorted({limit + near for limits in LIMITS.values() for limit in limits for near in (-1, 0, 1)} | {0})


@pytest.mark.parametrize("currency", [*LIMITS, "SEK", "CAD"])
def test_the_company_wants_what_its_policy_asks(currency: str) -> None:
    policy = shipped_bundle().policies["large-invoices"]
    for minor in AMOUNTS:
        asked = decide(policy, {"money": {"minor": minor, "currency": currency}}).output.get("approvals", 0)
        assert asked == people_needed(Decimal(minor), currency), (minor, currency)
