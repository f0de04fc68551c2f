"""Where in a file a character of a value stands, however the value is written: folded, over many lines, or escaped."""

from __future__ import annotations

import re

from hub.workspace.source.lint import Position
from hub.workspace.source.yaml_source import Scalar

#: What stands for one character between single and between double quotes; a line break that is escaped is none.
_SINGLE = re.compile(r"''|.", re.DOTALL)
_DOUBLE = re.compile(r"\\\r?\n|\\x..|\\u.{4}|\\U.{8}|\\.|.", re.DOTALL)
_PLAIN = re.compile(r".", re.DOTALL)
#: Escapes of white space, and breaks: `\n`, `\t`, `\ `, ….
_SPACE = re.compile(r"\s|\\[nrtvfe0abNLP_ \t\r\n]")


def place_in(node: Scalar, offset: int) -> Position:
    """Give the place of a character of a value, counted from 0; one behind its end is the place after it."""
    if not node.written:
        return Position(line=node.line, column=node.column + node.inset + offset)
    index = _index(node, offset)
    above = node.written.count("\n", 0, index)
    column = node.column + index if not above else index - node.written.rfind("\n", 0, index)
    return Position(line=node.line + above, column=column)


def _index(node: Scalar, offset: int) -> int:
    """Find the character in the file's text of the value: white space may be written otherwise, nothing else may."""
    passed = sum(not character.isspace() for character in node.text[:offset])
    behind = offset >= len(node.text) or node.text[offset].isspace()
    unit = {"'": _SINGLE, '"': _DOUBLE}.get(node.written[0], _PLAIN) if node.inset else _PLAIN
    begin = node.inset or (node.written.index("\n") if node.block else 0)
    end = begin
    for match in unit.finditer(node.written, begin):
        if _SPACE.match(match[0]):
            continue
        if passed == 0 and not behind:
            return match.start()
        passed -= 1
        end = match.end()
        if passed == 0 and behind:
            break
    return end
