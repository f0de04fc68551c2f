"""Connection files: one account of one system, without its secrets."""

from __future__ import annotations

from collections.abc import Mapping

from hub.workspace.catalogue import ConnectorEntry
from hub.workspace.compiled_files import ConnectionFile
from hub.workspace.files.guards import GUARD_KEYS, lint_guards, read_guards
from hub.workspace.files.limits import LIMITS, lint_limits, read_limits
from hub.workspace.files.polls import lint_polls, read_polls
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.shapes import NAME, Duration, Form, Key, Names, Text, Value
from hub.workspace.source.yaml_source import Keyed, Node, plain, text_of

STREAM = r"[a-z][a-z0-9_.-]{0,63}"
POLL = Form(
    title="poll",
    keys={
        "every": Key(shape=Duration(), doc="the time from one reading of the stream to the next"),
        "overlap": Key(
            shape=Duration(), doc="how much is read again each time, for what comes to light late in the vendor's list"
        ),
        "dead_man": Key(shape=Duration(), doc="how long after the last complete reading somebody is alarmed"),
    },
)
SECRET = Text(pattern=rf"vault:{NAME}", example="`vault:NAME`")
SETTINGS = Names(value=Value(), key=r"[a-z][a-z0-9_]*", example="base_url")
CONNECTION = Form(
    title="a connection",
    keys={
        "connection": Key(shape=Text(pattern=NAME, example="a name such as `netsuite`"), doc="its name", required=True),
        "connector": Key(shape=Text(pattern=NAME, example="a connector's name"), doc="the connector", required=True),
        "title": Key(shape=Text(), doc="what people call it"),
        "owner": Key(shape=Text(example="`team:finance-systems`"), doc="who looks after it"),
        "secret": Key(shape=SECRET, doc="where its secret fields are in the vault, such as `vault:netsuite`"),
        "limits": Key(shape=LIMITS, doc="limits beside the vendor's; the lowest applies"),
        "settings": Key(shape=SETTINGS, doc="settings that are the same in every environment"),
        "poll": Key(shape=Names(value=POLL, key=STREAM, example="events"), doc="how its streams are read, by name"),
        **GUARD_KEYS,
    },
)


def load_connection(node: Node, lints: Lints, known: Known) -> ConnectionFile | None:
    """Lint one connection file and give what it says; None after an error."""
    lint_shape(node, CONNECTION, lints, "connection")
    if lints.failed or not isinstance(node, Keyed):
        return None
    connectors = known.catalogue.connectors
    connector = connectors.get(text_of(node.get("connector")))
    if connector is None:
        at = node.entries["connector"].value
        message = f"There is no connector `{text_of(at)}`."
        lints.error(at, "unknown-connector", message, nearest(text_of(at), connectors))
        return None
    settings = node.get("settings")
    if isinstance(settings, Keyed):
        lint_settings(settings, connector, lints)
    lint_guards(node, lints, known)
    lint_polls(node, connector, lints)
    lint_limits(node.get("limits"), lints)
    name = text_of(node.get("connection"))
    return ConnectionFile(
        name=name,
        connector=connector.name,
        title=text_of(node.get("title")) or name,
        owner=text_of(node.get("owner")),
        secret=text_of(node.get("secret")) or None,
        limits=read_limits(node.get("limits")),
        settings={} if settings is None else plain(settings),
        guards=read_guards(node),
        polls=read_polls(node),
        path=lints.path,
    )


def lint_settings(
    node: Keyed, connector: ConnectorEntry, lints: Lints, also: Mapping[str, object] | None = None
) -> None:
    """Add a lint for every key that is not a setting of the connector, or that belongs into the vault."""
    for key, entry in node.entries.items():
        if also is not None and key in also:
            continue
        if key in connector.secrets:
            message = f"`{key}` is a secret of the connector `{connector.name}` and must not stand in a file."
            lints.error(entry.key, "secret-in-file", message, "Put it into the vault and write `secret: vault:NAME`.")
        elif key not in connector.settings:
            message = f"The connector `{connector.name}` has no setting `{key}`."
            open_fields = [name for name in connector.settings if name not in connector.secrets]
            lints.error(entry.key, "unknown-key", message, nearest(key, open_fields))
