"""Whether the expressions of a flow fit what its steps give, and whether each mapping gets what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.expressions.compiler import compile
from hub.expressions.findings import FindingCode
from hub.expressions.inference import infer, money_shape
from hub.mapping.check import check
from hub.mapping.fits import misfits
from hub.mapping.flaws import FlawCode
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowShapes:
    """What the steps so far give, and the checks of what comes after them."""

    lints: Lints
    known: Known
    outputs: Mapping[str, StepOutput] = field(default_factory=dict)

    def knowing(self, name: str, output: StepOutput) -> FlowShapes:
        """Give the same with one more name."""
        return FlowShapes(lints=self.lints, known=self.known, outputs={**self.outputs, name: output})

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

    def mapping(self, holder: Keyed, name: Node | None, otherwise: StepOutput | None = None) -> None:
        """Check that a mapping gets a record of the schema it reads, and given values of the kinds it needs.

        It is applied to `otherwise` where nothing is named, which is the event's record when left out.
        """
        mapping = self.known.mappings.get(text_of(name))
        of = holder.get("of")
        if mapping is None or name is None:
            return
        output = self.source(of, otherwise)
        schemas = output.schemas
        series = {schema.partition("@")[0] for schema in schemas}
        if schemas and mapping.source.partition("@")[0] not in series:
            has = " or ".join(f"`{schema}`" for schema in schemas)
            what = "the event's record" if otherwise is None else "what the operation answers"
            what = what if of is None else f"`{text_of(of)}`"
            message = f"The mapping `{mapping.name}` reads `{mapping.source}`, but {what} is {has}."
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

    def source(self, of: Node | None, otherwise: StepOutput | None = None) -> StepOutput:
        """Give what is known of a record that is named, when that is a step by itself or one within a step."""
        if of is None:
            return otherwise or self.outputs.get("record", StepOutput())
        name, *further = text_of(of).split(".")
        output = self.outputs.get(name, StepOutput())
        for inner in further:
            output = output.inner.get(inner, StepOutput())
        return output

    def _given(self, holder: Keyed, name: str) -> None:
        """Check a mapping once more with the shapes of the values that it is given here."""
        given = holder.get("given")
        mapping = self.known.mappings[name]
        if not isinstance(given, Keyed):
            return
        quiet = FlowShapes(lints=Lints(self.lints.path), known=self.known, outputs=self.outputs)
        shapes = {key: quiet.term(entry.value) for key, entry in given.entries.items()}
        told = {key: shape for key, shape in shapes.items() if shape is not ANYTHING}
        source, target = self.known.shape(mapping.source), self.known.shape(mapping.target)
        # Most often there is nothing to tell, and one look at all of them is enough to see it.
        if not told or not any(flaw.certain for flaw in check(mapping.compiled, source, target, told)):
            return
        alone = set(check(mapping.compiled, source, target))
        for key, shape in told.items():
            entry = given.entries[key]
            for flaw in check(mapping.compiled, source, target, {key: shape}):
                if flaw not in alone and flaw.certain:
                    message = f"The mapping `{name}` cannot use this value: {flaw.detail}"
                    self.lints.error(entry.value, flaw.code, message, flaw.hint)

    def each(self, node: Node) -> Shape:
        """Check that what is gone through is a list, and give the shape of its items."""
        shape = self.term(node)
        kinds = shape.kinds - _NULL
        if kinds and Kind.ARRAY not in kinds:
            words = " or ".join(sorted(kinds))
            message = f"`each` goes through a list, but this gives {words}."
            self.lints.error(node, "wrong-type", message, "Name a list.")
        return shape.items or ANYTHING

    def name(self, node: Node) -> None:
        """Check that what names an item is a text or a number."""
        self._id(self.term(node), node, "An item is named by a text")

    def text(self, node: Node) -> None:
        """Check that what an event is about is a text."""
        kinds = self.term(node).kinds - _NULL
        if kinds and Kind.STRING not in kinds:
            words = " or ".join(sorted(kinds))
            message = f"What an event is about is a text, but this gives {words}."
            self.lints.error(node, "wrong-type", message, "Name its id.")

    def record(self, holder: Keyed, at: Node, wanted: str, taker: str = "The flow") -> None:
        """Check that what is handed over as it is, is a record of the wanted schema."""
        of = holder.get("of")
        source = self.source(of)
        what = f"`{text_of(of)}`" if of is not None else "the event's record"
        if source.schemas and wanted not in source.schemas:
            has = " or ".join(f"`{schema}`" for schema in source.schemas)
            message = f"{taker} takes `{wanted}`, but {what} is {has}."
            self.lints.error(of or at, "wrong-schema", message, "Name a mapping for it with `with`.")
        elif not source.schemas and of is not None:
            quiet = FlowShapes(lints=Lints(self.lints.path), known=self.known, outputs=self.outputs)
            found = misfits(quiet.term(of).without_null(), self.known.shape(wanted), text_of(of))
            # A record may have more than its schema tells of.
            for misfit in (each for each in found if each.certain and each.code is not FlawCode.UNKNOWN_TARGET_FIELD):
                self.lints.error(of, misfit.code, f"{taker} takes `{wanted}`: {misfit.detail}", misfit.hint)
                return

    def item(self, node: Node, item: Shape) -> None:
        """Check an expression that is read on an item and names it."""
        if not isinstance(node, Scalar):
            return
        found = infer(compile(text_of(node)), item, tables=self.known.tables)
        for finding in found.findings:
            self.lints.error(place_in(node, finding.position), finding.code, finding.detail)
        if not found.findings:
            self._id(found.shape, node, "An item is named by a text")

    def lookup(self, lookup: Keyed) -> None:
        """Check that what is looked up, or compared under it, is an id."""
        at = lookup.entries["id"].value
        self._id(self.term(at), at, "An id is looked up by text")

    def _id(self, shape: Shape, at: Node, wanted: str) -> None:
        kinds = shape.kinds - _NULL
        if kinds and not kinds & _IDS:
            words = " or ".join(sorted(kinds))
            self.lints.error(at, "wrong-type", f"{wanted}, but this gives {words}.", "Name its id.")

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
