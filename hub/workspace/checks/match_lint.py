"""What cannot be right about a match policy: its schema, what its keys read, and who else compares the same things."""

from __future__ import annotations

from collections.abc import Iterator

from hub.expressions.inference import infer
from hub.model.kinds import Kind
from hub.policy.matching import MatchPolicy
from hub.schemas.shape import Shape
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Listed, Scalar

_FITS = frozenset({Kind.STRING, Kind.NUMBER, Kind.NULL})


def key_parts(node: Keyed) -> Iterator[Scalar]:
    """Give the expressions of a policy's keys, in the order of the file."""
    keys = node.get("keys")
    for key in keys.items if isinstance(keys, Listed) else ():
        of = key.get("of") if isinstance(key, Keyed) else None
        yield from (part for part in of.items if isinstance(part, Scalar)) if isinstance(of, Listed) else ()


def lint_match(policy: MatchPolicy, node: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint for everything that is wrong with a match policy that compiles."""
    other = next(
        (
            each.name
            for each in known.policies.values()
            if isinstance(each.compiled, MatchPolicy) and each.compiled.entity == policy.entity
        ),
        None,
    )
    if other is not None:
        message = f"The policy `{other}` compares every {policy.entity} too; a record has the keys of one policy."
        lints.error(node.entries["entity"].value, "entity-compared-twice", message, "Put their keys into one policy.")
    if not known.lint_name(FileKind.SCHEMA, node.entries["record"].value, lints):
        return
    shape = known.shape(policy.record)
    expressions = [expression for key in policy.keys for expression in key.of]
    for part, expression in zip(key_parts(node), expressions, strict=True):
        found = infer(expression, shape, tables=known.tables)
        for finding in found.findings:
            lints.error(place_in(part, finding.position), finding.code, finding.detail)
        if not found.findings and not _fits(found.shape):
            kinds = " or ".join(sorted(found.shape.kinds))
            message = f"A part of a key is a text or a number, or a list of them; this gives {kinds}."
            lints.error(part, "wrong-type", message, "Name a field of it.")


def _fits(shape: Shape) -> bool:
    """Tell whether a value may be a part of a key: a text or a number, or a list of them."""
    if shape.kinds & (_FITS - {Kind.NULL}):
        return True
    return Kind.ARRAY in shape.kinds and (shape.items is None or bool(shape.items.kinds & _FITS))
