"""The page about flows is right: its examples are read by the hub, and it knows every key that a flow may have."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hub.workspace.files.flow_file import FLOW, SCHEDULE
from hub.workspace.files.step_file import ACTIONS, ARM, CALL, EMIT, FOREACH, STEP, SUBFLOW, UNDO, WAIT
from hub.workspace.source.lint import Lints
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.shapes import Form
from hub.workspace.source.yaml_source import Keyed, Listed, read_yaml
from tests.house.sources import ROOT

GUIDE = (ROOT / "docs/flows.md").read_text(encoding="utf-8")
OTHERS = (ROOT / "docs/schedules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
STEPS = [example for example in EXAMPLES if example.startswith("  - id:")]
#: What stands before the steps of each example.
HEAD = EXAMPLES[0].partition("steps:\n")[0] + "steps:\n"


def keys(form: Form) -> Iterator[str]:
    yield from form.keys


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.split("\n", 1)[0].strip() for example in EXAMPLES])
def test_every_example_is_a_flow_or_steps_of_one(example: str) -> None:
    lints = Lints("docs/flows.md")
    node = read_yaml((HEAD + example if example in STEPS else example).encode(), lints)
    assert node is not None, lints.found
    lint_shape(node, FLOW, lints, "flow")
    assert [str(lint) for lint in lints.found] == []


def test_there_is_an_example_of_every_kind_of_step() -> None:
    shown = set()
    for example in STEPS:
        node = read_yaml((HEAD + example).encode(), Lints("docs/flows.md"))
        assert isinstance(node, Keyed)
        steps = node.get("steps")
        assert isinstance(steps, Listed)
        shown |= {key for step in steps.items if isinstance(step, Keyed) for key in step.entries}
    assert set(ACTIONS) - shown == set()


@pytest.mark.parametrize(
    "form", [FLOW, STEP, CALL, FOREACH, ARM, WAIT, EMIT, SUBFLOW, UNDO], ids=lambda form: form.title
)
def test_every_key_is_told(form: Form) -> None:
    assert [key for key in keys(form) if not re.search(rf"\b{key}\b", GUIDE)] == []


def test_every_key_of_a_schedule_is_told_where_schedules_are() -> None:
    assert [key for key in keys(SCHEDULE) if f"`{key}`" not in OTHERS] == []
