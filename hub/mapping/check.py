"""Check a mapping against the shapes of its source and its target, before any record is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.expressions.assumptions import assume
from hub.expressions.findings import Finding, FindingCode, spoken_kinds
from hub.expressions.inference import infer
from hub.expressions.kept import removed
from hub.expressions.literals import literal_shape
from hub.expressions.parts import Computed, Filled, Grouped, Literal, Nested, Part, Repeated, Spot
from hub.expressions.paths import source_paths, step
from hub.expressions.tree import Node
from hub.expressions.tree import Part as NodePart
from hub.expressions.unions import Unions, is_unknown
from hub.mapping.compiled import CompiledMapping
from hub.mapping.fits import Misfit, misfits, unknown_target
from hub.mapping.flaws import Flaw, FlawCode
from hub.mapping.needless import needless
from hub.mapping.nullability import declared, says
from hub.model.kinds import Kind
from hub.schemas.shape import ANYTHING, Shape

_NULL = frozenset({Kind.NULL})
_CODES = {
    FindingCode.UNKNOWN_FIELD: FlawCode.UNKNOWN_SOURCE_FIELD,
    FindingCode.WRONG_TYPE: FlawCode.WRONG_TYPE,
    FindingCode.WRONG_UNIT: FlawCode.WRONG_UNIT,
    FindingCode.WRONG_FORMAT: FlawCode.WRONG_FORMAT,
    FindingCode.NEVER_TRUE: FlawCode.NEVER_TRUE,
    FindingCode.ALWAYS_TRUE: FlawCode.ALWAYS_TRUE,
    FindingCode.NOT_IN_TABLE: FlawCode.NOT_IN_TABLE,
}
_UNCERTAIN = frozenset({FindingCode.NEVER_TRUE, FindingCode.ALWAYS_TRUE})


def check(
    mapping: CompiledMapping, source: Shape, target: Shape, given: Mapping[str, Shape] | None = None
) -> list[Flaw]:
    """Give what is wrong with a mapping, each flaw once; `given` are the shapes of given values, as far as known."""
    looking = _Check(mapping, source, given or {})
    whole = _At(shape=source, strict=looking.strict_root)
    looking.group(mapping.shape, whole, target, "", source if mapping.shape.kept else None)
    return list(dict.fromkeys(looking.flaws))


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """What expressions are read from: its shape, the same with null only where it is declared, and its path."""

    shape: Shape
    strict: Shape
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _To:
    """A place in the target: what it takes, its path, and whether a record without it does not fit.

    It `vanishes` with the object it stands in when all its siblings are null too, and nothing is missing then.
    """

    shape: Shape
    path: str
    required: bool
    vanishes: bool = False


class _Check:
    """One pass over a mapping."""

    def __init__(self, mapping: CompiledMapping, source: Shape, given: Mapping[str, Shape]) -> None:
        self.flaws: list[Flaw] = []
        self.strict_root = declared(source)
        self._source = source
        self._name, self._target = mapping.source, mapping.target
        self._given = given
        self._tables = mapping.tables
        self._join = Unions()

    def group(
        self, group: Grouped, at: _At, target: Shape, path: str, kept: Shape | None, *, optional: bool = False
    ) -> None:
        """Check the fields of an object against what its place in the target wants."""
        vanishes = optional and not any(self._always(part, at) for part in group.fields.values())
        for name, part in group.fields.items():
            inside = f"{path}.{name}" if path else name
            wanted = target.at(name)
            if wanted is None and target.fields:
                self._flaw(unknown_target(name, target, f"`{path}`" if path else self._target), part.spot)
                wanted = ANYTHING
            required = name in target.required
            to = _To(shape=wanted or ANYTHING, path=inside, required=required, vanishes=vanishes)
            self._part(part, at, to, _below(kept, name))
        if kept is not None:
            self.flaws += needless(group, kept, whole=not path)
        if is_unknown(target):
            return
        taken = {name for name, below in removed(group.without).items() if not below}
        if kept is not None:
            self._kept(group, kept, target, path, taken)
        for name in sorted(target.required - group.fields.keys()):
            if kept is not None and name not in taken and kept.at(name) is not None:
                continue
            where = f"`{path}`" if path else self._target
            hint = f"Add `{name}` to its fields."
            detail = f"{where} needs the field `{name}`, which nothing fills."
            self._add(FlawCode.MISSING_REQUIRED_TARGET, detail, group.spot, hint)

    def _kept(self, group: Grouped, kept: Shape, target: Shape, path: str, taken: set[str]) -> None:
        """Check what is taken over as it is, and what is taken out."""
        for name, field in kept.fields.items():
            wanted = target.at(name)
            if name in group.fields or name in taken or wanted is None:
                continue
            for misfit in misfits(field, wanted, f"{path}.{name}" if path else name):
                if misfit.code is not FlawCode.UNKNOWN_TARGET_FIELD:
                    kept_words = replace(misfit, detail=misfit.detail.replace("this gives", "what is kept gives"))
                    self._flaw(kept_words, group.spot)

    def _part(self, part: Part, at: _At, to: _To, kept: Shape | None) -> None:
        match part:
            case Computed():
                self._filled(Filled(value=part, spot=part.spot), at, to)
            case Filled():
                self._filled(part, at, to)
            case Grouped():
                self._object(part, at, to, kept)
            case Nested():
                self._nested(part, at, to)
            case Repeated():
                self._repeated(part, at, to)

    def _object(self, group: Grouped, at: _At, to: _To, kept: Shape | None) -> None:
        if self._takes(Kind.OBJECT, "an object of fields", to, group.spot):
            self.group(group, at, to.shape, to.path, kept, optional=not to.required)

    def _takes(self, kind: Kind, words: str, to: _To, spot: Spot) -> bool:
        """Tell whether the target takes what is made here, and say so if it does not."""
        if kind in to.shape.kinds:
            return True
        self._add(
            FlawCode.WRONG_TYPE, f"`{to.path}` must be {spoken_kinds(to.shape.kinds)}, but this makes {words}.", spot
        )
        return False

    def _filled(self, part: Filled, at: _At, to: _To) -> None:
        path = to.path
        at = self._when(part.when, at, path)
        value = self._infer(part.value, at)
        shape = value.shape
        strict_null = value.nullable
        if part.default is not None:
            other = self._default(part.default, at)
            shape = self._join([shape.without_null(), other.shape]) if shape.kinds - _NULL else other.shape
            strict_null = strict_null and other.nullable
        if shape.kinds == _NULL and not value.failed:
            self._add(FlawCode.DEAD_FIELD, f"`{path}` can only be null.", part.value.spot, "Remove it.", certain=False)
            return
        for misfit in misfits(shape, to.shape, path):
            self._flaw(misfit, part.value.spot, part.value.tree.position)
        left_out = part.when is not None or (strict_null and not part.required)
        if to.required and left_out and not value.failed:
            self._nullable(part, at, to)

    def _always(self, part: Part, at: _At) -> bool:
        """Tell whether a field is surely there."""
        if isinstance(part, Filled):
            return part.when is None and (part.required or part.default is not None or self._always(part.value, at))
        if not isinstance(part, Computed):
            return False
        tables, given = self._tables, self._given
        shape = infer(part.tree, at.strict, root=self.strict_root, given=given, tables=tables).shape
        return not shape.may_be_null

    def _nullable(self, part: Filled, at: _At, to: _To) -> None:
        path = to.path
        if to.vanishes and not (part.when is None and self._null_in_itself(part.value, at)):
            return
        if part.when is not None:
            detail = f"`{path}` is required, but this leaves it out unless `{part.when.text}` is true."
            hint = "Remove `when`, or choose between two values with `&&` and `||`."
        else:
            detail = f"`{path}` is required, but `{part.value.text}` may be null."
            hint = "Write `required: true` to stop at such a record, or give a `default`."
        position = part.value.tree.position
        self._add(FlawCode.NULLABLE_INTO_REQUIRED, detail, part.value.spot, hint, position=position)

    def _null_in_itself(self, part: Computed, at: _At) -> bool:
        """Tell whether a field of an object may be null although the object is there."""
        if part.tree.part is not NodePart.SUBEXPRESSION:
            return False
        *above, last = part.tree.children
        base = replace(part.tree, children=tuple(above)) if len(above) > 1 else above[0]
        found = infer(base, at.strict, root=self.strict_root, given=self._given, tables=self._tables).shape
        inner = infer(last, found.without_null(), root=self.strict_root, given=self._given, tables=self._tables).shape
        return inner.may_be_null and not is_unknown(inner)

    def _nested(self, part: Nested, at: _At, to: _To) -> None:
        path = to.path
        if to.required and part.when is not None:
            detail = f"`{path}` is required, but this leaves it out unless `{part.when.text}` is true."
            self._add(FlawCode.NULLABLE_INTO_REQUIRED, detail, part.when.spot, "Remove `when`.")
        at = self._when(part.when, at, path)
        inner = at
        if part.of is not None:
            value = self._infer(part.of, at, inside=True)
            if value.shape.kinds == _NULL and not value.failed:
                detail = f"`{path}` is always left out: `{part.of.text}` can only be null."
                self._add(FlawCode.DEAD_FIELD, detail, part.of.spot, "Remove it.", certain=False)
            if to.required and value.nullable and not part.required:
                detail = f"`{path}` is required, but is left out when `{part.of.text}` is null."
                hint = "Write `required: true` to stop at such a record."
                self._add(FlawCode.NULLABLE_INTO_REQUIRED, detail, part.of.spot, hint)
            inner = _At(
                shape=value.shape.without_null() if value.shape.kinds - _NULL else ANYTHING,
                strict=value.strict.without_null() if value.strict.kinds - _NULL else ANYTHING,
                path=_path_of(part.of.tree, at.path),
            )
        if self._takes(Kind.OBJECT, "an object of fields", to, part.spot):
            kept = inner.shape if part.fields.kept else None
            self.group(part.fields, inner, to.shape, path, kept, optional=not to.required)

    def _repeated(self, part: Repeated, at: _At, to: _To) -> None:
        path = to.path
        value = self._infer(part.each, at, inside=True)
        if value.shape.kinds == _NULL and not value.failed:
            detail = f"`{path}` is always left out: `{part.each.text}` can only be null."
            self._add(FlawCode.DEAD_FIELD, detail, part.each.spot, "Remove it.", certain=False)
        elif Kind.ARRAY not in value.shape.kinds and value.shape.kinds:
            detail = f"`each` must give a list, but `{part.each.text}` gives {spoken_kinds(value.shape.kinds)}."
            hint = "Write `[…]` around it for a list of one."
            self._add(FlawCode.WRONG_TYPE, detail, part.each.spot, hint, position=part.each.tree.position)
            return
        if to.required and value.nullable and not part.required and not value.failed:
            detail = f"`{path}` is required, but is left out when `{part.each.text}` is null."
            hint = f"Write `required: true` to stop at such a record, or {part.each.text} || `[]` for an empty list."
            self._add(FlawCode.NULLABLE_INTO_REQUIRED, detail, part.each.spot, hint, position=part.each.tree.position)
        element = _At(
            shape=value.shape.items or ANYTHING,
            strict=value.strict.items or ANYTHING,
            path=f"{_path_of(part.each.tree, at.path)}[]",
        )
        element = self._when(part.when, element, path)
        if self._takes(Kind.ARRAY, "a list", to, part.spot):
            items = to.shape.items or ANYTHING
            self.group(part.fields, element, items, f"{path}[]", element.shape if part.fields.kept else None)

    def _when(self, when: Computed | None, at: _At, path: str) -> _At:
        """Check a condition, and give what is read from where it holds."""
        if when is None:
            return at
        value = self._infer(when, at)
        shape = value.shape
        if not value.failed and (shape.kinds == _NULL or (shape.kinds and shape.values == (False,))):
            detail = f"`{path}` is always left out: `{when.text}` is never true."
            self._add(FlawCode.DEAD_FIELD, detail, when.spot, "Remove it, or correct the condition.", certain=False)
        return replace(at, shape=assume(when.tree, at.shape), strict=assume(when.tree, at.strict))

    def _default(self, default: Computed | Literal, at: _At) -> _Value:
        if isinstance(default, Literal):
            shape = literal_shape(default.value)
            return _Value(shape=shape, strict=shape, failed=False)
        return self._infer(default, at)

    def _infer(self, part: Computed, at: _At, *, inside: bool = False) -> _Value:
        """Work out what an expression gives; `inside` when something is read from it in turn."""
        given, tables = self._given, self._tables
        found = infer(part.tree, at.shape, root=self._source, given=given, tables=tables, at=at.path)
        for finding in found.findings:
            self._finding(finding, part)
        strict = found.shape
        if strict.may_be_null and not inside and not self._knows(part.tree, at):
            strict = strict.without_null()
        elif strict.may_be_null or inside:
            strict = infer(part.tree, at.strict, root=self.strict_root, given=given, tables=tables).shape
        return _Value(shape=found.shape, strict=strict, failed=bool(found.findings))

    def _knows(self, tree: Node, at: _At) -> bool:
        """Tell whether the schemas say something of all that an expression reads; else nothing is said of null."""
        for node in tree.walk():
            if node.part is NodePart.FUNCTION and node.value == "given":
                name = node.children[0].value
                if is_unknown(self._given.get(str(name), ANYTHING)):
                    return False
        return all(says(at.strict, path) or says(self.strict_root, path) for path in source_paths(tree))

    def _finding(self, finding: Finding, part: Computed) -> None:
        certain = finding.code not in _UNCERTAIN
        code, detail = _CODES[finding.code], finding.detail
        if code is FlawCode.UNKNOWN_SOURCE_FIELD and " in `" not in detail:
            detail = detail.replace("`.", f"` in {self._name}.", 1)
        self._add(code, detail, part.spot, position=finding.position, certain=certain)

    def _flaw(self, misfit: Misfit, spot: Spot, position: int | None = None) -> None:
        self._add(misfit.code, misfit.detail, spot, misfit.hint, position=position, certain=misfit.certain)

    def _add(
        self,
        code: FlawCode,
        detail: str,
        spot: Spot,
        hint: str = "",
        *,
        position: int | None = None,
        certain: bool = True,
    ) -> None:
        if spot.fragment is not None:
            detail, position = f"In the fragment `{spot.fragment}`: {detail}", None
        self.flaws.append(Flaw(code=code, detail=detail, spot=spot, hint=hint, position=position, certain=certain))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """What an expression gives, the same with null only where it is declared, and whether it has mistakes."""

    shape: Shape
    strict: Shape
    failed: bool

    @property
    def nullable(self) -> bool:
        """Tell whether the schema says that it may be null; of what is unknown, it says nothing."""
        return self.strict.may_be_null and not is_unknown(self.strict)


def _below(kept: Shape | None, name: str) -> Shape | None:
    """Give what an object below a kept one keeps."""
    if kept is None:
        return None
    found = kept.at(name)
    return ANYTHING if found is None else found


def _path_of(tree: Node, path: str) -> str:
    """Give the source path of a value for messages, as far as it is read by names alone."""
    if tree.part is NodePart.FIELD:
        return step(path, str(tree.value))
    if tree.part is NodePart.SUBEXPRESSION and all(child.part is NodePart.FIELD for child in tree.children):
        for child in tree.children:
            path = step(path, str(child.value))
        return path
    return "" if path == "" and tree.part is not NodePart.CURRENT else path
