"""What each step of a flow gives, as far as schemas and policies say: its shape, and the schemas that it may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.expressions.compiler import Expression
from hub.policy.rules import Rule, RulePolicy
from hub.schemas.shape import ANYTHING, Shape, either, shape_of
from hub.workspace.catalogue import ConnectorEntry
from hub.workspace.known import Known
from hub.workspace.source.yaml_source import Keyed, text_of

_TEXT = shape_of({"type": "string"})
_FAILURES = shape_of(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"item": {"type": "string"}, "code": {"type": "string"}, "detail": {"type": "string"}},
            "required": ["item", "code", "detail"],
        },
    }
)
_COUNT = shape_of({"type": "integer"})
_OBJECT = shape_of({"type": "object"}).kinds
_FOUND = shape_of({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]})
_APPROVED = shape_of(
    {
        "type": "object",
        "properties": {
            "approved": {"const": True},
            "by": {"type": "array", "items": {"type": "string"}},
            "hash": {"type": "string"},
        },
        "required": ["approved", "by", "hash"],
    }
)
_WAITED = shape_of(
    {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}, "required": ["at"]}
)
_EVENT = shape_of(
    {
        "type": "object",
        "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "subject": {"type": "string"}, "data": {}},
        "required": ["id", "type", "subject", "data"],
    }
)
_FAILURES = shape_of(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("item", "code", "detail")},
            "required": ["item", "code", "detail"],
        },
    }
)
_MATCHED = shape_of(
    {
        "type": "object",
        "properties": {
            "thing": {"type": "string"},
            "known": {"type": "boolean"},
            "merged": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["thing", "known", "merged"],
    }
)
#: What steps of a kind give, whatever else stands in them.
_ALWAYS = {"lookup": _FOUND, "match": _MATCHED, "approve": _APPROVED, "emit": _FOUND}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutput:
    """The shape of a step's output, and the names of the schemas that it has one of; none when they are not known.

    `pinned` says that a connection's settings may choose other versions of them. `inner` are the outputs of the steps
    within it, where they are read through it.
    """

    shape: Shape = ANYTHING
    schemas: tuple[str, ...] = ()
    pinned: bool = False
    inner: Mapping[str, StepOutput] = field(default_factory=dict)


def left_out(step: Keyed, output: StepOutput) -> StepOutput:
    """Give what later steps read of a step: null where it was left out, or where the flow went on without it."""
    may_be = "when" in step.entries or text_of(step.get("on_failure")) == "continue"
    return replace(output, shape=output.shape.nullable()) if may_be else output


def step_output(step: Keyed, connectors: Iterable[ConnectorEntry], known: Known) -> StepOutput:
    """Tell what a step gives; `connectors` are those that its call may go to."""
    return left_out(step, _output(step, connectors, known))


def _output(step: Keyed, connectors: Iterable[ConnectorEntry], known: Known) -> StepOutput:
    for key, shape in _ALWAYS.items():
        if key in step.entries:
            asked = step.get(key)
            optional = isinstance(asked, Keyed) and text_of(asked.get("optional")) == "true"
            return StepOutput(shape=shape.nullable() if optional else shape)
    wait, call, subflow = step.get("wait"), step.get("call"), step.get("flow")
    if isinstance(subflow, Keyed):
        return StepOutput(shape=known.given.get(text_of(subflow.get("flow")), ANYTHING))
    if isinstance(wait, Keyed):
        return StepOutput(shape=_EVENT if "event" in wait.entries else _WAITED)
    if "map" in step.entries:
        return _made_by(text_of(step.get("map")), known)
    if "decide" in step.entries:
        policy = known.policies.get(text_of(step.get("decide")))
        deciding = policy.deciding if policy is not None else None
        return StepOutput(shape=ANYTHING if deciding is None else decided(deciding, deciding.rules))
    if not isinstance(call, Keyed):
        return StepOutput()
    output = _called(call, connectors, known)
    if text_of(call.get("optional")) == "true":
        return replace(output, shape=output.shape.nullable())
    return (
        output
        if "each" not in call.entries
        else StepOutput(shape=counted({"results": _by_name(output.shape), "failures": _FAILURES}))
    )


def _called(call: Keyed, connectors: Iterable[ConnectorEntry], known: Known) -> StepOutput:
    """Tell what one call of an operation gives."""
    if "into" in call.entries:
        return _made_by(text_of(call.get("into")), known)
    return written(call, connectors, known)


def written(call: Keyed, connectors: Iterable[ConnectorEntry], known: Known) -> StepOutput:
    """Tell what the operation of a call answers, before any mapping."""
    operation = text_of(call.get("operation"))
    found = [entry.operations[operation] for entry in connectors if operation in entry.operations]
    outputs = [entry.output for entry in found]
    named = [str(output["$ref"]) for output in outputs if _is_name(output.get("$ref"))]
    shapes = [
        known.shape(str(output["$ref"])) if _is_name(output.get("$ref")) else shape_of(output) for output in outputs
    ]
    return StepOutput(
        shape=either(shapes),
        schemas=tuple(named) if len(named) == len(outputs) else (),
        pinned=any(entry.pinned for entry in found),
    )


def counted(more: Mapping[str, Shape]) -> Shape:
    """Give the shape of what is told of many items: how many there were, and how they ended."""
    fields = {"count": _COUNT, "succeeded": _COUNT, "failed": _COUNT, **more}
    return Shape(kinds=_OBJECT, fields=fields, required=frozenset(fields))


def _by_name(shape: Shape) -> Shape:
    return Shape(kinds=_OBJECT, rest=shape)


def _is_name(reference: object) -> bool:
    return isinstance(reference, str) and not reference.startswith("#")


def _made_by(name: str, known: Known) -> StepOutput:
    mapping = known.mappings.get(name)
    return StepOutput() if mapping is None else StepOutput(shape=known.shape(mapping.target), schemas=(mapping.target,))


def decided(policy: RulePolicy, rules: Sequence[Rule]) -> Shape:
    """Give the shape of what some rules of a policy give: what all of them give is always there.

    What the policy's kind declares of an output, its unit among it, holds whatever the rules say.
    """
    outputs: list[Mapping[str, Any]] = [rule.then for rule in rules]
    names = dict.fromkeys(name for output in outputs for name in output)
    declared = policy.kind.outputs or {}
    fields = {
        name: declared[name].shape
        if name in declared
        else _value([output[name] for output in outputs if name in output])
        for name in names
    }
    always = frozenset(name for name in names if all(name in output for output in outputs))
    return Shape(kinds=_OBJECT, fields=fields, required=always)


def _value(values: list[Any]) -> Shape:
    texts = all(isinstance(value, str) for value in values)
    return _TEXT if texts and not any(isinstance(value, Expression) for value in values) else ANYTHING
