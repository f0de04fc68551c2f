"""A small tree of XML elements, read without document types and entities of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

#: Deeper messages are no messages.
_DEEPEST = 50


class Malformed(ValueError):
    """The text is no XML that is taken here."""


@dataclass(slots=True, kw_only=True)
class Element:
    """One element; `namespace` is empty where it has none."""

    namespace: str
    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def find(self, name: str, namespace: str = "") -> Element | None:
        """Give the first child of a name."""
        return next(self.all(name, namespace), None)

    def all(self, name: str, namespace: str = "") -> Iterator[Element]:
        """Give all children of a name."""
        return (each for each in self.children if each.name == name and each.namespace == namespace)

    def value(self, name: str) -> str:
        """Give the text of a child without a namespace; empty if there is none."""
        found = self.find(name)
        return "" if found is None else found.text.strip()


def read(body: bytes) -> Element:
    """Read a document; raises `Malformed`."""
    parser = expat.ParserCreate(namespace_separator="\n")
    stack: list[Element] = []
    roots: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition("\n")
        plain = {each.rpartition("\n")[2]: value for each, value in attributes.items()}
        element = Element(namespace=namespace, name=local, attributes=plain)
        if len(stack) >= _DEEPEST:
            raise Malformed("The document is nested too deeply.")
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)

    def end(name: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        if stack:
            stack[-1].text += data

    def refuse(*_: object) -> None:
        raise Malformed("Document types are not allowed.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Malformed(f"XML is not well-formed: {error}") from None
    if not roots:
        raise Malformed("The document is empty.")
    return roots[0]
