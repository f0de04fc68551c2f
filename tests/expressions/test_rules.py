"""Each rule of the grammar, alone and beside the others; JMESPath's own interpreter is asked the same."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest

from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError
from hub.expressions.parser import parse
from hub.expressions.tree import Part

DATA: dict[str, Any] = {
    "a": {"b": {"c": [2, 3, 4, 5]}, "x-y": "dash", "": "empty", "é": "accent", "b c": "space", "n": None},
    "l": [{"k": "p", "v": 3, "t": ["u", "w"]}, {"k": "q", "v": 2}, {"k": "r", "v": None, "t": [["y"], "z"]}],
    "m": [[2, 3], [4, [5, 6]], 7, []],
    "o": {"one": {"v": 2}, "two": {"v": 3}, "three": 4, "four": None},
    "yes": True,
    "no": False,
    "zero": 0,
    "text": "abc",
    "none": None,
    "empty": {},
}


RULES: list[tuple[str, Any]] = [
    # Identifiers, quoted and not.
    ("a.b.c", [2, 3, 4, 5]),
    ('a."x-y"', "dash"),
    ('a."\\u00e9"', "accent"),
    ('a."b c"', "space"),
    ('"a"."b"."c"[0]', 2),
    ("a\n.b\t.c [ 1 ]", 3),
    ("a.none.c", None),
    ("text.b", None),
    # Indexes and slices.
    ("a.b.c[-1]", 5),
    ("a.b.c[-5]", None),
    ("m[1][1][0]", 5),
    ("text[0]", None),
    ("a.b.c[1:3]", [3, 4]),
    ("a.b.c[:-1]", [2, 3, 4]),
    ("a.b.c[-2:]", [4, 5]),
    ("a.b.c[::2]", [2, 4]),
    ("a.b.c[::-1]", [5, 4, 3, 2]),
    ("a.b.c[10:]", []),
    ("a.b.c[3:1:-1]", [5, 4]),
    ("text[1:]", None),
    ("l[1:].k", ["q", "r"]),
    ("[m][0][2]", 7),
    # Projections of lists, objects and what is flattened.
    ("l[*].v", [3, 2]),
    ("l[*].t[0]", ["u", ["y"]]),
    ("l[*].t[*]", [["u", "w"], [["y"], "z"]]),
    ("l[].t[]", ["u", "w", ["y"], "z"]),
    ("l[].t[][]", ["u", "w", "y", "z"]),
    ("m[]", [2, 3, 4, [5, 6], 7]),
    ("m[][]", [2, 3, 4, 5, 6, 7]),
    ("m[*][0]", [2, 4]),
    ("m[*][*]", [[2, 3], [4, [5, 6]], []]),
    ("o.*", [{"v": 2}, {"v": 3}, 4]),
    ("o.*.v", [2, 3]),
    ("[o][*].*", [[{"v": 2}, {"v": 3}, 4]]),
    ("text[*]", None),
    ("text[]", None),
    ("text.*", None),
    ("empty.*", []),
    ("none[*].a", None),
    ("l[*].nothing", []),
    # A pipe ends a projection, brackets do too.
    ("l[*].t | [0]", ["u", "w"]),
    ("(l[*].t)[1]", [["y"], "z"]),
    ("l[*].t | [] | [0]", "u"),
    ("o.* | [1].v", 3),
    # Filters.
    ("l[?v].k", ["p", "q"]),
    ("l[?!v].k", ["r"]),
    ("l[?v > `2`].k", ["p"]),
    ("l[?v >= `2` && k != 'p'].k", ["q"]),
    ("l[?k == 'p' || k == 'r'].k", ["p", "r"]),
    ("l[?t[?@ == 'u']].k", ["p"]),
    ("l[?v == `null`].k", ["r"]),
    ("l[?@.v < `3`] | [0].k", "q"),
    ("m[?@ == `7`]", [7]),
    ("text[?@]", None),
    # Multi-selects.
    ('a.[b.c[0], "x-y"]', [2, "dash"]),
    ('{x: text, "y z": zero}', {"x": "abc", "y z": 0}),
    ("l[*].{k: k, n: v}", [{"k": "p", "n": 3}, {"k": "q", "n": 2}, {"k": "r", "n": None}]),
    ("l[*].[k, v]", [["p", 3], ["q", 2], ["r", None]]),
    ("l[].[k, v][]", ["p", 3, "q", 2, "r"]),
    ("none.{a: b}", None),
    ("none.[b]", None),
    ("[none]", [None]),
    # Truth: numbers are true, what is empty is not.
    ("zero || text", 0),
    ("none || no || text", "abc"),
    ("empty || `[]` || ''", ""),
    ("yes && text", "abc"),
    ("none && text", None),
    ("no && text", False),
    ("!zero", False),
    ("!empty", True),
    ("!none && !no", True),
    # What binds how tightly.
    ("no && yes || text", "abc"),
    ("text || no && yes", "abc"),
    ("(text || no) && yes", True),
    ("none || a.b.c[0] == `2`", True),
    ("!yes == no", True),
    ("zero == `0` && text == 'abc'", True),
    ("none | a || text", None),
    ("l[*].v || text", [3, 2]),
    ("a.b || c.d", {"c": [2, 3, 4, 5]}),
    # Comparisons.
    ("a.b == a.b", True),
    ("m[0] == `[2, 3]`", True),
    ("a == o", False),
    ("zero == no", False),
    ("zero < `1`", True),
    ("none <= `1`", None),
    ("yes > no", None),
    ("text != 'abc'", False),
    # Literals.
    ('`{"a": [2, {"b": null}]}`.a[1]', {"b": None}),
    ('`"a\\`b"`', "a`b"),
    ("'it\\'s'", "it's"),
    ("'a\\nb'", "a\\nb"),
    ("`true` && `-3`", -3),
    # Functions and references.
    ("length(l)", 3),
    ("sort_by(l[?v], &v)[0].k", "q"),
    ("max_by(l[?v], &v).k", "p"),
    ("map(&v, l)", [3, 2, None]),
    ("map(&{k: k}, l)[1].k", "q"),
    ("l[*].length(k)", [1, 1, 1]),
    ("not_null(none, a.n, text)", "abc"),
    ("sum(l[].v)", 5),
    ("join('-', l[].k)", "p-q-r"),
    ("to_string(m)", "[[2,3],[4,[5,6]],7,[]]"),
    ("keys(o) | sort(@)", ["four", "one", "three", "two"]),
    ("@.text | @", "abc"),
]


@pytest.mark.parametrize(("text", "expected"), RULES)
def test_a_rule_of_the_grammar(text: str, expected: Any) -> None:
    result = compile(text)(DATA)
    assert result == expected
    assert isinstance(result, bool) is isinstance(expected, bool)
    assert jmespath.search(text, DATA) == expected


def test_every_rule_is_tried() -> None:
    assert {node.part for text, _ in RULES for node in parse(text).walk()} == set(Part)


@pytest.mark.parametrize(
    "text",
    [
        "a.", ".a", "a..b", "a.[", "a[", "a]", "[", "]", "a[b]", "a[*", "a[?", "a[?b", "a[1:2:3:4]", "a[1,2]", "a{",
        "{a:}", "{:a}", "{1: a}", "{'a': b}", "[a,]", "a b", "a ||", "|| a", "a |", "a &&", "!", "a ==", "== a",
        "a === b", "{a}",
        "a = b", "a <> b", "a.'b'", "a.`2`", "a.1", "1", "-1", "a[1.5]", "a['b']", "f(", "f(a", "f(,)", "f)",
        "a.&b", "@@", "a@", "**", "a.**", "a[**]", "(", "()", "(a", "a)", '"', "'", "`",
        "#", "a # b", "a ? b : c", "a + b", "a % b", "a; b", "$", "a.$b", "\\a",
    ],
)  # fmt: skip
def test_what_the_grammar_does_not_have(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile(text)
    assert caught.value.code == "syntax"
    assert 0 <= caught.value.position <= len(text)
    with pytest.raises(ValueError, match=r".*"):
        jmespath.compile(text)
