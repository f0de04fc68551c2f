"""Where things are written: the expression of each target field of a mapping, the rules of a policy, a flow's keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.workspace.kinds import EXAMPLES_ENDING
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, read_yaml, text_of

#: Keys of a mapping's file that name no target.
_OWN = frozenset({"mapping", "version", "title", "from", "to", "given", "rest", "without", "reverse", "fields"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One target field as a file has it: the expression that gives its value, those that decide about it, the place.

    `repeats` tells that the expression gives a list, of which each element becomes one entry of the target.
    """

    text: str
    conditions: tuple[str, ...]
    path: str
    line: int
    repeats: bool = False


def mapping_documents(files: Mapping[str, bytes]) -> dict[str, Keyed]:
    """Read the mapping and fragment files of a bundle, which were checked before, by path."""
    return dict(_documents(files, "mappings"))


def written_fields(nodes: Mapping[str, Keyed]) -> dict[str, dict[str, Written]]:
    """Give, by mapping, the fields that its file and the fragments it uses write (`lines[].amount`)."""
    fragments = {
        text_of(node.get("fragment")): (path, fields)
        for path, node in nodes.items()
        if isinstance(fields := node.get("fields"), Keyed) and "fragment" in node.entries
    }
    found: dict[str, dict[str, Written]] = {}
    for path, node in nodes.items():
        if "mapping" in node.entries:
            reading = _Reading(fragments)
            reading.file(node, path)
            found[text_of(node.get("mapping"))] = reading.found
    return found


def mapping_places(nodes: Mapping[str, Keyed]) -> dict[str, tuple[str, int]]:
    """Give, by mapping, its file and the line in which its name stands."""
    return {
        text_of(key): (path, key.line)
        for path, node in nodes.items()
        for word in ("mapping", "reverse")
        if (key := node.get(word)) is not None
    }


def rule_places(files: Mapping[str, bytes]) -> dict[str, tuple[str, dict[str, int]]]:
    """Give, by policy, its file and the line of each of its rules by name."""
    found = {}
    for path, node in _documents(files, "policies"):
        rules = node.get("rules")
        listed = [rule for rule in rules.items if isinstance(rule, Keyed)] if isinstance(rules, Listed) else []
        found[text_of(node.get("policy"))] = (path, {text_of(rule.get("name")): rule.line for rule in listed})
    return found


def key_lines(content: bytes) -> dict[str, int]:
    """Give the line of each key at the top of a file."""
    node = read_yaml(content, Lints(""))
    return {key: entry.key.line for key, entry in node.entries.items()} if isinstance(node, Keyed) else {}


def _documents(files: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, Keyed]]:
    for path, content in files.items():
        if path.startswith(f"{folder}/") and path.endswith(".yaml") and not path.endswith(EXAMPLES_ENDING):
            node = read_yaml(content, Lints(path))
            if isinstance(node, Keyed):
                yield path, node


class _Reading:
    """One pass over a mapping's file."""

    def __init__(self, fragments: Mapping[str, tuple[str, Keyed]]) -> None:
        self.found: dict[str, Written] = {}
        self._fragments = fragments

    def file(self, node: Keyed, path: str) -> None:
        """Read the fields of a whole mapping."""
        fields = node.get("fields")
        if isinstance(fields, Keyed):
            self._fields(fields, path, "", ())
        for key, entry in node.entries.items():
            if key not in _OWN and isinstance(entry.value, Keyed):
                self._target(key, entry.value, path, ())

    def _fields(self, fields: Keyed, path: str, above: str, conditions: tuple[str, ...]) -> None:
        for name, entry in fields.entries.items():
            self._target(f"{above}.{name}" if above else name, entry.value, path, conditions)

    def _target(self, target: str, node: Node, path: str, conditions: tuple[str, ...]) -> None:
        if isinstance(node, Scalar):
            self._put(target, node, path, conditions)
        if not isinstance(node, Keyed):
            return
        below = (*conditions, *_texts(node, "when"))
        if isinstance(value := node.get("value"), Scalar):
            self._put(target, value, path, (*below, *_defaults(node)))
        each = node.get("each")
        if isinstance(each, Scalar):
            self._put(target, each, path, below, repeats=True)
        inside = f"{target}[]" if isinstance(each, Scalar) else target
        if isinstance(of := node.get("of"), Scalar):
            self._put(target, of, path, below)
        if isinstance(fields := node.get("fields"), Keyed):
            self._fields(fields, path, inside, ())
        used = self._fragments.get(text_of(node.get("use")))
        if used is not None:
            self._fields(used[1], used[0], inside, ())

    def _put(self, target: str, node: Scalar, path: str, conditions: tuple[str, ...], *, repeats: bool = False) -> None:
        text = " ".join(text_of(node).split())
        self.found[target] = Written(text=text, conditions=conditions, path=path, line=node.line, repeats=repeats)


def _texts(node: Keyed, key: str) -> tuple[str, ...]:
    value = node.get(key)
    return (text_of(value),) if isinstance(value, Scalar) else ()


def _defaults(node: Keyed) -> tuple[str, ...]:
    """Give the default of a field when it is an expression: it carries a value as the field's own does."""
    return tuple(text.removeprefix("=") for text in _texts(node, "default") if text.startswith("="))
