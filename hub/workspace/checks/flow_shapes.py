"""Whether the expressions of a flow fit what its steps give, and whether each mapping gets what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.expressions.compiler import compile
from hub.expressions.findings import FindingCode
from hub.expressions.inference import infer, money_shape
from hub.expressions.tree import Part
from hub.mapping.check import check
from hub.mapping.fits import misfits
from hub.model.kinds import Kind
from hub.schemas.shape import ANYTHING, Shape
from hub.workspace.checks.step_shapes import StepOutput
from hub.workspace.compiled_files import MappingFile
from hub.workspace.known import Known
from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, text_of

_UNCERTAIN = frozenset({FindingCode.NEVER_TRUE, FindingCode.ALWAYS_TRUE})
_NULL = frozenset({Kind.NULL})
_IDS = frozenset({Kind.STRING, Kind.NUMBER})
_OBJECT = frozenset({Kind.OBJECT})


@dataclass(slots=True, kw_only=True)
class FlowShapes:
    """What the steps so far give, and the checks of what comes after them."""

    lints: Lints
    known: Known
    outputs: dict[str, StepOutput] = field(default_factory=dict)

    def term(self, node: Node, inset: int = 0, own: tuple[str, StepOutput] | None = None) -> Shape:
        """Check an expression whose names are known to exist, and give the shape of its value.

        `own` is the step itself, where its output is seen.
        """
        if not isinstance(node, Scalar):
            return ANYTHING
        expression = compile(text_of(node)[inset:])
        outputs = {**self.outputs, own[0]: own[1]} if own is not None else self.outputs
        found = infer(expression, _scope(outputs), tables=self.known.tables)
        for finding in found.findings:
            tell = self.lints.warn if finding.code in _UNCERTAIN else self.lints.error
            tell(place_in(node, inset + finding.position), finding.code, finding.detail)
        return ANYTHING if found.findings else found.shape

    def mapping(self, holder: Keyed, name: Node | None) -> None:
        """Check that a mapping gets a record of the schema it reads, and given values of the kinds it needs."""
        mapping = self.known.mappings.get(text_of(name))
        of = holder.get("of")
        if mapping is None or name is None:
            return
        output = self._output(of)
        schemas = output.schemas
        series = {schema.partition("@")[0] for schema in schemas}
        if schemas and mapping.source.partition("@")[0] not in series:
            has = " or ".join(f"`{schema}`" for schema in schemas)
            message = f"The mapping `{mapping.name}` reads `{mapping.source}`, but `{text_of(of)}` is {has}."
            self.lints.error(of or name, "wrong-schema", message, "Name another step, or a mapping that reads it.")
        else:
            self._version(output, mapping, of or name)
        self._given(holder, mapping.name)

    def _version(self, output: StepOutput, mapping: MappingFile, at: Node) -> None:
        """Check that records of these versions of a series can be read as the mapping wants them."""
        for schema in output.schemas:
            same = schema.partition("@")[0] == mapping.source.partition("@")[0]
            known = schema in self.known.registry and mapping.source in self.known.registry
            if same and known and self.known.registry.path(schema, mapping.source) is None:
                message = f"The mapping `{mapping.name}` reads `{mapping.source}`; this is `{schema}`"
                hint = f"Write a mapping with `from: {schema}` and `to: {mapping.source}`."
                if output.pinned:
                    unless = f"{message}, unless its connection is pinned to another version."
                    self.lints.warn(at, "no-upcast", unless, f"Pin every connection. Or: {hint}")
                else:
                    self.lints.error(at, "no-upcast", f"{message}.", hint)

    def _output(self, of: Node | None) -> StepOutput:
        """Give what is known of `of`, when that is a step by itself."""
        if not isinstance(of, Scalar):
            return StepOutput()
        tree = compile(text_of(of)).tree
        step = self.outputs.get(str(tree.value)) if tree.part is Part.FIELD else None
        return StepOutput() if step is None else step

    def _given(self, holder: Keyed, name: str) -> None:
        """Check a mapping once more with the shapes of the values that it is given here."""
        given = holder.get("given")
        mapping = self.known.mappings[name]
        if not isinstance(given, Keyed):
            return
        quiet = FlowShapes(lints=Lints(self.lints.path), known=self.known, outputs=self.outputs)
        source, target = self.known.shape(mapping.source), self.known.shape(mapping.target)
        alone = set(check(mapping.compiled, source, target))
        for key, entry in given.entries.items():
            shape = quiet.term(entry.value)
            for flaw in check(mapping.compiled, source, target, {key: shape}):
                if flaw not in alone and flaw.certain:
                    message = f"The mapping `{name}` cannot use this value: {flaw.detail}"
                    self.lints.error(entry.value, flaw.code, message, flaw.hint)

    def lookup(self, lookup: Keyed) -> None:
        """Check that what is looked up is an id."""
        at = lookup.entries["id"].value
        shape = self.term(at)
        kinds = shape.kinds - _NULL
        if kinds and not kinds & _IDS:
            words = " or ".join(sorted(kinds))
            self.lints.error(at, "wrong-type", f"An id is looked up by text, but this gives {words}.", "Name its id.")

    def expectation(self, expect: Keyed, own: tuple[str, StepOutput]) -> None:
        """Check that the fields that are compared are there on both sides."""
        same, fields = expect.get("same"), expect.get("fields")
        if same is None or not isinstance(fields, Listed):
            return
        other = self.term(same)
        for item in fields.items:
            sides = ((own[1].shape, f"`{own[0]}`"), (other, f"`{text_of(same)}`"))
            for shape, side in sides:
                self._compared(item, shape, side)

    def _compared(self, item: Node, shape: Shape, side: str) -> None:
        if not isinstance(item, Scalar):
            return
        for finding in infer(compile(text_of(item)), shape.without_null()).findings:
            self.lints.error(place_in(item, finding.position), finding.code, f"In {side}: {finding.detail}")

    def money(self, node: Node) -> None:
        """Check that what is at risk is money."""
        shape = self.term(node)
        for misfit in misfits(shape.without_null(), money_shape(), text_of(node)):
            self.lints.error(node, misfit.code, misfit.detail, misfit.hint)
            return


def _scope(outputs: Mapping[str, StepOutput]) -> Shape:
    """Give the shape of what a flow's expressions see; what is not a step is the event's, and unknown."""
    fields = {name: output.shape for name, output in outputs.items()}
    return Shape(kinds=_OBJECT, fields=fields, required=frozenset(fields), rest=ANYTHING)
