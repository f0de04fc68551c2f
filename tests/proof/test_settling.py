"""When the demo may judge: everything that was told has its run, and nothing is left to do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from hub.proof.conductor import complete, idle


def _summary(**runs: dict[str, int]) -> dict[str, Any]:
    return {"runs": {name.replace("_", "-"): counts for name, counts in runs.items()}, "waiting": {}}


def test_runs_of_another_flow_do_not_stand_for_a_lost_webhook() -> None:
    """The ERP tells of customers as often as it likes; a notice of billing's that got lost is still to come."""
    told = _summary(collections_notice={"succeeded": 2, "parked": 1}, customer_to_billing={"succeeded": 42})
    assert not complete(told, Counter({"collections-notice": 4}))
    assert complete(told, Counter({"collections-notice": 3}))
    assert not complete(told, Counter({"refund-to-erp": 1}))


@pytest.mark.parametrize("state", ["running", "compensating"])
def test_what_is_under_way_is_not_at_rest(state: str) -> None:
    """Runs that stopped for a person, and waits for events, may stay for good."""
    assert not idle(_summary(invoice_to_erp={state: 1}))
    assert not idle({**_summary(), "waiting": {"retry": 1}})
    assert idle({**_summary(invoice_to_erp={"parked": 2, "queued": 1}), "waiting": {"event": 2}})
