"""The contract of tax engines: the connectors that ship fulfil it, and what falls short is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.avatax.connector import CONNECTOR as AVATAX
from connectors.helloworld.connector import CONNECTOR as HELLOWORLD
from connectors.stripe.connector import CONNECTOR as STRIPE
from connectors.taxtable.connector import CONNECTOR as TAXTABLE
from connectors.taxtable.samples import SAMPLES
from hub.sdk.connector import Connector, ReadOperation, WriteOperation
from hub.sdk.tax import CONTRACT, SCHEMAS, shortcomings
from hub.sdk.testing.battery import ConnectorBattery


@pytest.mark.parametrize("connector", [AVATAX, STRIPE, TAXTABLE], ids=["avatax", "stripe", "taxtable"])
def test_an_engine_that_ships_fulfils_the_contract(connector: Connector) -> None:
    assert shortcomings(connector) == []


def test_what_is_no_engine_lacks_everything() -> None:
    found = shortcomings(HELLOWORLD)
    assert len(found) == len(CONTRACT) + 1
    assert "It has no operation `tax.commit`." in found


def test_an_engine_in_its_own_words_is_told() -> None:
    """Another input, a read where a write is wanted, other schemas, and a commit that nothing takes back."""
    commit = AVATAX.operation("tax.commit")
    assert isinstance(commit, WriteOperation)
    others = [operation for operation in AVATAX.operations if operation.name != "tax.commit"]
    wrong = replace(commit, input={"type": "object"}, undo=None)
    found = shortcomings(replace(AVATAX, operations=(*others, wrong), schemas={**SCHEMAS, "tax.result@1": {}}))
    assert [sentence.partition("`")[2].partition("`")[0] for sentence in found[:1]] == ["tax.commit"]
    assert any("tax.result@1" in sentence for sentence in found)
    assert found[-1] == "`tax.commit` must be taken back by `tax.void`."
    quote = AVATAX.operation("tax.quote")
    assert quote is not None
    renamed = replace(quote, name="tax.commit")
    assert "`tax.commit` must be a write." in shortcomings(replace(AVATAX, operations=(*others, renamed)))


async def test_an_engine_that_does_not_say_its_own_tax_fails_the_battery() -> None:
    """Whatever was billed would be recorded, and nobody could see that it is wrong."""
    quote = TAXTABLE.operation("tax.quote")
    assert isinstance(quote, ReadOperation)

    async def read(session: Any, record: Any) -> Any:
        result = await quote.read(session, record)
        first, *others = result["lines"]
        return {**result, "lines": [{k: v for k, v in first.items() if k != "calculated_tax"}, *others]}

    operations = [replace(quote, read=read) if each is quote else each for each in TAXTABLE.operations]
    silent = replace(TAXTABLE, operations=tuple(operations))
    battery = type("Silent", (ConnectorBattery,), {"connector": silent, "samples": SAMPLES})()
    assert isinstance(battery, ConnectorBattery)
    with pytest.raises(AssertionError, match="without `calculated_tax`"):
        await battery.test_an_engine_says_its_own_tax_beside_what_was_billed()
