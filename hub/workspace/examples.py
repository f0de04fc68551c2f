"""Examples of mappings: `NAME_examples.yaml` beside `NAME.yaml`, each an input with what must come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.errors import FixData, HubError
from hub.mapping.compiled import apply
from hub.sdk.exact_json import loads
from hub.workspace.bundle import Bundle
from hub.workspace.compiled_files import Example
from hub.workspace.kinds import EXAMPLES_ENDING
from hub.workspace.known import Known
from hub.workspace.lint import Lints, nearest, shown
from hub.workspace.shape_lint import lint_shape
from hub.workspace.shapes import WORD, Form, Key, Many, Names, Text, Value
from hub.workspace.yaml_source import Keyed, Listed, Node, Scalar, plain, text_of

EXAMPLE = Form(
    title="an example",
    keys={
        "example": Key(shape=Text(example="a sentence"), doc="what it shows", required=True),
        "in": Key(
            shape=Value(), doc="the record that goes in, or the path of a JSON file beside this one", required=True
        ),
        "given": Key(shape=Names(value=Value(), key=WORD, example="customer"), doc="the given values"),
        "expect": Key(shape=Value(), doc="the fields that must come out; others are not looked at"),
        "fails": Key(shape=Text(pattern=r"[a-z][a-z0-9-]*", example="an error code"), doc="the error that must come"),
    },
    one_of=(("expect", "fails"),),
)
EXAMPLES = Many(item=EXAMPLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one example went: `differences` name each field with what came and what was expected; empty: it passed."""

    example: Example
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Tell whether everything came out as expected."""
        return not self.differences


def load_examples(node: Node, lints: Lints, known: Known) -> list[Example]:
    """Lint one examples file and give its examples; none after an error."""
    lint_shape(node, EXAMPLES, lints, "examples")
    mapping_path = lints.path.removesuffix(EXAMPLES_ENDING) + ".yaml"
    if mapping_path not in known.files:
        lints.error(
            node, "unknown-mapping", f"There is no {shown(mapping_path)} beside it.", "Name it after a mapping."
        )
    name = next((mapping.name for mapping in known.mappings.values() if mapping.path == mapping_path), None)
    if lints.failed or name is None or not isinstance(node, Listed):
        return []
    examples = (_example(item, name, lints, known) for item in node.items if isinstance(item, Keyed))
    found = [example for example in examples if example is not None]
    return [] if lints.failed else found


def _example(node: Keyed, mapping: str, lints: Lints, known: Known) -> Example | None:
    given = node.get("given")
    source = node.entries["in"].value
    record = plain(source)
    if isinstance(source, Scalar) and isinstance(source.value, str):
        record = _fixture(source, lints, known)
    return Example(
        title=text_of(node.get("example")),
        mapping=mapping,
        source=record,
        given={} if given is None else plain(given),
        expected=plain(node.entries["expect"].value) if "expect" in node.entries else None,
        fails=text_of(node.get("fails")) or None,
        path=lints.path,
        line=node.line,
    )


def _fixture(node: Scalar, lints: Lints, known: Known) -> Any:
    path = f"{lints.path.rpartition('/')[0]}/{node.text}"
    if path not in known.files:
        near = nearest(path, (file for file in known.files if file.endswith(".json") and file.startswith("mappings/")))
        lints.error(node, "unknown-fixture", f"There is no file {shown(path)}.", near)
        return None
    try:
        return loads(known.files[path])
    except FixData as error:
        lints.error(
            node, "bad-json", f"{shown(path)} is not readable JSON: {error.facts.get('reason')}.", "Correct it."
        )
        return None


def run_examples(bundle: Bundle) -> list[Result]:
    """Run every example of a bundle; what comes out must also fit the mapping's target schema."""
    return [Result(example=example, differences=tuple(_run(example, bundle))) for example in bundle.examples]


def _run(example: Example, bundle: Bundle) -> Iterator[str]:
    mapping = bundle.mappings[example.mapping]
    try:
        made = apply(mapping, example.source, example.given)
    except HubError as error:
        if error.code != example.fails:
            yield f"it failed with {error.code}: {error}"
        return
    if example.fails is not None:
        yield f"it should fail with {example.fails}"
        return
    yield from bundle.validate(mapping.target, made)
    yield from differences(example.expected, made)


def differences(expected: Any, made: Any, where: str = "") -> Iterator[str]:
    """Compare what is expected with what came, field by field; keys that are not expected do not count."""
    if isinstance(expected, Mapping) and isinstance(made, Mapping):
        for key, value in expected.items():
            path = f"{where}.{key}".removeprefix(".")
            if key in made:
                yield from differences(value, made[key], path)
            elif value is not None:
                yield f"{path}: nothing came, expected {_shown(value)}"
    elif isinstance(expected, list) and isinstance(made, list):
        if len(expected) != len(made):
            yield f"{where}: {len(made)} entries came, expected {len(expected)}"
            return
        for index, (one, other) in enumerate(zip(expected, made, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif not _equal(expected, made):
        yield f"{where}: {_shown(made)} came, expected {_shown(expected)}"


def _equal(expected: Any, made: Any) -> bool:
    if isinstance(expected, bool) or isinstance(made, bool):
        return expected is made
    if isinstance(expected, (int, Decimal)) and isinstance(made, (int, Decimal)):
        return expected == made
    return type(expected) is type(made) and bool(expected == made)


def _shown(value: Any) -> str:
    text = f"{value}" if isinstance(value, (Decimal, int)) else repr(value)
    return text if len(text) <= 120 else f"{text[:119]}…"
