"""Accounts carried over by bulk jobs of the real process, in small: killed once, with all that is judged in large."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from hub.cli.proving import outside
from hub.errors import Refused
from hub.proof import account_load
from hub.proof.account_load import as_carried, batch_of, drawn, of_the_books


@pytest.mark.usefixtures("forked_processes")
def test_each_account_is_carried_over_once_although_the_hub_is_killed() -> None:
    """Those that cannot be mapped, or are refused, stop alone, and go through once that is mended."""
    proved = account_load.prove(Console(file=StringIO()), accounts=1000, kills=1, seed=1)
    assert proved.findings == []
    assert (proved.figures["kills"], proved.figures["stopped_alone"]) == (1, 2)
    assert proved.figures["jobs"]["JobComplete"] == 4


def books(*accounts: dict[str, Any], writes: int = 1) -> dict[str, Any]:
    accepted = [{"type": "Account", "id": one["Id"]} for one in accounts for _ in range(writes)]
    return {"records": {"Account": list(accounts)}, "accepted": accepted}


def test_what_is_not_as_it_must_be_is_told() -> None:
    ours = [{"Id": "1", "Name": "Elm", "BillingCity": "Graz", "BillingCountry": "AT"}, {"Id": "2", "Name": "Fir"}]
    elm = {**ours[0], "Id": "a", "Billing_Id__c": "1"}
    fir = {"Id": "b", "Name": "Fir", "Billing_Id__c": "2"}
    source = books(*ours)
    assert [*of_the_books(source, books(elm, fir), 2)] == []
    told = "\n".join(
        "\n".join(of_the_books(source, found, 2))
        for found in (
            books(elm),
            books(elm, fir, {**fir, "Id": "c"}),
            books(elm, fir, writes=2),
            books(elm, {**fir, "Name": "Fig"}),
            books({**elm, "BillingCity": "Linz"}, fir),
        )
    )
    for part in (
        "2 and 1 accounts, must have 2",
        "1 accounts are in the other org 0 times",
        "1 accounts are in the other org 2 times",
        "2 accounts were not written exactly once",
        "the Name of 2 is 'Fig'",
        "the BillingCity of 1 is 'Linz'",
    ):
        assert part in told


def test_an_address_without_a_country_is_none() -> None:
    nowhere = next(one for one in drawn(1) if "BillingCountry" not in one)
    assert as_carried(nowhere)["BillingCity"] is None
    assert as_carried({"Name": "A", "BillingStreet": "B\r\nC", "BillingCountry": "Germany"}) == {
        **dict.fromkeys(("AccountNumber", "Phone", "Invoice_Email__c", "Payment_Terms__c", "BillingCity")),
        "Name": "A",
        "BillingStreet": "B\nC",
        "BillingCountry": "DE",
    }


def test_there_are_several_batches() -> None:
    assert [batch_of(number) for number in (4, 2000, 100_000)] == [250, 250, 5000]


def test_it_is_asked_for_alone() -> None:
    nothing: dict[str, Any] = {"kills": 3, "power_cuts": 0, "invoices": 0, "timeouts": 30, "restores": 0, "seed": 1}
    assert outside(**nothing, accounts=10) is not None
    for more in ({"customers": 10}, {"restores": 1}):
        with pytest.raises(Refused, match="one proof at a time"):
            outside(**{**nothing, **more}, accounts=10)
