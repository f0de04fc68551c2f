"""XML read without document types and entities, with caps on size and depth; written escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

_LARGEST = 8 * 1024 * 1024
_DEEPEST = 40
_ELEMENTS = 200_000


class NotXml(ValueError):
    """What was to be read is no XML, or XML that nobody sends in good faith."""


@dataclass(slots=True)
class Node:
    """One element; `name` is without its namespace, which stands beside it."""

    name: str
    namespace: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Give the text directly in the element."""
        return "".join(self.pieces).strip()

    def all(self, name: str) -> Iterator[Node]:
        """Give the children of a name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Node | None:
        """Give the first child of a name."""
        return next(self.all(name), None)

    def value(self, name: str) -> str:
        """Give the text of the first child of a name; empty where there is none."""
        found = self.first(name)
        return "" if found is None else found.text


class _Reader:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._count = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _ELEMENTS:
            raise NotXml("the document is too deep or too long")
        namespace, _, local = name.rpartition(" ")
        node = Node(local, namespace, attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1].pieces.append(text)


def _forbidden(*_facts: object) -> None:
    raise NotXml("a document type is not taken")


def read(body: bytes) -> Node:
    """Read a document; raises `NotXml`."""
    if len(body) > _LARGEST:
        raise NotXml("the document is too large")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.CharacterDataHandler = reader.data
    # Without a document type there are no entities of its own either.
    parser.StartDoctypeDeclHandler = _forbidden
    parser.EntityDeclHandler = _forbidden
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
        raise NotXml(str(error)[:200]) from None
    if reader.root is None:
        raise NotXml("the document is empty")
    return reader.root


def element(name: str, content: str, attributes: Mapping[str, str] | None = None) -> str:
    """Write an element around what is written already."""
    told = "".join(f" {each}={quoteattr(value)}" for each, value in (attributes or {}).items())
    return f"<{name}{told}>{content}</{name}>"


def leaf(name: str, text: str, attributes: Mapping[str, str] | None = None) -> str:
    """Write an element with a text."""
    return element(name, escape(text), attributes)
