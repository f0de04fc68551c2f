"""The place of each character of a value is the one at which it stands in the file, however the value is written."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Scalar, read_yaml

_WORDS = st.lists(st.text(st.sampled_from("ab'\"\\é(`"), min_size=1, max_size=5), min_size=1, max_size=6)
_STYLES = ("plain", "single", "double", "double escaped", "folded", "literal")


def _written(style: str, words: list[str], breaks: list[bool]) -> str:
    """Write words as a value of YAML, with a new line instead of a space where `breaks` says so."""
    joined = words[0] + "".join(
        ("\n    " if broken else " ") + word for word, broken in zip(words[1:], breaks, strict=True)
    )
    match style:
        case "single":
            return "'" + joined.replace("'", "''") + "'"
        case "double":
            return '"' + joined.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case "double escaped":
            return json.dumps(" ".join(words))
        case "folded":
            return f">-\n    {joined}"
        case "literal":
            return f"|\n    {joined}"
        case _:
            return joined


@given(st.data(), st.sampled_from(_STYLES), _WORDS)
def test_each_character_is_found_where_it_stands(data: st.DataObject, style: str, words: list[str]) -> None:
    words = [f"x{word}" for word in words]
    breaks = data.draw(st.lists(st.booleans(), min_size=len(words) - 1, max_size=len(words) - 1))
    file = f"é: 1\nkey: {_written(style, words, breaks)}\n"
    root = read_yaml(file.encode(), Lints("file.yaml"))
    assert isinstance(root, Keyed)
    value = root.get("key")
    assert isinstance(value, Scalar)
    assert value.text.split() == words
    lines = file.split("\n")
    for offset, character in enumerate(value.text):
        if character.isspace():
            continue
        place = place_in(value, offset)
        escaped = {"'": "''"} if style == "single" else {}
        if style.startswith("double"):
            escaped = {"\\": "\\\\", '"': '\\"', "é": "\\u00e9" if style == "double escaped" else "é"}
        assert lines[place.line - 1][place.column - 1 :].startswith(escaped.get(character, character))
    end = place_in(value, len(value.text.rstrip()))
    assert lines[end.line - 1][: end.column - 1].endswith((words[-1][-1], _end(style, words[-1][-1])))


def _end(style: str, character: str) -> str:
    """Give the last sign of a character that is written with several."""
    return "9" if style == "double escaped" and character == "é" else character
