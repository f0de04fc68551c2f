"""A call must fit its operation: what it is given, what it takes from its answer, and how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.schemas.shape import shape_of
from hub.workspace.catalogue import ConnectorEntry, OperationEntry
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, Node, text_of


def lint_call(step: Keyed, call: Keyed, connector: ConnectorEntry, lints: Lints, known: Known) -> None:
    """Add a lint for each way in which a call does not fit the connector that it may go to."""
    at = call.entries["operation"].value
    operation = connector.operations.get(text_of(at))
    if operation is None:
        message = f"The connector `{connector.name}` has no operation `{text_of(at)}`."
        lints.error(at, "unknown-operation", message, nearest(text_of(at), connector.operations))
        return
    _lint_shape(call, "with", operation, operation.input, lints, known)
    _lint_shape(call, "into", operation, operation.output, lints, known)
    if "by" in call.entries and not _takes_id(operation.input):
        message = f"`{operation.name}` is not called by an id."
        hint = "Name" if _needed(operation, known) else "Remove it, or name"
        lints.error(call.entries["by"].key, "not-by-id", message, f"{hint} a mapping for its input with `with`.")
    if not {"with", "by", "each"} & set(call.entries):
        _lint_nothing(at, operation, lints, known)
    if "undo" in step.entries:
        _lint_undo(step.entries["undo"].value, operation, connector, lints, known)


def _lint_shape(
    call: Keyed, key: str, operation: OperationEntry, schema: Mapping[str, Any], lints: Lints, known: Known
) -> None:
    """Compare schemas by name; what an operation describes in place is compared when the record is there."""
    at = call.get(key)
    mapping = known.mappings.get(text_of(at)) if at is not None else None
    named = schema.get("$ref")
    if at is None or mapping is None or not isinstance(named, str):
        return
    has = mapping.target if key == "with" else mapping.source
    # What an operation gives is read in the version that the mapping wants.
    fits = has == named if key == "with" else has.partition("@")[0] == named.partition("@")[0]
    if not fits:
        makes = f"makes `{has}`; the operation takes" if key == "with" else f"reads `{has}`; the operation gives"
        message = f"The mapping `{mapping.name}` {makes} `{named}`."
        lints.error(at, "wrong-schema", message, f"Name a mapping for `{operation.name}`.")


def _lint_nothing(at: Node, operation: OperationEntry, lints: Lints, known: Known) -> None:
    """Add a lint when a call gives its operation nothing, and it needs something."""
    needed = _needed(operation, known)
    if needed:
        words = ", ".join(f"`{name}`" for name in sorted(needed))
        message = f"`{operation.name}` needs {words}, and the call gives it nothing."
        by = "Add `by`, the id, or `with`" if _takes_id(operation.input) else "Add `with`"
        lints.error(at, "no-input", message, f"{by}, a mapping that makes its input.")


def _needed(operation: OperationEntry, known: Known) -> frozenset[str]:
    """Name the fields without which an operation cannot be called."""
    return _always(operation.input, known)


def _by_id(said: Node) -> bool:
    return isinstance(said, Keyed) and "by" in said.entries


def _told(operation: OperationEntry, known: Known) -> frozenset[str]:
    """Name the fields that an operation's answer always has; what takes it back reads them by their names."""
    return _always(operation.output, known)


def _always(schema: Mapping[str, Any], known: Known) -> frozenset[str]:
    named = schema.get("$ref")
    return (known.shape(named) if isinstance(named, str) else shape_of(schema)).required


def _takes_id(schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return True
    return "id" in properties and set(schema.get("required", ())) <= {"id"}


def _lint_undo(said: Node, operation: OperationEntry, connector: ConnectorEntry, lints: Lints, known: Known) -> None:
    at = said.entries["operation"].value if isinstance(said, Keyed) else said
    undo = connector.operations.get(text_of(at))
    if not operation.writes:
        message = f"`{operation.name}` only reads, so there is nothing to take back."
        lints.error(at, "undo-of-read", message, "Remove `undo`.")
    elif undo is None:
        writes = [name for name, entry in connector.operations.items() if entry.writes]
        message = f"The connector `{connector.name}` has no operation `{text_of(at)}`."
        lints.error(at, "unknown-operation", message, nearest(text_of(at), writes))
    elif not undo.writes:
        lints.error(at, "undo-only-reads", f"`{undo.name}` only reads and takes nothing back.", "Name a write.")
    elif undo.erases:
        message = f"`{undo.name}` deletes something: what books have taken is corrected by a further entry."
        lints.error(at, "undo-erases", message, "Name an operation that reverses, such as one with a credit memo.")
    elif isinstance(said, Keyed) and "with" in said.entries:
        _lint_shape(said, "with", undo, undo.input, lints, known)
    elif not _takes_id(undo.input) and (_by_id(said) or _needed(undo, known) - _told(operation, known)):
        message = f"`{undo.name}` is not called by an id alone."
        lints.error(at, "not-by-id", message, "Name a mapping for its input: `undo: { operation: …, with: … }`.")
