"""Senders in an environment's file: who may send events over the API, which, and by which tokens."""

from __future__ import annotations

from hub.model.event import HUB
from hub.model.sender import Patterns, Sender
from hub.policy.kinds import DRIFT
from hub.workspace.files.guards import GUARD_KEYS, lint_guards
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.shapes import NAME, SCHEMA, Form, Key, Many, Names, Text
from hub.workspace.source.yaml_source import Entry, Keyed, Node, plain, text_of

#: A type of CloudEvents, as far as expressions and addresses can name it.
TYPE = r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,190}"
_HASH = Text(pattern=r"sha256:[0-9a-f]{64}", example="`sha256:` and 64 digits, as `concord senders token` prints it")
_SOURCE = Text(pattern=r"\S{1,500}", example='a source, or its beginning and `*`: "https://meter.example.com/*"')
_TYPE = Text(
    pattern=rf"({TYPE})?\*|{TYPE}", example='a type such as `usage.recorded`, or its beginning and `*`: "usage.*"'
)
SENDERS = Names(
    key=NAME,
    example="usage",
    value=Form(
        title="a sender",
        keys={
            "title": Key(shape=Text(), doc="what people call it"),
            "tokens": Key(
                shape=Names(value=_HASH, key=NAME, example="meter"),
                doc="the SHA-256 of each token that it sends with, by a name; the token itself stands nowhere",
                required=True,
            ),
            "sources": Key(
                shape=Many(item=_SOURCE, least=1), doc="the sources whose events it may send", required=True
            ),
            "types": Key(shape=Many(item=_TYPE, least=1), doc="the types of events that it may send", required=True),
            "schemas": Key(
                shape=Names(
                    value=Text(pattern=SCHEMA, example="`usage.recorded@1`"), key=TYPE, example="usage.recorded"
                ),
                doc="the schema that the data of events of a type has; what differs from it is drift",
            ),
            DRIFT.name: GUARD_KEYS[DRIFT.name],
        },
    ),
)


def lint_senders(node: Node | None, lints: Lints, known: Known) -> None:
    """Add a lint for each sender that could be taken for another, or that names what is not there."""
    held: dict[str, str] = {}
    for name, entry in _entries(node).items():
        if name == HUB or name in known.declared.get(FileKind.CONNECTION, ()):
            message = f"`{name}` is the name of a connection, so that nobody could tell whose events these are."
            lints.error(entry.key, "repeated-name", message, "Give the sender another name.")
        if isinstance(entry.value, Keyed):
            _lint_sender(name, entry.value, held, lints, known)


def _lint_sender(name: str, node: Keyed, held: dict[str, str], lints: Lints, known: Known) -> None:
    lint_guards(node, lints, known)
    for token in _entries(node.get("tokens")).values():
        digest = text_of(token.value)
        if digest in held:
            message = f"`{held[digest]}` has this token too."
            lints.error(token.value, "repeated-token", message, "Make another one: `concord senders token`.")
        held[digest] = f"{name}.{token.key.text}"
    if not _entries(node.get("tokens")):
        lints.error(node, "no-token", f"`{name}` has no token.", "Make one: `concord senders token`.")
    allowed = Patterns.of(plain(node)["types"])
    for of_type, schema in _entries(node.get("schemas")).items():
        known.lint_name(FileKind.SCHEMA, schema.value, lints)
        if of_type not in allowed:
            message = f"`{name}` may not send `{of_type}`."
            lints.error(schema.key, "unknown-type", message, "Name it under `types`.")


def read_senders(node: Node | None) -> dict[str, Sender]:
    """Give the senders of a checked file."""
    return {name: _sender(name, plain(entry.value)) for name, entry in _entries(node).items()}


def _sender(name: str, said: dict[str, dict[str, str]]) -> Sender:
    return Sender(
        name=name,
        title=str(said.get("title", name)),
        tokens={token: digest.removeprefix("sha256:") for token, digest in said["tokens"].items()},
        sources=Patterns.of(said["sources"]),
        types=Patterns.of(said["types"]),
        schemas=dict(said.get("schemas", {})),
        guards={DRIFT.name: str(said[DRIFT.name])} if DRIFT.name in said else {},
    )


def _entries(node: Node | None) -> dict[str, Entry]:
    return dict(node.entries) if isinstance(node, Keyed) else {}
