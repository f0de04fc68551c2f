"""Flows that give back wrongly: each is seen in the vendors' books, although the flow itself ends well."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing, shipped
from hub.proof.simulation.cases import CASES
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files

By = Callable[[re.Match[str]], str]
ROOT = Path(hub.__file__).resolve().parent.parent
APPLIED = r'applied: "memo\.applications.*"'
COMPARED = ', "applications[].amount"'


@pytest.mark.parametrize(
    ("case", "flow", "pattern", "by", "broken"),
    [
        (
            "credit-note-to-erp whose sale is filed",
            "credit-note-to-erp",
            f"{APPLIED}|{re.escape(COMPARED)}",
            lambda found: "" if found[0] == COMPARED else 'applied: "`[]`"',
            Invariant.BOOKS_AGREE,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "credit-note-to-erp",
            r"  - id: returned\n    when: taxable\n",
            lambda _: '  - id: returned\n    when: "`false`"\n',
            Invariant.NOTHING_LOST,
        ),
        (
            "credit-note-voided before its invoice is posted",
            "credit-note-voided",
            r"when: recorded\n",
            lambda _: 'when: "`false`"\n',
            Invariant.EXCEPTIONS_EXPLAINED,
        ),
        (
            "refund-to-erp that fails after all",
            "refund-to-erp",
            r"when: found\.failure_balance_transaction",
            lambda _: 'when: "`false`"',
            Invariant.NOTHING_LOST,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "mappings/netsuite/credit_memo_from_hub",
            r"table\('netsuite_items', product_id\)",
            lambda _: "\"'105'\"",
            Invariant.BOOKS_AGREE,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "mappings/stripe/credit_note_to_hub",
            r"coalesce\(effective_at, created\)",
            lambda found: f"add({found[0]}, `86400`)",
            Invariant.BOOKS_AGREE,
        ),
    ],
    ids=["not applied", "tax kept", "tax not void", "failed refund kept", "other item", "other day"],
)
def test_a_wrong_flow_is_seen(
    case: str, flow: str, pattern: str, by: By, broken: Invariant, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign.be_quiet()
    files = read_files(ROOT)
    path = f"{flow}.yaml" if "/" in flow else f"flows/{flow}.yaml"
    wrong, number = re.subn(pattern, by, files[path].decode())
    assert number
    bundle, lints = compile_bundle({**files, path: wrong.encode()}, catalogue_of([*load_connectors().values()]))
    assert bundle is not None, [str(lint) for lint in lints]
    monkeypatch.setattr(shipped, "compiled", lambda _engine="tax": bundle)
    found = playing.play(next(each for each in CASES if each.name == case), None).findings
    assert {finding.invariant for finding in found} == {broken}
