"""Credit notes and refunds in S/4HANA, with crashes: each is there once, and is taken back once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import Point, Where
from tests.proof.in_s4hana import Ended, ended, in_s4hana

__all__ = ["in_s4hana"]
pytestmark = pytest.mark.usefixtures("in_s4hana")
RECEIVABLE = "12100000"
TOTAL, GIVEN = Decimal("118.89"), Decimal("23.77")


def on_account(found: Ended, type: str) -> Sequence[Decimal]:
    """Give what each document of a type is about, as the customer's account has it."""
    return [document[RECEIVABLE] for document in found.documents.get(type, ())]


@pytest.mark.parametrize(
    ("name", "invoices", "memos", "payments", "owed"),
    [
        ("credit-note-to-erp that is taken back, and voided", [TOTAL, GIVEN], [-GIVEN], [], TOTAL),
        ("credit-note-to-erp that is voided, and taken back", [TOTAL, GIVEN], [-GIVEN], [], TOTAL),
        ("refund-to-erp that is taken back, and fails", [TOTAL], [-GIVEN], [-TOTAL, GIVEN, -GIVEN], -GIVEN),
        ("refund-to-erp that has failed, and is taken back", [TOTAL], [-GIVEN], [-TOTAL, GIVEN, -GIVEN], -GIVEN),
    ],
)
def test_it_is_there_once_and_taken_back_once(
    name: str, invoices: list[Decimal], memos: list[Decimal], payments: list[Decimal], owed: Decimal
) -> None:
    """Whoever comes first; of all points at which the process may die, the last on either side is tried."""
    case = next(case for case in CASES if case.name == name)
    whole = ended(case)
    assert (on_account(whole, "DR"), on_account(whole, "DG"), on_account(whole, "DZ")) == (invoices, memos, payments)
    assert (whole.owed, whole.cases) == (owed, ())
    for where, number in ((Where.AFTER_COMMIT, whole.commits), (Where.AFTER_CALL, whole.calls)):
        crashed = ended(case, Point(where=where, number=number))
        assert crashed.died
        assert (crashed.documents, crashed.owed, crashed.cases) == (whole.documents, whole.owed, whole.cases)
