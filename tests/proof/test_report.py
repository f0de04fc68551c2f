"""The report's clearing table: Stripe's balance, and beside it what stands on the clearing accounts of both ERPs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.proof.conductor import Course
from hub.proof.oracle import judge
from hub.proof.report import Outcome, to_json
from hub.proof.scenario import Scenario
from tests.proof.test_sap_credits import ALL_PAID, BACK_PAID, CASES, CREDITS, FAILS_BACK, Books, books
from tests.proof.two_erps import gone, held, judged


def cleared(made: Books) -> dict[str, str]:
    """Give the row of S/4HANA's currency, as the report tells it to machines."""
    evidence = judged(made, credits=CREDITS, cases=CASES)
    outcome = Outcome(
        scenario=Scenario(seed=1, customers=(), invoices=()),
        course=Course(),
        books=held(made, credits=CREDITS),
        evidence=evidence,
        judgement=judge(evidence),
        injected={},
        seconds=1.0,
    )
    row: dict[str, str] = to_json(outcome)["clearing"]["EUR"]
    return row


#: Documents that are not there → what of Stripe's movements is not posted then, beside the refund of no credit note.
NOT_THERE: dict[str, tuple[Callable[[Books], object], str]] = {
    "all is posted": (lambda made: None, "-0.77"),
    "a refund is missing": (lambda made: gone(made, BACK_PAID), "-12.67"),
    "another one too": (lambda made: gone(made, BACK_PAID, ALL_PAID), "-42.67"),
    "a refund that came back": (lambda made: gone(made, FAILS_BACK), "5.18"),
}


@pytest.mark.parametrize("what", list(NOT_THERE))
def test_refunds_that_s4hana_has_count_as_posted(what: str) -> None:
    """They stand on the clearing account already; told as not posted, they are a difference nobody can explain."""
    spoil, not_posted = NOT_THERE[what]
    made = books()
    spoil(made)
    row = cleared(made)
    assert (row["not_posted"], row["unexplained"]) == (not_posted, "0.00")
