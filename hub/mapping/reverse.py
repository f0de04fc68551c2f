"""Derive the mapping in the other direction: from what a mapping makes to what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.expressions.compiler import compile
from hub.expressions.mistakes import Mistake
from hub.expressions.parts import Computed, Filled, Grouped, Literal, Nested, Part, Repeated, Spot
from hub.expressions.paths import step
from hub.mapping.compiled import CompiledMapping
from hub.mapping.turning import NotReversible, Turned, plain_path, reversed_name, reversed_table, turned
from hub.schemas.shape import ANYTHING, Shape


def reversed_document(
    mapping: CompiledMapping, name: str, source: Shape = ANYTHING
) -> tuple[dict[str, Any], list[Mistake]]:
    """Give the document of the mapping in the other direction, and every field that keeps it from being derived.

    Each field must be a path, a table with unique values, an amount, or say by `back` how it is read again. `source`
    is the shape of the records that the reverse makes: what is required there is required of the reverse.
    """
    turning = _Turning(mapping)
    fields = turning.group(mapping.shape, source)
    document: dict[str, Any] = {
        "mapping": name,
        "version": mapping.version,
        "from": mapping.target,
        "to": mapping.source,
        "given": sorted(turning.given),
        "fields": fields,
    }
    if mapping.shape.kept:
        document["rest"] = "keep"
        made = [path for path in turning.made if path not in fields]
        document |= {"without": made} if made else {}
        for path in mapping.shape.without:
            turning.refuse(path, Spot(where=("without",)), "what is taken out cannot come back")
    if not fields and not turning.mistakes:
        turning.refuse(name, Spot(where=("reverse",)), "no field says anything of the source")
    return document, turning.mistakes


def reversed_tables(mapping: CompiledMapping) -> dict[str, Mapping[str, Any]]:
    """Give all tables of a mapping, and each once more read from its values to its keys."""
    turned_round = {reversed_name(name): reversed_table(entries) for name, entries in mapping.tables.items()}
    return {**mapping.tables, **turned_round}


class _Turning:
    """One pass over a mapping's parts."""

    def __init__(self, mapping: CompiledMapping) -> None:
        self.mistakes: list[Mistake] = []
        self.given: set[str] = set()
        self.made: list[str] = []
        self._tables = mapping.tables
        #: The source's fields at the top of the record, for what elements need of them.
        self._top: dict[str, tuple[str, str]] = {}

    def refuse(self, target: str, spot: Spot, why: str) -> None:
        """Note that a field cannot be turned round."""
        detail = f"`{target}` cannot be turned round for `reverse`: {why}. Add `back` with what gives it again."
        self.mistakes.append(Mistake(where=spot.where, detail=detail, code="not-reversible"))

    def group(self, group: Grouped, source: Shape) -> dict[str, Any]:
        """Turn the fields of one record or element round; `source` is the shape of what they make."""
        found: dict[str, tuple[Turned, str]] = {}
        lists: dict[str, Any] = {}
        self._collect(group, "", "", found, lists, source)
        top = not self._top
        if top:
            self._top = {path: (one.form, target) for path, (one, target) in found.items() if one.currency is None}
        fields: dict[str, Any] = {}
        for path, (one, target) in found.items():
            text = self._text(one, target, found, top=top)
            if text is None:
                why = f"its currency is not among the fields: neither `{one.currency}` nor `currency` is read back"
                self.refuse(target, Spot(where=("fields",)), why)
            else:
                fields[path] = {"value": text, "required": True} if _required(source, path) else text
        for path, each in lists.items():
            fields[path] = each()
        return fields

    def _collect(
        self,
        group: Grouped,
        above: str,
        made: str,
        found: dict[str, tuple[Turned, str]],
        lists: dict[str, Any],
        source: Shape,
    ) -> None:
        """Gather what each field gives back; `above` is the source path it is read from, `made` the target's."""
        for name, part in group.fields.items():
            target = step(made, name)
            try:
                self._part(part, above, target, found, lists, source)
            except NotReversible as why:
                spot = part.spot if not isinstance(part, Grouped) else group.spot
                self.refuse(target, spot, str(why))

    def _part(
        self,
        part: Part,
        above: str,
        target: str,
        found: dict[str, tuple[Turned, str]],
        lists: dict[str, Any],
        source: Shape,
    ) -> None:
        match part:
            case Computed():
                self._field(Filled(value=part, spot=part.spot), above, target, found)
            case Filled():
                self._field(part, above, target, found)
            case Grouped():
                self._collect(part, above, target, found, lists, source)
            case Nested():
                if part.when is not None or part.fields.kept:
                    raise NotReversible("it has `when` or `rest`")
                below = "" if part.of is None else plain_path(part.of.tree)
                if below is None:
                    raise NotReversible("`of` is no path")
                self._collect(part.fields, _joined(above, below), target, found, lists, source)
            case Repeated():
                each = plain_path(part.each.tree)
                if each is None or part.when is not None or part.fields.kept:
                    raise NotReversible("only a list whose `each` is a path, without `when` and `rest`, can be")
                path = _joined(above, each)
                self.made.append(target)
                items = _at(source, path).items or ANYTHING
                lists[path] = lambda: {"each": target, "fields": self.group(part.fields, items)}

    def _field(self, part: Filled, above: str, target: str, found: dict[str, tuple[Turned, str]]) -> None:
        self.made.append(target)
        if part.back is not None:
            choices = [Turned(path=_only(part), form=part.back.text, certain=True)]
            self.given |= {name for name, _ in compile(part.back.text).given}
            self._keep(choices[0], above, "", found)
            return
        if part.when is not None:
            raise NotReversible("it has `when`")
        if isinstance(part.default, Literal | Computed):
            raise NotReversible("its `default` stands for what was not there")
        for one in turned(part.value.tree, self._tables):
            self._keep(one, above, target, found)

    @staticmethod
    def _keep(one: Turned, above: str, target: str, found: dict[str, tuple[Turned, str]]) -> None:
        path = _joined(above, one.path)
        known = found.get(path)
        if known is None or (one.certain and not known[0].certain):
            currency = None if one.currency is None else _joined(above, one.currency)
            found[path] = (Turned(path=path, form=one.form, currency=currency, certain=one.certain), target)

    def _text(self, one: Turned, target: str, found: Mapping[str, tuple[Turned, str]], *, top: bool) -> str | None:
        """Write the expression that gives a field of the source again."""
        if one.currency is None:
            return one.form.replace("{}", target) if target else one.form
        for path in (one.currency, "currency"):
            if path in found and found[path][0].currency is None:
                currency = found[path][0].form.replace("{}", found[path][1])
                return one.form.replace("{currency}", currency).replace("{}", target)
        if not top and "currency" in self._top:
            form, at = self._top["currency"]
            return one.form.replace("{currency}", form.replace("{}", f"root().{at}")).replace("{}", target)
        return None


def _only(part: Filled) -> str:
    """Give the one path that a field reads, relative to what it is read from."""
    paths = compile(part.value.text).paths
    own = [path for path in paths if "[]" not in path and path != "@"]
    if len(own) != 1 or len(paths) != 1:
        words = ", ".join(f"`{path}`" for path in paths) or "nothing"
        raise NotReversible(f"`back` gives one field of the source, but `value` reads {words}")
    return own[0]


def _joined(above: str, below: str) -> str:
    return f"{above}.{below}" if above and below else above or below


def _at(shape: Shape, path: str) -> Shape:
    for name in path.split("."):
        shape = shape.at(name.strip('"')) or ANYTHING
    return shape


def _required(shape: Shape, path: str) -> bool:
    """Tell whether a record without this path does not fit, whatever else it has."""
    for name in path.split("."):
        if name.strip('"') not in shape.required:
            return False
        shape = shape.at(name.strip('"')) or ANYTHING
    return True
