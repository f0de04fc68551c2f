"""Read the fields of a mapping's document into the parts of its record, noting every mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import Mistake
from hub.expressions.parts import NOWHERE, Computed, Filled, Grouped, Literal, Nested, Part, Repeated, Spot
from hub.expressions.paths import WHOLE, Origin, Paths, element_origin, source_paths, value_origin

_FILLED = ("value", "when", "default", "required", "back")
_REST = ("rest", "without")
_NESTED = ("use", "of", "when", "fields", "required", *_REST)
_REPEATED = ("each", "use", "when", "fields", "required", *_REST)
_REMOVED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[\])?(\.[A-Za-z_][A-Za-z0-9_]*(\[\])?)*")

Where = tuple[str | int, ...]
#: Fragments by name: the fields of each, as its document has them.
Fragments = Mapping[str, Mapping[str, Any]]


class Group(dict[str, Any]):
    """Names with what fills them, while they are being read; `spot` is where the object stands."""

    def __init__(self, spot: Spot = NOWHERE) -> None:
        """Start an empty object."""
        super().__init__()
        self.spot = spot


class Reading:
    """One pass over the fields of a mapping or a fragment.

    `reads` gives, for each target path, the source paths that it is made of. `given` are the names that `given()` may
    read, None for any.
    """

    def __init__(self, tables: Iterable[str], fragments: Fragments, given: frozenset[str] | None) -> None:
        """Read with these tables, fragments and given values."""
        self.mistakes: list[Mistake] = []
        self.reads: dict[str, Paths] = {}
        self._tables = frozenset(tables)
        self._fragments = fragments
        self._given = given
        #: The fragments that are being read, and the `use` in the document that its mistakes are told at.
        self._used: tuple[str, ...] = ()
        self._use: Where = ()

    def mistake(self, where: Where, detail: str, code: str = "invalid-document", position: int | None = None) -> None:
        """Note a mistake; one within a fragment is told where the fragment is used."""
        if self._used:
            where, detail, position = self._use, f"In the fragment `{self._used[-1]}`: {detail}", None
        mistake = Mistake(where=where, detail=detail, code=code, position=position)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def _spot(self, where: Where, inset: int = 0) -> Spot:
        if self._used:
            return Spot(where=self._use, fragment=self._used[-1])
        return Spot(where=where, inset=inset)

    def fields(self, group: Group, fields: Any, where: Where, target: str = "", at: Paths | Origin = WHOLE) -> None:
        """Read fields into a group; `target` is the path of the group, `at` the paths of what it is read from."""
        if not isinstance(fields, Mapping):
            self.mistake(where, "The fields are keys with expressions.")
            return
        for name, value in fields.items():
            self.field(group, str(name), value, (*where, name), target, at)

    def field(
        self, group: Group, name: str, value: Any, where: Where, target: str = "", at: Paths | Origin = WHOLE
    ) -> None:
        """Read one field, object or list and put it at its dotted target."""
        path = f"{target}.{name}" if target else name
        part = self._part(value, where, path, at)
        if part is not None:
            self._place(group, name, part, where)

    def rest(self, document: Mapping[str, Any], where: Where) -> tuple[bool, tuple[str, ...]]:
        """Read whether an object keeps the rest of its source, and without which paths."""
        keeps, without = document.get("rest"), document.get("without", [])
        if keeps not in (None, "keep"):
            self.mistake((*where, "rest"), "`rest` can only be `keep`; without it, nothing is kept.")
        if not isinstance(without, list):
            self.mistake((*where, "without"), "`without` is a list of paths.")
            return False, ()
        if "without" in document and keeps is None:
            self.mistake((*where, "without"), "`without` needs `rest: keep`; else nothing is kept to be taken out.")
        for place, path in enumerate(without):
            if not isinstance(path, str) or _REMOVED.fullmatch(path) is None:
                self.mistake((*where, "without", place), "This is no path; write one such as `lines.data[].price`.")
        return keeps == "keep", tuple(str(path) for path in without)

    def _part(self, value: Any, where: Where, path: str, at: Paths | Origin) -> Part | Group | None:
        if isinstance(value, str):
            computed = self.computed(value, where)
            if computed is not None:
                self.reads[path] = source_paths(computed.tree, at=at)
            return computed
        if isinstance(value, Mapping):
            if "value" in value:
                return self._filled(value, where, path, at)
            if "each" in value:
                return self._repeated(value, where, path, at)
            if "use" in value or "fields" in value:
                return self._nested(value, where, path, at)
            self.mistake(where, "A field is an expression, or keys with `value`, `fields`, `use` or `each`.")
            return None
        hint = "; a literal stands in backquotes" if isinstance(value, int | bool) else ""
        self.mistake(where, f"An expression is expected here{hint}.")
        return None

    def _filled(self, value: Mapping[str, Any], where: Where, path: str, at: Paths | Origin) -> Filled | None:
        self._only(value, _FILLED, where, "a field with more than an expression")
        computed = self.computed(value["value"], (*where, "value"))
        when = self._optional(value, "when", where)
        back = self._optional(value, "back", where)
        default = self._default(value, where)
        required = self._required(value, where)
        if computed is None:
            return None
        own = source_paths(computed.tree, at=at)
        others = [part for part in (when, default) if isinstance(part, Computed)]
        every = [*own, *(read for part in others for read in source_paths(part.tree, at=at))]
        self.reads[path] = tuple(dict.fromkeys(every))
        return Filled(
            value=computed,
            when=when,
            default=default,
            required=required is True,
            reads=own,
            back=back,
            spot=self._spot(where),
        )

    def _default(self, value: Mapping[str, Any], where: Where) -> Computed | Literal | None:
        default = value.get("default")
        if default is None:
            return None
        if isinstance(default, str) and default.startswith("="):
            return self.computed(default[1:], (*where, "default"), inset=1)
        return Literal(value=default)

    def _nested(self, value: Mapping[str, Any], where: Where, path: str, at: Paths | Origin) -> Nested | Group | None:
        self._only(value, _NESTED, where, "an object of fields")
        of, when = self._optional(value, "of", where), self._optional(value, "when", where)
        keeps, without = self.rest(value, where)
        if keeps and of is None:
            self.mistake((*where, "rest"), "`rest: keep` needs `of` here: the object whose rest is kept.")
        required = self._required(value, where)
        if required and of is None:
            self.mistake((*where, "required"), "`required` needs `of` here: the object that must be there.")
        inside = at if of is None else value_origin(of.tree, at=at)
        reads = [read for part in (of, when) if part is not None for read in source_paths(part.tree, at=at)]
        if when is not None or keeps:
            self.reads[path] = tuple(dict.fromkeys(reads))
        fields = Group(self._spot(where))
        self._inner(fields, value, where, path, inside)
        if of is None and when is None:
            return fields
        inner = grouped(fields, kept=keeps, without=without)
        return Nested(
            of=of,
            when=when,
            fields=inner,
            required=required,
            reads=() if of is None else source_paths(of.tree, at=at),
            spot=self._spot(where),
        )

    def _repeated(self, value: Mapping[str, Any], where: Where, path: str, at: Paths | Origin) -> Repeated | None:
        self._only(value, _REPEATED, where, "a repeated target")
        each = self.computed(value["each"], (*where, "each"))
        when = self._optional(value, "when", where)
        keeps, without = self.rest(value, where)
        required = self._required(value, where)
        inside: Paths | Origin = ()
        if each is not None:
            inside = element_origin(each.tree, at=at)
            conditions = () if when is None else source_paths(when.tree, at=inside)
            self.reads[f"{path}[]"] = (*source_paths(each.tree, at=at), *conditions)
        fields = Group(self._spot(where))
        self._inner(fields, value, where, f"{path}[]", inside)
        if each is None:
            return None
        inner = grouped(fields, kept=keeps, without=without)
        return Repeated(
            each=each,
            when=when,
            fields=inner,
            required=required,
            reads=source_paths(each.tree, at=at),
            spot=self._spot(where),
        )

    def _inner(self, fields: Group, value: Mapping[str, Any], where: Where, path: str, at: Paths | Origin) -> None:
        """Read the fields of an object or list: written in place, or those of a fragment, or both."""
        if "use" in value:
            self._fragment(fields, value["use"], (*where, "use"), path, at)
        if "fields" in value:
            self.fields(fields, value["fields"], (*where, "fields"), path, at)
        elif "use" not in value and "rest" not in value:
            self.mistake(where, "This has neither `fields` nor a fragment to `use`.")

    def _fragment(self, fields: Group, name: Any, where: Where, path: str, at: Paths | Origin) -> None:
        fragment = self._fragments.get(name) if isinstance(name, str) else None
        if fragment is None:
            self.mistake(where, f"There is no fragment `{name}`.{near(str(name), self._fragments)}", "unknown-fragment")
            return
        if name in self._used:
            self.mistake(where, f"The fragment `{name}` uses itself.", "fragment-in-itself")
            return
        before = self._used, self._use
        self._use = where if not self._used else self._use
        self._used = (*self._used, name)
        self.fields(fields, fragment, (), path, at)
        self._used, self._use = before

    def _required(self, value: Mapping[str, Any], where: Where) -> bool:
        required = value.get("required", False)
        if not isinstance(required, bool):
            self.mistake((*where, "required"), "`required` is `true` or `false`.")
        return required is True

    def _optional(self, value: Mapping[str, Any], key: str, where: Where) -> Computed | None:
        return self.computed(value[key], (*where, key)) if key in value else None

    def _only(self, value: Mapping[str, Any], known: tuple[str, ...], where: Where, title: str) -> None:
        for key in value.keys() - set(known):
            words = ", ".join(f"`{word}`" for word in known)
            self.mistake((*where, key), f"This key is unknown in {title}, which has {words}.")

    def _place(self, group: Group, name: str, part: Part | Group, where: Where) -> None:
        """Put a part at its dotted target."""
        *above, last = name.split(".")
        if not all([*above, last]):
            self.mistake(where, "A target's name has an empty part.")
            return
        for step in above:
            group = group.setdefault(step, Group(self._spot(where)))
            if not isinstance(group, Group):
                self.mistake(
                    where, f"`{step}` is both a field and an object of fields. Rename one of them.", "filled-twice"
                )
                return
        if isinstance(part, Group) and isinstance(group.get(last), Group):
            for inner, value in part.items():
                self._place(group[last], inner, value, where)
        elif last in group:
            self.mistake(where, f"`{name}` is filled twice. Keep one of them.", "filled-twice")
        else:
            group[last] = part

    def computed(self, text: object, where: Where, inset: int = 0) -> Computed | None:
        """Compile an expression and check the tables and given values that it names."""
        if not isinstance(text, str):
            hint = "; a literal stands in backquotes" if isinstance(text, int | bool) else ""
            self.mistake(where, f"An expression is expected here{hint}.")
            return None
        try:
            expression = compile(text)
        except ExpressionError as error:
            self.mistake(where, error.detail, error.code, inset + error.position)
            return None
        for name, position in expression.tables:
            if name not in self._tables:
                detail = f"There is no table `{name}`.{near(name, self._tables)}"
                self.mistake(where, detail, "unknown-table", inset + position)
        for name, position in expression.given:
            if self._given is not None and name not in self._given:
                detail = f"`{name}` is not among the given values.{near(name, self._given)}"
                self.mistake(where, detail, "unknown-given", inset + position)
        return Computed.of(expression, self._spot(where, inset))


def grouped(group: Group, *, kept: bool = False, without: tuple[str, ...] = ()) -> Grouped:
    """Make an object of fields out of nested names."""
    fields = {name: grouped(part) if isinstance(part, Group) else part for name, part in group.items()}
    return Grouped(fields=fields, kept=kept, without=without, spot=group.spot)


def near(name: str, names: Iterable[str]) -> str:
    """Suggest the name that was probably meant."""
    match = get_close_matches(name, sorted(names), n=1)
    return f" Did you mean `{match[0]}`?" if match else ""
