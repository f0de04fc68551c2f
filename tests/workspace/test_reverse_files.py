"""A mapping file that declares its reverse: a real mapping of the bundle, checked, and tried with every example."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.mapping.compiled import apply
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.examples.loading import run_examples
from hub.workspace.source.lint import Lint

Break = Callable[..., list[Lint]]

TO_HUB = "mappings/billing/to_hub.yaml"
FLOW = "flows/post.yaml"
HEAD = "to: canonical.thing@1\n"
REVERSE = HEAD + "reverse: billing/from_hub\n"
KIND = "table('kinds', kind, 'other')"
TURNED = "table('kinds', kind)"


@pytest.fixture
def reversible(files: dict[str, bytes]) -> dict[str, bytes]:
    text = files[TO_HUB].decode().replace(HEAD, REVERSE).replace(KIND, TURNED)
    return {**files, TO_HUB: text.encode()}


def test_the_reverse_is_a_mapping_that_flows_may_name(reversible: dict[str, bytes], catalogue: Catalogue) -> None:
    step = b"  - id: back\n    map: billing/from_hub\n    of: invoice\n  - id: link\n"
    reversible[FLOW] = reversible[FLOW].replace(b"  - id: link\n", step)
    bundle, lints = compile_bundle(reversible, catalogue)
    assert bundle is not None, [str(lint) for lint in lints]
    back = bundle.mappings["billing/from_hub"]
    assert (back.source, back.target) == ("canonical.thing@1", "billing.invoice@1")
    source = {"id": "T1", "kind": "second", "lines": [{"number": 7}]}
    assert apply(back, source) == {"id": "T1", "kind": "b", "lines": {"data": [{"number": 7}]}}


def test_examples_go_there_and_back(reversible: dict[str, bytes], catalogue: Catalogue) -> None:
    bundle, _ = compile_bundle(reversible, catalogue)
    assert bundle is not None
    assert [result.passed for result in run_examples(bundle)] == [True]
    wrong = reversible[TO_HUB].replace(b"  id: id", b"  id: { value: id, back: \"join('', [id, '!'])\" }")
    bundle, _ = compile_bundle({**reversible, TO_HUB: wrong}, catalogue)
    assert bundle is not None
    (result,) = run_examples(bundle)
    assert [str(difference) for difference in result.differences] == [
        "id: billing/from_hub gives 'T1!' for it",
        "id: after there and back, id: 'T1!' came, expected 'T1'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "words"),
    [
        (HEAD, REVERSE, "8:9", "not-reversible", "the table has a default"),
        (HEAD + "fields:\n  id: id", REVERSE + "fields:\n  id: upper(id)", "7:7", "not-reversible", "Add `back`"),
        (HEAD, HEAD + "reverse: erp/from_hub\n", "erp/from_hub.yaml:1:10", "duplicate-name", "to_hub.yaml:5:10"),
        (HEAD, HEAD + "reverse: 1x\n", "5:10", "bad-value", "a name such as"),
    ],
)  # fmt: skip
def test_one_mistake_gives_one_line(broken: Break, old: str, new: str, place: str, code: str, words: str) -> None:
    lint = next(lint for lint in broken(TO_HUB, old, new) if lint.code == code)
    assert place in str(lint), str(lint)
    assert words in str(lint), str(lint)


def test_the_reverse_is_checked_against_both_schemas(reversible: dict[str, bytes], catalogue: Catalogue) -> None:
    reversible["schemas/other.thing@1.json"] = b'{"properties": {"id": {}, "kind": {"type": "number"}}}'
    reversible[TO_HUB] = reversible[TO_HUB].replace(b"from: billing.invoice@1", b"from: other.thing@1")
    lints = compile_bundle(reversible, catalogue)[1]
    derived = [lint for lint in lints if "In the mapping derived from this one" in lint.message]
    assert [(lint.line, lint.column, lint.code) for lint in derived] == [
        (5, 10, "unknown-target-field"),
        (5, 10, "wrong-type"),
    ]
