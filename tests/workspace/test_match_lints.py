"""Every mistake in a policy that compares records, and in a step that asks it, gives one line at its place."""

from __future__ import annotations

import pytest

from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle

POLICY = """\
policy: twins
kind: match
version: 1
entity: thing
record: canonical.thing@1
keys:
  - name: id
    of: [alphanumeric(id)]
    then: same
  - name: kind and number
    of: [fold(kind), id]
"""
PATH = "policies/twins.yaml"
STEP = """\
  - id: same
    match: { policy: twins, of: invoice, system: billing, id: invoice.id }
"""
BEFORE = "  - id: route\n"

#: What is replaced in the policy, by what, line:column, code, and words of the message.
WRONG = [
    ("alphanumeric(id)", "alphanumeric(idd)", "8:23", "unknown-field", "`idd`"),
    ("alphanumeric(id)", "company_name(id)", "8:10", "inexact-key", "a person says"),
    ("[fold(kind), id]", "[fold(kind), fold(]", "11:27", "syntax", "`fold(`"),
    ("of: [alphanumeric(id)]", "of: []", "8:9", "list-length", "at least 1"),
    ("name: kind and number", "name: id", "10:11", "invalid-document", "called `id` too"),
    ("canonical.thing@1", "canonical.thong@1", "5:9", "unknown-schema", "canonical.thing@1"),
    ("then: same", "then: merge", "9:11", "bad-value", "`ask` or `same`"),
    ("entity: thing\n", "", "1:1", "missing-key", "`entity`"),
    ("version: 1", "version: 0", "3:10", "bad-value", "from 1"),
    ("alphanumeric(id)", "\"table('nothing', id)\"", "8:17", "unknown-table", "`nothing`"),
    ("alphanumeric(id)", "'{a: id}'", "8:10", "wrong-type", "object"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "code", "words"), WRONG)
def test_one_mistake_in_a_policy(
    catalogue: Catalogue, files: dict[str, bytes], old: str, new: str, place: str, code: str, words: str
) -> None:
    assert compile_bundle({**files, PATH: POLICY.encode()}, catalogue)[1] == []
    lints = compile_bundle({**files, PATH: POLICY.replace(old, new, 1).encode()}, catalogue)[1]
    (lint,) = lints
    assert (lint.code, f"{lint.line}:{lint.column}") == (code, place), str(lint)
    assert words in str(lint)


#: What is replaced in a flow that compares its record, by what, line:column, code, and words of the message.
STEPS = [
    ("policy: twins", "policy: routing", "16:22", "wrong-policy-kind", "`match` needs one of kind `match`"),
    ("policy: twins", "policy: twns", "16:22", "unknown-policy", "`twns`"),
    ("of: invoice", "of: '{kind: invoice.id}'", "16:33", "missing-required-target",
     "The policy `twins` takes `canonical.thing@1`"),
    ("id: invoice.id", "id: invoice.lines", "16:63", "wrong-type", "array"),
    ("of: invoice", "of: invoise", "16:33", "unknown-step", "`invoise`"),
    ("system: billing, ", "", "16:12", "missing-key", "`system`"),
]  # fmt: skip


def with_step(files: dict[str, bytes], step: str, before: str = "  - id: route\n") -> dict[str, bytes]:
    flow = files["flows/post.yaml"].decode().replace(before, step + before, 1)
    return {**files, PATH: POLICY.encode(), "flows/post.yaml": flow.encode()}


@pytest.mark.parametrize(("old", "new", "place", "code", "words"), STEPS)
def test_one_mistake_in_a_step(
    catalogue: Catalogue, files: dict[str, bytes], old: str, new: str, place: str, code: str, words: str
) -> None:
    assert compile_bundle(with_step(files, STEP), catalogue)[1] == []
    (lint,) = compile_bundle(with_step(files, STEP.replace(old, new, 1)), catalogue)[1]
    assert (lint.code, f"{lint.line}:{lint.column}") == (code, place), str(lint)
    assert words in str(lint)


def test_what_was_done_before_a_comparison_is_warned_of(catalogue: Catalogue, files: dict[str, bytes]) -> None:
    files = {**files, PATH: POLICY.replace("entity: thing", "entity: customer").encode()}
    flow = files["flows/post.yaml"].decode().replace("  - id: link\n", STEP + "  - id: link\n", 1)
    found = compile_bundle({**files, "flows/post.yaml": flow.encode()}, catalogue)[1]
    assert sorted((lint.code, lint.severity.value) for lint in found) == [
        ("lookup-before-match", "warning"),
        ("match-after-write", "warning"),
    ]
    assert {str(lint).partition("The step ")[2].split()[0] for lint in found} == {"`customer`", "`sent`"}


def test_one_policy_compares_the_things_of_an_entity(catalogue: Catalogue, files: dict[str, bytes]) -> None:
    more = {PATH: POLICY.encode(), "policies/zwins.yaml": POLICY.replace("policy: twins", "policy: zwins").encode()}
    (lint,) = compile_bundle({**files, **more}, catalogue)[1]
    assert (lint.code, lint.path, lint.line) == ("entity-compared-twice", "policies/zwins.yaml", 4)


def test_a_match_policy_is_not_asked_to_decide(catalogue: Catalogue, files: dict[str, bytes]) -> None:
    flow = files["flows/post.yaml"].decode().replace("decide: routing", "decide: twins", 1)
    found = compile_bundle({**files, PATH: POLICY.encode(), "flows/post.yaml": flow.encode()}, catalogue)[1]
    assert "wrong-policy-kind" in {lint.code for lint in found}
    assert any("Write `match: { policy: twins" in str(lint) for lint in found)
