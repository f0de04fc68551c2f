"""The page about policies tells every kind with all that it sees and gives, in the words of the declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

import hub
from hub.policy.form import PolicyKind
from hub.policy.kinds import KINDS

PAGE = (Path(hub.__file__).resolve().parent.parent / "docs" / "policies.md").read_text(encoding="utf-8")


def tables(kind: PolicyKind) -> str:
    """Give the tables of a kind, as they stand on the page."""
    lines = []
    if kind.scope:
        lines += ["| sees | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {declared.doc} |" for name, declared in kind.scope.items()]
        lines.append("")
    if kind.settings:
        lines += ["| key | from | to | what it is |", "|---|---|---|---|"]
        lines += [f"| `{name}` | {each.least} | {each.most} | {each.doc} |" for name, each in kind.settings.items()]
        lines.append("")
    if kind.outputs:
        together = len(kind.matches) > 1
        lines += ["| gives | what it is | of several rules |", "|---|---|---|"]
        for name, given in kind.outputs.items():
            must = " (always)" if given.required else ""
            lines.append(f"| `{name}`{must} | {given.doc} | {given.merge.meaning if together else '-'} |")
        lines.append("")
    return "\n".join(lines)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_is_documented(kind: PolicyKind) -> None:
    chapter = PAGE.partition(f"\n## {kind.name}\n")[2].partition("\n## ")[0]
    assert kind.doc in chapter
    assert tables(kind) in chapter
    if kind.has_rules:
        unmatched = f"`{kind.unmatched}`" if kind.unmatched else "nothing is asked"
        assert unmatched in chapter
