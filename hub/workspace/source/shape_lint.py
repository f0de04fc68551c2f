"""Check a file's nodes against the description of its kind; every difference is one lint with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from hub.model.durations import duration
from hub.workspace.source.lint import Lints, close_match, nearest, shown
from hub.workspace.source.shapes import (
    Again,
    Choice,
    Duration,
    Either,
    Expression,
    Flag,
    Form,
    Many,
    Names,
    Number,
    Shape,
    Term,
    Text,
    Told,
    Value,
    Variants,
    Whole,
)
from hub.workspace.source.terms import lint_expression
from hub.workspace.source.yaml_source import Entry, Keyed, Listed, Node, Scalar, text_of


def lint_shape(node: Node, shape: Shape, lints: Lints, name: str) -> None:
    """Add a lint for everything in `node` that does not fit; `name` is the key it stands under, for messages."""
    match shape:
        case Form():
            _form(node, shape, lints, name)
        case Names():
            _names(node, shape, lints, name)
        case Many():
            _many(node, shape, lints, name)
        case Value():
            _value(node, shape, lints)
        case Variants():
            _variants(node, shape, lints, name)
        case Told():
            _told(node, shape, lints, name)
        case Either():
            several = isinstance(node, Listed if isinstance(shape.form, Many) else Keyed)
            lint_shape(node, shape.form if several else shape.value, lints, name)
        case Again():
            lint_shape(node, shape.of(), lints, name)
        case _:
            _scalar(node, shape, lints, name)


def _form(node: Node, form: Form, lints: Lints, name: str) -> None:
    if not isinstance(node, Keyed):
        known = ", ".join(f"`{key}`" for key in list(form.keys)[:8])
        lints.error(node, "not-keys", f"`{name}` must hold keys.", f"Write `key: value` lines; known keys: {known}.")
        return
    for key, entry in node.entries.items():
        declared = form.keys.get(key)
        if declared is not None:
            lint_shape(entry.value, declared.shape, lints, key)
        elif form.other is not None and _holds(entry.value, form.other_has):
            lint_shape(entry.value, form.other, lints, key)
        else:
            hint = _cut_off(entry) or nearest(key, form.keys)
            lints.error(entry.key, "unknown-key", f"Unknown key {shown(key)} in {form.title}.", hint)
    for key, declared in form.keys.items():
        if declared.required and key not in node.entries and not _misspelt(node, form, (key,)):
            lints.error(
                node, "missing-key", f"The key `{key}` is missing in {form.title}.", f"Add `{key}`: {declared.doc}"
            )
    for group in form.one_of:
        _at_least_one(node, group, form, lints, "Add exactly one of them.")
        _at_most_one(node, group, form, lints)
    for group in form.any_of:
        _at_least_one(node, group, form, lints, "Add one of them.")
    for group in form.apart:
        _at_most_one(node, group, form, lints)


def _cut_off(entry: Entry) -> str:
    """Say so where a key is the rest of a value that a comma cut in two: `{ value: money(total, currency) }`."""
    rest = isinstance(entry.value, Scalar) and entry.value.value is None and not entry.key.text.isidentifier()
    return "Within `{ }` a comma ends a value: put an expression that holds one in quotes." if rest else ""


def _told(node: Node, shape: Told, lints: Lints, name: str) -> None:
    present = [key for key in shape.forms if isinstance(node, Keyed) and key in node.entries]
    if present:
        _form(node, shape.forms[present[0]], lints, name)
        return
    known = {key for form in shape.forms.values() for key in form.keys}
    unknown = [entry.key for entry in node.entries.values()] if isinstance(node, Keyed) else []
    unknown = [key for key in unknown if key.text not in known]
    for key in unknown:
        lints.error(key, "unknown-key", f"Unknown key {shown(key.text)} in {shape.title}.", nearest(key.text, known))
    if not unknown:
        words = ", ".join(f"`{key}`" for key in shape.forms)
        lints.error(node, "missing-key", f"One of {words} is missing in {shape.title}.", "Add one of them.")


def _variants(node: Node, shape: Variants, lints: Lints, name: str) -> None:
    chosen = node.get(shape.key) if isinstance(node, Keyed) else None
    if chosen is None:
        # Any form says what is missing.
        _form(node, next(iter(shape.forms.values())), lints, name)
    elif text_of(chosen) in shape.forms:
        _form(node, shape.forms[text_of(chosen)], lints, name)
    else:
        _scalar(chosen, Choice(of=tuple(shape.forms)), lints, shape.key)


def _at_least_one(node: Keyed, group: tuple[str, ...], form: Form, lints: Lints, hint: str) -> None:
    if not set(group) & set(node.entries) and not _misspelt(node, form, group):
        words = ", ".join(f"`{key}`" for key in group)
        lints.error(node, "missing-key", f"One of {words} is missing in {form.title}.", hint)


def _at_most_one(node: Keyed, group: tuple[str, ...], form: Form, lints: Lints) -> None:
    present = [key for key in group if key in node.entries]
    if len(present) > 1:
        second = node.entries[present[1]].key
        message = f"`{present[0]}` and `{present[1]}` cannot stand together in {form.title}."
        lints.error(second, "too-many-keys", message, "Keep one of them.")


def _misspelt(node: Keyed, form: Form, wanted: tuple[str, ...]) -> bool:
    """Tell whether an unknown key, which has its own lint, was probably meant to be one of these."""
    unknown = (key for key in node.entries if key not in form.keys)
    return any(match in wanted for key in unknown for match in close_match(key, form.keys))


def _holds(node: Node, keys: tuple[str, ...]) -> bool:
    return isinstance(node, Keyed) and any(key in node.entries for key in keys)


def _names(node: Node, shape: Names, lints: Lints, name: str) -> None:
    if not isinstance(node, Keyed):
        lints.error(node, "not-keys", f"`{name}` must hold keys.", f"Write `{shape.example}: value` lines.")
        return
    for key, entry in node.entries.items():
        if shape.terms and key.startswith("="):
            lint_expression(key[1:], entry.key, 1, lints)
        elif shape.key is not None and re.fullmatch(shape.key, key) is None:
            lints.error(
                entry.key, "bad-name", f"{shown(key)} cannot be a name here.", f"Write it like `{shape.example}`."
            )
        form = shape.form if isinstance(entry.value, Keyed) else None
        lint_shape(entry.value, form or shape.value, lints, key)


def _many(node: Node, shape: Many, lints: Lints, name: str) -> None:
    if not isinstance(node, Listed):
        lints.error(node, "not-a-list", f"`{name}` must be a list.", "Write `- ` before each entry, or `[a, b]`.")
        return
    if not shape.least <= len(node.items) <= shape.most:
        few = len(node.items) < shape.least
        wanted = f"at least {shape.least}" if few else f"at most {shape.most}"
        if shape.least == shape.most:
            wanted = f"exactly {shape.least}"
        lints.error(node, "list-length", f"`{name}` needs {wanted} entries.", f"It has {len(node.items)}.")
    for item in node.items:
        lint_shape(item, shape.item, lints, name)


def _value(node: Node, shape: Value, lints: Lints) -> None:
    if isinstance(node, Scalar):
        if shape.terms and isinstance(node.value, str) and node.value.startswith("="):
            lint_expression(node.text[1:], node, 1, lints)
        return
    children = node.items if isinstance(node, Listed) else [entry.value for entry in node.entries.values()]
    for child in children:
        _value(child, shape, lints)


def _scalar(node: Node, shape: Shape, lints: Lints, name: str) -> None:
    if not isinstance(node, Scalar) or node.value is None:
        lints.error(node, "not-a-value", f"`{name}` must have one value.", f"Write {_example(shape)}.")
        return
    match shape:
        case Expression():
            lint_expression(node.text, node, 0, lints)
        case Term() if isinstance(node.value, str) and node.value.startswith("="):
            lint_expression(node.text[1:], node, 1, lints)
        case _:
            if not _CHECKS[type(shape)](node, shape):
                message = f"{shown(node.text)} does not fit `{name}`."
                lints.error(node, "bad-value", message, f"Write {_example(shape)}.{_near(node, shape)}")


def _near(node: Scalar, shape: Shape) -> str:
    return f" {nearest(node.text, shape.of)}" if isinstance(shape, Choice) and len(shape.of) > 1 else ""


def _example(shape: Shape) -> str:
    match shape:
        case Text() | Term():
            return shape.example
        case Choice():
            return " or ".join(f"`{word}`" for word in shape.of)
        case Whole():
            return f"a whole number from {shape.minimum} to {shape.maximum}"
        case Number():
            return f"a number from {shape.minimum} to {shape.maximum}"
        case Flag():
            return "`true` or `false`"
        case Duration():
            return "a span of time such as `PT30S`, `PT12H` or `P7D`"
        case Expression():
            return "an expression such as `data.object.id`"
        case _:
            return "one value"


def _fits_text(node: Scalar, shape: Shape) -> bool:
    assert isinstance(shape, (Text, Term))
    pattern = shape.pattern
    if pattern is None:
        return isinstance(node.value, str) or isinstance(shape, Term)
    return re.fullmatch(pattern, node.text) is not None


def _fits_choice(node: Scalar, shape: Shape) -> bool:
    return isinstance(shape, Choice) and node.text in shape.of


def _fits_whole(node: Scalar, shape: Shape) -> bool:
    whole = isinstance(node.value, int) and not isinstance(node.value, bool)
    return whole and isinstance(shape, Whole) and shape.minimum <= int(node.text, 0) <= shape.maximum


def _fits_number(node: Scalar, shape: Shape) -> bool:
    number = isinstance(node.value, (int, Decimal)) and not isinstance(node.value, bool)
    return number and isinstance(shape, Number) and shape.minimum <= Decimal(str(node.value)) <= shape.maximum


_CHECKS: dict[type, Callable[[Scalar, Shape], bool]] = {
    Text: _fits_text,
    Term: _fits_text,
    Choice: _fits_choice,
    Whole: _fits_whole,
    Number: _fits_number,
    Flag: lambda node, _: isinstance(node.value, bool),
    Duration: lambda node, _: duration(node.text) is not None,
}
