"""Random expressions over the whole grammar, and random data for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "d-e"])
IDENTIFIERS = st.sampled_from(["a", "b", "c", '"d-e"', '"a"', '"\\u0062"'])
TEXTS = st.sampled_from(["", "a", "b", "xyz", "12", "a,b", "é"])
LITERALS = st.sampled_from(
    [
        "`2`", "`-3`", "`true`", "`false`", "`null`", "'a'", "''", "'x\\'y'", '`"b"`', "`[]`", "`{}`",
        '`[3, "a", [2]]`', '`{"a": [2, 3], "b": {"a": "a"}}`', "`[4, 2, 3]`", '`["b", "a"]`',
    ]
)  # fmt: skip
BOUNDS = st.none() | st.integers(-4, 4)
STEPS = st.none() | st.sampled_from([-2, -1, 1, 2, 3])

#: Every rule of the grammar that takes one expression; a hole in brackets is taken by a whole expression of its own.
_ONE = [
    "{0}.{n}", "({0}).{n}.{m}", "{0}.*", "({0}).*.{n}", "{0}[{i}]", "({0})[{i}]", "{0}[*]", "({0})[*].{n}", "{0}[]",
    "({0})[].{n}", "({0})[][]", "{0}[{s}]", "({0})[{s}].{n}", "({0})[{s}][]", "!{0}", "!({0})", "({0})", "{0} | {n}",
    "{0} | [{i}]", "{0} | *", "{0} | @", "[{0}]", "[{0}, {n}]", "{{{n}: {0}}}", "{{{n}: {0}, {m}: @}}", "{0}.[{n}, @]",
    "({0}).{{{n}: {m}, {m}: @}}", "({0})[*].[{n}, {m}]", "({0})[*].[{n}, {m}][]", "({0})[*].{{{n}: {m}}}",
    "({0})[?{n}]", "({0})[?!{n}].{m}", "({0})[?@]", "({0})[*][{i}]", "({0})[*][*].{n}", "({0}).*[]", "({0}).*.*",
    "({0})[?{n} == `2` || {m} > `2`]", "({0})[].[{n}][0]", "[*].{n}", "[?{n}].{m}", "*.{n}", "[{i}].{n}", "[{s}]", "[]",
    "type({0})", "length({0})", "not_null({0}, {n})", "to_array({0})[{i}]", "to_number({0})", "to_string({0})",
    "keys({0})", "values({0})", "sum({0})", "sort({0})", "max({0})", "min({0})", "reverse({0})", "abs({0})",
    "ceil({0})", "floor({0})", "map(&{n}, {0})", "map(&[{n}, @], {0})", "sort_by({0}, &{n})", "max_by({0}, &{n})",
    "min_by({0}, &{n})", "join(',', {0})", "sum(({0})[?type(@) == 'number'])", "abs(sum({0}[?type(@) == 'number']))",
    "sort(({0})[?type(@) == 'string'])", "max(({0})[?type(@) == 'number'])", "min({0}[?type(@) == 'string'])",
    "sort_by(({0})[?type({n}) == 'number'], &{n})[].{m}", "max_by({0}[?type({n}) == 'string'], &{n})",
    "min_by({0}[?type({n}) == 'number'], &{n}).{m}", "join('-', ({0})[?type(@) == 'string'])", "reverse(to_array({0}))",
    "length(to_string({0}))", "keys({{{n}: {0}}})", "values({{{n}: {0}}})[].{m}", "ends_with(to_string({0}), 'a')",
    "contains(to_array({0}), {n})", "ceil(sum(to_array({0})[?type(@) == 'number']))",
    "merge({0}, {{{n}: {m}}})", "{0} == {n}", "{0} != `2`", "{0} < `3`",
]  # fmt: skip
#: Those that take two.
_TWO = [
    "{0} || {1}", "({0}) || ({1})", "{0} && {1}", "({0}) && ({1})", "{0} == {1}", "({0}) != ({1})", "{0} < {1}",
    "({0}) <= ({1})", "({0}) > ({1})", "({0}) >= ({1})", "({0})[?{1}]", "({0})[?{1}].{n}", "({0})[?{n} == {1}] | [0]",
    "({0})[?{1}][?{n}]", "({0})[*].[{1}]", "({0})[*].{{{n}: {1}, {m}: {1}}}", "({0}).{{{n}: {1}}}", "({0}).[{1}, {1}]",
    "{0} | {1}", "({0}) | ({1})", "[{0}, {1}, {0}]", "{{{n}: {0}, {m}: {1}}}", "map(&({1}), {0})",
    "sort_by({0}, &({1}))", "max_by({0}, &({1}))", "min_by({0}, &({1}))", "contains({0}, {1})", "merge({0}, {1})",
    "starts_with({0}, {1})", "ends_with({0}, {1})", "join({0}, {1})", "not_null({0}, {1})", "({0})[*].({1})",
    "({0})[?({1}) && {n}]", "!({0}) || {1}", "({0})[].map(&({1}), [@, @])", "sum(map(&length({1}), {0}))",
]  # fmt: skip


def _filled(shape: str, *inner: str, **parts: Any) -> str:
    lower, upper, stride = parts.pop("slice")
    bounds = [("" if bound is None else str(bound)) for bound in (lower, upper)]
    written = ":".join(bounds) + ("" if stride is None else f":{stride}")
    return shape.format(*inner, s=written, **parts)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts: dict[str, st.SearchStrategy[Any]] = {
        "n": IDENTIFIERS,
        "m": IDENTIFIERS,
        "i": st.integers(-3, 3),
        "slice": st.tuples(BOUNDS, BOUNDS, STEPS),
    }
    return st.builds(_filled, st.sampled_from(_ONE), inner, **parts) | st.builds(
        _filled, st.sampled_from(_TWO), inner, inner, **parts
    )


#: Any expression that the grammar has, JMESPath's own functions included.
EXPRESSIONS = st.recursive(IDENTIFIERS | LITERALS | st.just("@"), _grown, max_leaves=7)


def values(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give JSON values with these numbers."""
    return st.recursive(
        st.none() | st.booleans() | numbers | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=14,
    )
