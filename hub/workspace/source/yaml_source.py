"""YAML in which every key and value knows its line and column, limited to what a configuration file needs.

Scalars follow the core schema of YAML 1.2 (`no` is a word, not false) with exact numbers; anchors, aliases, tags,
merge keys, duplicate keys and several documents are refused.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from hub.workspace.source.lint import Lints, Position, shown
from hub.workspace.source.yaml_problems import explain

#: Larger files are refused before they are read.
MAX_BYTES = 256 * 1024
#: Deeper nesting is refused; real files need about eight levels.
MAX_DEPTH = 32
_MAX_NUMBER = 60
#: A workspace is compiled again and again with few files changed; so many that were read last are not read anew.
_KEPT = 512

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_WHOLE = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value: what it means (`value`), its words (`text`), and how many characters stand before them (`inset`).

    `line` and `column` (from 1) are where it begins, quotes included; `block` marks the `|` and `>` forms. `written` is
    how it stands in the file where that is not letter for letter, on one line.
    """

    line: int
    column: int
    value: str | int | Decimal | bool | None
    text: str
    inset: int = 0
    block: bool = False
    written: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key with its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """Keys with values, in the order of the file."""

    line: int
    column: int
    entries: Mapping[str, Entry]

    def get(self, key: str) -> Node | None:
        """Give the value of a key, or None."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list of values."""

    line: int
    column: int
    items: tuple[Node, ...]


Node = Scalar | Keyed | Listed


def plain(node: Node) -> Any:
    """Give a node as plain values (dict, list, str, int, Decimal, bool, None)."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listed):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


def text_of(node: Node | None) -> str:
    """Give the words of a scalar; empty for everything else."""
    return node.text if isinstance(node, Scalar) and node.value is not None else ""


def read_yaml(content: bytes, lints: Lints) -> Node | None:
    """Read one document; None after an error that was added to `lints`. The same content gives the same node."""
    return _flawless(content) or _read(content, lints)


@lru_cache(maxsize=_KEPT)
def _flawless(content: bytes) -> Node | None:
    """Read a document in which nothing is wrong; None for any other."""
    lints = Lints("")
    node = _read(content, lints)
    return None if lints.found else node


def _read(content: bytes, lints: Lints) -> Node | None:
    start = Position()
    if len(content) > MAX_BYTES:
        lints.error(start, "too-large", f"The file is larger than {MAX_BYTES // 1024} KiB.", "Split it.")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        lints.error(Position(line=line), "not-utf-8", "The file is not UTF-8 text.", "Save it as UTF-8.")
        return None
    control = _CONTROL.search(text)
    if control is not None:
        place = _place_of(text, control.start())
        lints.error(place, "bad-yaml", "The file holds a control character.", "Remove it.")
        return None
    try:
        return _Builder(lints).build(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = start if mark is None else Position(line=mark.line + 1, column=mark.column + 1)
        message, hint = explain(str(error.problem or error.context or "it cannot be read"))
        opened = error.context_mark
        if opened is not None and opened.line + 1 < place.line:
            message += f", in what begins on line {opened.line + 1}"
        lints.error(place, "bad-yaml", f"This is not readable YAML: {message}.", hint)
    except YAMLStreamError as error:
        place = _place_of(text, getattr(error, "position", 0))
        lints.error(place, "bad-yaml", "The file holds a character that YAML does not allow.", "Remove it.")
    except (YAMLError, ValueError, OverflowError, IndexError, AttributeError, TypeError, AssertionError, KeyError):
        # The scanner trips over some malformed escapes and directives with errors of its own.
        lints.error(start, "bad-yaml", "This is not readable YAML.", "Check quotes, brackets and escapes.")
    return None


class _Refused(Exception):
    """Reading stops: a lint says why."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    line: int
    column: int
    items: list[Node] | None
    entries: dict[str, Entry]
    key: Scalar | None = None


class _Builder:
    """Builds nodes from the parser's events without recursion, refusing what a configuration file must not hold."""

    def __init__(self, lints: Lints) -> None:
        self._lints = lints
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0
        self._text = ""

    def build(self, text: str) -> Node | None:
        """Give the document's root, or None when it is refused."""
        self._text = text
        try:
            for event in _events(text):
                self._take(event)
        except _Refused:
            return None
        if self._root is None:
            self._lints.error(Position(), "empty", "The file is empty.", "Write its content or remove it.")
        return self._root

    def _take(self, event: Any) -> None:
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "several-documents", "A file holds one document.", "Remove `---` and what follows.")
            if event.version is not None or event.tags:
                self._refuse(event, "directive", "Directives (`%`) are not used here.", "Remove the line.")
            return
        if isinstance(event, NodeEvent):
            self._take_node(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._close()

    def _take_node(self, event: Any) -> None:
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self._refuse(event, "anchor", "Anchors and aliases (`&`, `*`) are not used here.", "Write the value out.")
        if event.tag is not None:
            self._refuse(event, "tag", "Tags (`!`) are not used here.", "Quote the value if `!` belongs to it.")
        if isinstance(event, ScalarEvent):
            self._place(self._scalar(event))
            return
        if len(self._open) >= MAX_DEPTH:
            self._refuse(event, "too-deep", f"The file is nested deeper than {MAX_DEPTH} levels.", "Flatten it.")
        if self._open and self._open[-1].items is None and self._open[-1].key is None:
            self._refuse(event, "bad-key", "A key must be a word.", "Quote the value if it begins with `{` or `[`.")
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        items: list[Node] | None = [] if isinstance(event, SequenceStartEvent) else None
        assert isinstance(event, (SequenceStartEvent, MappingStartEvent))
        self._open.append(_Open(line=line, column=column, items=items, entries={}))

    def _scalar(self, event: Any) -> Scalar:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        text = str(event.value)
        style = event.style or ""
        value: str | int | Decimal | bool | None = text
        if style == "":
            value = self._resolve(event, text)
        inset = 1 if style in ("'", '"') else 0
        written = self._text[event.start_mark.index : event.end_mark.index]
        return Scalar(
            line=line,
            column=column,
            value=value,
            text=text,
            inset=inset,
            block=style in "|>" and style != "",
            written="" if written[inset : len(written) - inset] == text else written,
        )

    def _resolve(self, event: Any, text: str) -> str | int | Decimal | bool | None:
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _LEADING_ZERO.fullmatch(text):
            hint = f"Write '{text}' in quotes for text, or the number without the zero."
            self._refuse(event, "leading-zero", f"{shown(text)} may be text or a number.", hint)
        if _NOT_FINITE.fullmatch(text):
            self._refuse(event, "not-finite", f"{shown(text)} is not a finite number.", "Quote it if it is text.")
        if _WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text) or _OTHER_BASE.fullmatch(text):
            return self._number(event, text)
        return text

    def _number(self, event: Any, text: str) -> int | Decimal:
        if len(text) <= _MAX_NUMBER:
            if _WHOLE.fullmatch(text):
                return int(text)
            if _OTHER_BASE.fullmatch(text):
                return int(text, 0)
            number = Decimal(text)
            if abs(number.adjusted()) <= _MAX_NUMBER:
                return number
        self._refuse(event, "number-out-of-range", f"{shown(text, 30)} is out of range.", "Quote it if it is text.")
        raise AssertionError

    def _place(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if parent.items is not None:
            parent.items.append(node)
        elif parent.key is None:
            assert isinstance(node, Scalar)
            parent.key = self._key(parent, node)
        else:
            parent.entries[parent.key.text] = Entry(key=parent.key, value=node)
            parent.key = None

    def _key(self, parent: _Open, key: Scalar) -> Scalar:
        if key.text == "<<":
            self._refuse(key, "merge-key", "Merge keys (`<<`) are not used here.", "Write the keys out.")
        if key.text == "":
            self._refuse(key, "bad-key", "A key is missing before `:`.", "Write the key.")
        first = parent.entries.get(key.text)
        if first is not None:
            message = f"The key {shown(key.text)} stands here a second time; the first is on line {first.key.line}."
            self._refuse(key, "duplicate-key", message, "Keep one of them.")
        return key

    def _close(self) -> None:
        done = self._open.pop()
        if done.items is not None:
            self._place(Listed(line=done.line, column=done.column, items=tuple(done.items)))
        else:
            self._place(Keyed(line=done.line, column=done.column, entries=done.entries))

    def _refuse(self, at: Any, code: str, message: str, hint: str) -> None:
        mark = getattr(at, "start_mark", None)
        place = at if mark is None else Position(line=mark.line + 1, column=mark.column + 1)
        self._lints.error(place, code, message, hint)
        raise _Refused


def _events(text: str) -> Iterator[Any]:
    reader = YAML(typ="safe", pure=True)
    yield from reader.parse(io.StringIO(text))


def _place_of(text: str, offset: int) -> Position:
    line = text.count("\n", 0, offset) + 1
    return Position(line=line, column=offset - text.rfind("\n", 0, offset))
