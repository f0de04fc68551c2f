"""What the oracle says of large invoices is what the shipped policy asks for, at every limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hub.policy.decision import decide
from hub.proof.consent import LIMITS, people_needed
from tests.ui.stage import shipped_bundle

NEAR = {limit + near for limits in LIMITS.values() for limit in limits for near in (-1, 0, 1)} | {0, 9_000_000_000}
AMOUNTS = sorted(NEAR | {-minor for minor in NEAR})


@pytest.mark.parametrize("policy", ["large-credits", "contract-changes"])
def test_credits_and_contracts_have_the_limits_of_invoices(policy: str) -> None:
    """Of a contract that becomes less somebody is asked whatever the amount."""
    asked, invoices = (shipped_bundle().policies[name] for name in (policy, "large-invoices"))
    for currency in [*LIMITS, "NOK"]:
        for minor in filter(lambda each: each >= 0, AMOUNTS):
            money = {"money": {"minor": minor, "currency": currency}}
            assert decide(asked, money).output == decide(invoices, money).output, (minor, currency)


@pytest.mark.parametrize("currency", [*LIMITS, "NOK", "XXX"])
def test_the_company_wants_what_its_policy_asks(currency: str) -> None:
    policy = shipped_bundle().policies["large-invoices"]
    for minor in AMOUNTS:
        asked = decide(policy, {"money": {"minor": minor, "currency": currency}}).output.get("approvals", 0)
        assert asked == people_needed(Decimal(minor), currency), (minor, currency)


def test_every_currency_of_the_books_has_limits_of_its_own() -> None:
    """Another one is asked about at any amount: nothing goes past people for want of a rule."""
    sold_in = shipped_bundle().tables["entity_currencies"].values()
    assert {currency for several in sold_in for currency in str(several).split()} == LIMITS.keys()
    for currency in LIMITS:
        assert people_needed(Decimal(9_000_000_000), currency) == people_needed(Decimal(-9_000_000_000), currency) == 2
    assert people_needed(Decimal(1), "NOK") == 1
