"""A step that takes another one's write back must be the same write as that one's undo."""

from __future__ import annotations

import pytest

from tests.workspace import composed
from tests.workspace.test_composed_lints import WHOLE, WORKSPACE, lints_after

CALL = "call: { connection: books, operation: invoice.upsert, with: erp/from_hub, of: a, given: { customer: a.id } }\n"
#: The step that stands behind the one with the undo, and the same as what takes that one back.
BEHIND = f"needs: [a, b]\n        {CALL}  - id: told"
REVERSED = "call: { connection: books, operation: invoice.reverse, by: =b.id }\n"
BACK = f"needs: [a, b]\n        undoes: both.b\n        {REVERSED}  - id: told"


def test_a_step_may_take_back_what_another_one_wrote() -> None:
    assert BEHIND in composed.WHOLE
    assert lints_after(WHOLE, BEHIND, BACK) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("undoes: both.b", "undoes: both.d", "unknown-step", "Did you mean `both.b`?"),
        ("undoes: both.b", "undoes: both.a", "unknown-step", "outside of loops"),
        # The writes of many items, and one without a way back.
        ("undoes: both.b", "undoes: posts", "unknown-step", "outside of loops"),
        ("undoes: both.b", "undoes: told", "unknown-step", "outside of loops"),
        ("undoes: both.b", "undoes: way.post", "undoes-otherwise", "with the operation `invoice.adjust`"),
        ("connection: books", "connection: erp", "undoes-otherwise", "with the connection `books`"),
        ("undoes: both.b", "undoes: Both", "bad-value", "a step's place such as `outcome.post`"),
    ],
)
def test_what_would_be_another_write_is_refused(old: str, new: str, code: str, words: str) -> None:
    assert old in BACK
    found = lints_after(WHOLE, BEHIND, BACK.replace(old, new))
    assert code in [lint.code for lint in found]
    assert any(words in str(lint) for lint in found)


def test_a_loop_takes_no_single_write_back() -> None:
    kept = "          on_failure: continue\n"
    assert kept in WORKSPACE[WHOLE]
    found = lints_after(WHOLE, kept, f"{kept}          undoes: both.b\n")
    assert [lint.code for lint in found] == ["undoes-in-loop"]


def test_what_calls_nothing_takes_nothing_back() -> None:
    found = lints_after(WHOLE, "    approve: large\n", "    approve: large\n    undoes: both.b\n")
    assert [lint.code for lint in found] == ["misplaced-key"]
