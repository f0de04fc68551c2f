"""Every kind of mistake in the rules of a policy gives exactly one line at its place."""

from __future__ import annotations

import pytest

from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle

HOLD = """\
policy: closed
kind: hold
version: 1
match: first
rules:
  - name: closed books
    when: entity == 'DE01' && today < '2026-02-01'
    then: { reason: closed, until: =today }
  - name: large
    when: entity == 'US01' && money.minor > `1000`
    then: { reason: large }
"""

#: What is replaced in a hold policy, by what, line:column, code, and words of the message.
RULES = [
    ("entity == 'DE01'", "entiti == 'DE01'", "7:11", "unknown-field", "`entity`"),
    ("money.minor >", "money.minr >", "10:37", "unknown-field", "`minor`"),
    ("entity == 'US01' && money.minor > `1000`", "entity == 'DE01' && today < '2026-01-01'", "9:11",
     "unreachable-rule", "`closed books` before it"),
    ("entity == 'US01' &&", "entity == 'DE01' &&", "9:11", "overlapping-rules", "entity = 'DE01' and"),
    ("until: =today", "until: =money", "8:36", "wrong-type", "`until`"),
    ("until: =today", "until: tomorrow", "8:36", "bad-output", "2026-01-31"),
    ("reason: large", "resaon: large", "11:13", "unknown-key", "`reason`"),
    ("match: first", "match: any", "4:8", "bad-value", "`first` or `all`"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "code", "words"), RULES)
def test_one_mistake_in_a_policy(
    catalogue: Catalogue, files: dict[str, bytes], old: str, new: str, place: str, code: str, words: str
) -> None:
    path = "policies/closed.yaml"
    assert compile_bundle({**files, path: HOLD.encode()}, catalogue)[1] == []
    (lint,) = compile_bundle({**files, path: HOLD.replace(old, new, 1).encode()}, catalogue)[1]
    assert (lint.code, f"{lint.line}:{lint.column}") == (code, place), str(lint)
    assert words in str(lint)


APPROVE = """\
policy: routing
kind: approve
version: 1
match: first
rules:
  - name: large
    when: money.minor > `1000`
    then: { approvals: 1 }
"""


def test_who_asks_for_approvals_is_told_that_nothing_waits_for_them(
    catalogue: Catalogue, files: dict[str, bytes]
) -> None:
    flow = files["flows/post.yaml"].decode().replace("=route.connection", "books").replace("=route.system", "erp")
    changed = {**files, "policies/routing.yaml": APPROVE.encode(), "flows/post.yaml": flow.encode()}
    bundle, lints = compile_bundle(changed, catalogue)
    assert bundle is not None
    (lint,) = lints
    assert (lint.code, lint.line, lint.severity) == ("approvals-not-awaited", 16, "warning")
    assert lint.message.endswith("`decide` waits for none of them.")
    assert lint.hint == "Write `approve: routing` to wait for them."


@pytest.mark.parametrize(
    ("when", "other", "unasked"),
    [
        ("money.currency == 'EUR' && money.minor > `1000`", "", "USD"),
        ("money.currency == 'EUR' && money.minor > `1000`", "money.currency == 'USD'", "GBP"),
        ("money.currency == 'EUR' && money.minor > `1000`", "money.currency != 'EUR'", None),
        ("money.currency == 'EUR' && money.minor > `1000`", "entity == 'DE01' && money.currency != 'EUR'", None),
        ("money.minor > `1000`", "", None),
    ],
)
def test_a_currency_in_which_nobody_is_ever_asked_is_told(
    catalogue: Catalogue, files: dict[str, bytes], when: str, other: str, unasked: str | None
) -> None:
    """Where the rules read anything but money, nothing is claimed: other flows may bring no other currency."""
    text = APPROVE.replace("policy: routing", "policy: large").replace("money.minor > `1000`", when)
    if other:
        text += f"  - name: other\n    when: {other}\n    then: {{ approvals: 2 }}\n"
    _, lints = compile_bundle({**files, "policies/large.yaml": text.encode()}, catalogue)
    assert [(lint.code, lint.line, lint.severity) for lint in lints] == (
        [("currency-not-asked", 5, "warning")] if unasked else []
    )
    assert all(f"No rule matches {unasked}, " in lint.message for lint in lints)
