"""The contract of tax engines: the connectors that ship fulfil it, and what falls short is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.avatax.connector import CONNECTOR as AVATAX
from connectors.helloworld.connector import CONNECTOR as HELLOWORLD
from connectors.stripe.connector import CONNECTOR as STRIPE
from connectors.taxtable.connector import CONNECTOR as TAXTABLE
from hub.sdk.connector import Connector, WriteOperation
from hub.sdk.tax import CONTRACT, SCHEMAS, shortcomings


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
