"""Keys and words of mappings in wrong places, between schemas that say much: the answer is lints, never an error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Severity
from tests.workspace import shop
from tests.workspace.conftest import CATALOGUE, FILES, encoded

WORKSPACE = {**FILES, **shop.FILES}
_WORDS = st.sampled_from(
    [
        "id", "total", "address", "items", "null", "{}", "[]", "`[]`", "@", "*", "root()", "given('x')", "items[?sku]",
        "table('kinds', id)", "money(total, currency)", "rest: keep\n", "without: [id]\n", "reverse: shop/back\n",
        "given: [x]\n", "required: true", "default: 1", "default: =id", "each: items", "of: address", "when: note",
        "use: shop/address", "back: id", "value: id", "fields:\n", "  ", ": ", ", ", "{ ", " }", "||", "&&", "!", "\n",
    ]
)  # fmt: skip
_EDITS = st.tuples(st.floats(0, 1), st.integers(0, 12), _WORDS)


@given(path=st.sampled_from(sorted([*shop.FILES, "flows/post.yaml"])), edits=st.lists(_EDITS, min_size=1, max_size=3))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_words_in_wrong_places_give_lints(path: str, edits: list[tuple[float, int, str]]) -> None:
    text = WORKSPACE[path]
    for where, length, word in edits:
        at = int(where * len(text))
        text = text[:at] + word + text[at + length :]
    bundle, lints = compile_bundle(encoded({**WORKSPACE, path: text}), CATALOGUE)
    assert (bundle is None) == any(lint.severity is Severity.ERROR for lint in lints)
    for lint in lints:
        assert lint.line >= 1
        assert lint.column >= 1
        assert lint.message.endswith((".", "?")), str(lint)
