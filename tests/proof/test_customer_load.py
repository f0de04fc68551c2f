"""Customers carried over by the real process, in small: killed once, with all that the large proof judges."""

from __future__ import annotations

import random
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from hub.cli.proving import outside
from hub.errors import Refused
from hub.proof import customer_load
from hub.proof.loads import Course


@pytest.mark.long("concord prove --customers 1000 --kills 2")
@pytest.mark.usefixtures("forked_processes")
@pytest.mark.processes
def test_each_customer_is_carried_over_once_although_the_hub_is_killed() -> None:
    proved = customer_load.prove(Console(file=StringIO()), customers=200, kills=1, seed=1)
    assert proved.findings == []
    assert (proved.figures["kills"], proved.figures["refused_by_limits"]) == (1, {"stripe": 0, "netsuite": 0})
    assert 1 < proved.figures["at_once_at_netsuite"] <= 5


def test_what_is_not_as_it_must_be_is_told() -> None:
    course = Course(kills=0, peak=900, memory={0: 100, 1: 110, 9: 300}, last={"stopped": 2})
    refused = {"stripe": {"refused_by_limits": 3}, "netsuite": {"refused_by_limits": 0}}
    told = "\n".join(customer_load._of_the_way(course, refused, 1))
    for part in ("came to a stand", "killed 0 times", "stripe refused 3", "900 MB", "from 110 MB", "2 runs stopped"):
        assert part in told


def test_some_customers_lack_something() -> None:
    drawn = [customer_load.drawn(number, random.Random(1)) for number in range(100)]
    assert sum("address" not in one for one in drawn) == 4
    assert sum(one.get("metadata") == {"entity": "DE01"} for one in drawn) == 2
    assert sum("name" not in one for one in drawn) == 2
    assert drawn == [customer_load.drawn(number, random.Random(1)) for number in range(100)]


def test_it_is_asked_for_alone() -> None:
    nothing: dict[str, Any] = {"kills": 3, "power_cuts": 0, "invoices": 0, "timeouts": 30, "restores": 0, "seed": 1}
    assert outside(**nothing, customers=10) is not None
    with pytest.raises(Refused, match="--customers or --restores"):
        outside(**{**nothing, "restores": 1}, customers=10)
