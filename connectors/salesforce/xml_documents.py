"""XML that comes from outside: no document types, no entities of one's own, and no more of it than a message needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers.expat import ExpatError, ParserCreate

MOST_ELEMENTS, DEEPEST = 20_000, 12
_APART = " "


class Foul(Exception):
    """The document is none, or is one that nobody should read."""


@dataclass(slots=True, kw_only=True)
class Element:
    """One element: its namespace and name, its attributes by both, its children, and its text."""

    namespace: str
    name: str
    attributes: Mapping[tuple[str, str], str]
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        """Give the element's own text."""
        return "".join(self.parts)

    def one(self, namespace: str, name: str) -> Element:
        """Give the one child of a name; raises `Foul` where there is none, or more."""
        found = [child for child in self.children if (child.namespace, child.name) == (namespace, name)]
        if len(found) != 1:
            raise Foul(f"it has {len(found)} elements named {name}")
        return found[0]

    def all(self, name: str) -> Sequence[Element]:
        """Give the children of a name in the element's own namespace."""
        return [child for child in self.children if (child.namespace, child.name) == (self.namespace, name)]

    def text(self, name: str) -> str:
        """Give the text of the one child of a name; nothing where there is none, or more."""
        found = self.all(name)
        return found[0].content.strip() if len(found) == 1 and not found[0].children else ""


def document(body: bytes) -> Element:
    """Read a document; raises `Foul` for what is not well-formed, and for one that declares anything."""
    root = Element(namespace="", name="", attributes={})
    open_ones, count = [root], 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS or len(open_ones) > DEEPEST:
            raise Foul("it has too many elements, or too many in each other")
        namespace, _, local = name.rpartition(_APART)
        named = {_split(key): value for key, value in attributes.items()}
        element = Element(namespace=namespace, name=local, attributes=named)
        open_ones[-1].children.append(element)
        open_ones.append(element)

    def end(_name: str) -> None:
        open_ones.pop()

    def text(part: str) -> None:
        open_ones[-1].parts.append(part)

    def refuse(*_facts: Any) -> NoReturn:
        raise Foul("it declares a document type, which no message has")

    parser = ParserCreate(namespace_separator=_APART)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(body, True)
    except (ExpatError, ValueError, LookupError) as error:
        raise Foul(f"it is not well-formed: {error}"[:200]) from error
    return root.children[0]


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition(_APART)
    return namespace, local
