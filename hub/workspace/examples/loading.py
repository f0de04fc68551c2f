"""Examples: `NAME_examples.yaml` beside `NAME.yaml`, each an input with what must come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import FixData
from hub.sdk.exact_json import loads
from hub.workspace.bundle import Bundle
from hub.workspace.compiled_files import Example, MappingFile, PolicyFile
from hub.workspace.examples.of_mappings import run_mapping_example
from hub.workspace.examples.of_policies import run_policy_example
from hub.workspace.examples.runs import Outcome, Result
from hub.workspace.kinds import EXAMPLES_ENDING, NAMED, FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, nearest, shown
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.shapes import WORD, Form, Key, Many, Names, Text, Value
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, plain, text_of

EXAMPLE = Form(
    title="an example",
    keys={
        "example": Key(shape=Text(example="a sentence"), doc="what it shows", required=True),
        "in": Key(
            shape=Value(), doc="the record that goes in, or the path of a JSON file beside this one", required=True
        ),
        "given": Key(shape=Names(value=Value(), key=WORD, example="customer"), doc="the given values"),
        "expect": Key(shape=Value(), doc="the fields that must come out; others are not looked at"),
        "rule": Key(shape=Text(example="a rule's name"), doc="the rule of a policy that must decide; `none`: no rule"),
        "fails": Key(shape=Text(pattern=r"[a-z][a-z0-9-]*", example="an error code"), doc="the error that must come"),
    },
    one_of=(("expect", "fails"),),
)
EXAMPLES = Many(item=EXAMPLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What examples of one kind of file are: by which name it is known, and how one is run.

    `takes` are those keys of an example that do not mean something for every kind.
    """

    subjects: Callable[[Known], Mapping[str, MappingFile] | Mapping[str, PolicyFile]]
    run: Callable[[Example, Bundle], Outcome]
    takes: frozenset[str] = frozenset()


#: The kinds of files that have examples.
RUNNERS: Mapping[FileKind, Runner] = {
    FileKind.MAPPING: Runner(
        subjects=lambda known: known.mappings, run=run_mapping_example, takes=frozenset({"given", "fails"})
    ),
    FileKind.POLICY: Runner(
        subjects=lambda known: known.policies, run=run_policy_example, takes=frozenset({"rule", "fails"})
    ),
}
_EVERYWHERE = frozenset({"example", "in", "expect"})


def load_examples(node: Node, lints: Lints, known: Known) -> list[Example]:
    """Lint one examples file and give its examples; none after an error."""
    lint_shape(node, EXAMPLES, lints, "examples")
    kind = NAMED[lints.path.partition("/")[0]]
    runner = RUNNERS[kind]
    path = lints.path.removesuffix(EXAMPLES_ENDING) + ".yaml"
    if path not in known.files:
        lints.error(node, f"unknown-{kind}", f"There is no {shown(path)} beside it.", f"Name it after a {kind}.")
    name = next((each.name for each in runner.subjects(known).values() if each.path == path), None)
    if lints.failed or name is None or not isinstance(node, Listed):
        return []
    items = [item for item in node.items if isinstance(item, Keyed)]
    for item in items:
        for key, entry in item.entries.items():
            if key not in _EVERYWHERE | runner.takes:
                lints.error(entry.key, "misplaced-key", f"`{key}` means nothing for a {kind}.", "Remove it.")
    examples = [_example(item, kind, name, lints, known) for item in items]
    return [] if lints.failed else examples


def _example(node: Keyed, kind: FileKind, name: str, lints: Lints, known: Known) -> Example:
    given = node.get("given")
    source = node.entries["in"].value
    record = plain(source)
    if isinstance(source, Scalar) and isinstance(source.value, str):
        record = _fixture(source, lints, known)
    return Example(
        title=text_of(node.get("example")),
        kind=kind,
        name=name,
        source=record,
        given={} if given is None else plain(given),
        expected=plain(node.entries["expect"].value) if "expect" in node.entries else None,
        fails=text_of(node.get("fails")) or None,
        path=lints.path,
        line=node.line,
        rule=text_of(node.get("rule")) or None,
    )


def _fixture(node: Scalar, lints: Lints, known: Known) -> Any:
    folder = lints.path.rpartition("/")[0]
    path = f"{folder}/{node.text}"
    if path not in known.files:
        top = lints.path.partition("/")[0]
        near = nearest(path, (file for file in known.files if file.endswith(".json") and file.startswith(f"{top}/")))
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
    """Run every example of a bundle."""
    return [run_example(example, bundle) for example in bundle.examples]


def run_example(example: Example, bundle: Bundle) -> Result:
    """Run one example as its kind wants it."""
    outcome = RUNNERS[example.kind].run(example, bundle)
    return Result(example=example, made=outcome.made, differences=outcome.differences)
