"""Environment files: which base URL, account and secret each connection has there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hub.model.currencies import EXPONENTS
from hub.model.durations import duration
from hub.model.retention import LEAST_ANSWERS, USUAL_ANSWERS, Retention
from hub.sdk.settings import kinds_told
from hub.workspace.catalogue import ConnectorEntry
from hub.workspace.compiled_files import ConnectionFile, EnvironmentConnection, EnvironmentFile
from hub.workspace.files.connections import SECRET, lint_settings
from hub.workspace.files.guards import GUARD_KEYS, lint_guards, read_guards
from hub.workspace.files.limits import LIMITS, lint_limits, read_limits
from hub.workspace.files.senders import SENDERS, lint_senders, read_senders
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, close_match
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.shapes import NAME, Choice, Duration, Flag, Form, Key, Many, Names, Shape, Text, Value, Whole
from hub.workspace.source.yaml_source import Entry, Keyed, Node, plain, text_of

#: Keys of a connection in an environment that are not settings of its connector.
_OWN_KEYS: Mapping[str, Shape] = {
    "secret": SECRET,
    "limits": LIMITS,
    **{name: key.shape for name, key in GUARD_KEYS.items()},
}

_KINDS: Mapping[bool, str] = {True: "an account with real money", False: "a test account"}
_HERE: Mapping[bool, str] = {True: "production", False: "no production"}

ENVIRONMENT = Form(
    title="an environment",
    keys={
        "environment": Key(
            shape=Text(pattern=NAME, example="a name such as `production`"), doc="its name", required=True
        ),
        "title": Key(shape=Text(), doc="what people call it"),
        "production": Key(
            shape=Flag(), doc="whether its accounts move real money; an account of the other kind is refused"
        ),
        "secret_age": Key(
            shape=Duration(), doc="the age from which on a secret is to be replaced; somebody is alarmed"
        ),
        "colour": Key(
            shape=Choice(of=("grey", "blue", "green", "amber", "red")), doc="the colour of its mark on every page"
        ),
        "private_hosts": Key(
            shape=Many(item=Text(example="a host name")),
            doc="hosts outside the public internet that its connections may reach",
        ),
        "ca_file": Key(shape=Text(example="a path"), doc="a certificate authority to trust besides the public ones"),
        "connections": Key(
            shape=Names(
                value=Names(value=Value(), key=r"[a-z][a-z0-9_]*", example="base_url"), key=NAME, example="netsuite"
            ),
            doc="the settings and the secret of each connection here",
            required=True,
        ),
        "senders": Key(shape=SENDERS, doc="who may send events over the API, which, and by which tokens"),
        "retention": Key(
            shape=Form(
                title="retention",
                keys={
                    "payloads": Key(
                        shape=Duration(),
                        doc="how long payloads are kept after a run's end; without it they are kept for ever",
                        required=True,
                    ),
                    "answers": Key(
                        shape=Duration(), doc="how long what targets answered to writes is kept; P400D, at least P35D"
                    ),
                    "history": Key(
                        shape=Duration(),
                        doc="how long pruned events and steps keep their rows on PostgreSQL; at least `answers`",
                    ),
                },
            ),
            doc="after what time payloads are removed; hashes, ids, states and money stay",
        ),
        "publish": Key(
            shape=Form(
                title="publish",
                keys={
                    "approvals": Key(shape=Whole(maximum=10), doc="how many people must agree"),
                    "max_money_difference": Key(
                        shape=Names(
                            value=Text(pattern=r"[0-9]{1,20}(\.[0-9]{1,4})?", example='an amount such as `"100.00"`')
                        ),
                        doc="the largest difference per currency a new revision may make; a currency not named: 0",
                    ),
                },
            ),
            doc="what a new revision needs before it serves here",
        ),
    },
)


def load_environment(node: Node, lints: Lints, known: Known) -> EnvironmentFile | None:
    """Lint one environment file and give what it says; None after an error."""
    lint_shape(node, ENVIRONMENT, lints, "environment")
    if lints.failed or not isinstance(node, Keyed):
        return None
    _lint_connections(node, lints, known)
    _lint_currencies(node, lints)
    _lint_kinds(node, lints, known)
    lint_senders(node.get("senders"), lints, known)
    retention = _retention(node, lints)
    document = plain(node)
    publish = document.get("publish", {})
    return EnvironmentFile(
        name=document["environment"],
        title=document.get("title", document["environment"]),
        connections={name: _connection(entry) for name, entry in _entries(node, "connections").items()},
        colour=document.get("colour", "grey"),
        private_hosts=tuple(document.get("private_hosts", ())),
        ca_file=document.get("ca_file"),
        governed="publish" in document,
        approvals=publish.get("approvals", 0),
        max_money_difference={
            currency: Decimal(amount) for currency, amount in publish.get("max_money_difference", {}).items()
        },
        retention=retention,
        production=document.get("production"),
        secret_age=duration(text_of(node.get("secret_age"))),
        senders=read_senders(node.get("senders")),
        path=lints.path,
    )


def _retention(node: Keyed, lints: Lints) -> Retention | None:
    found = node.get("retention")
    if not isinstance(found, Keyed):
        return None
    given = {name: duration(text_of(entry.value)) for name, entry in found.entries.items()}
    payloads = given.get("payloads")
    if payloads is None:
        return None
    answers = given.get("answers") or max(USUAL_ANSWERS, payloads)
    if answers < max(LEAST_ANSWERS, payloads):
        message = "What targets answered would be forgotten too early."
        hint = "Write at least P35D, and no less than `payloads`: vendors repeat and delay their events for weeks."
        lints.error(found.get("answers") or found, "short-retention", message, hint)
    history = given.get("history")
    if history is not None and history < answers:
        message = "The history would be forgotten before what is needed of it."
        hint = "Write no less than `answers`, or leave `history` out: then it is kept for ever."
        lints.error(found.get("history") or found, "short-history", message, hint)
    return Retention(payloads=payloads, answers=answers, history=history)


def _lint_connections(node: Keyed, lints: Lints, known: Known) -> None:
    for entry in _entries(node, "connections").values():
        if not known.lint_name(FileKind.CONNECTION, entry.key, lints) or not isinstance(entry.value, Keyed):
            continue
        for key, shape in _OWN_KEYS.items():
            value = entry.value.get(key)
            if value is not None:
                lint_shape(value, shape, lints, key)
        lint_guards(entry.value, lints, known)
        lint_limits(entry.value.get("limits"), lints)
        connection = known.connections.get(entry.key.text)
        if connection is not None:
            connector = known.catalogue.connectors[connection.connector]
            lint_settings(entry.value, connector, lints, also=_OWN_KEYS)
            _lint_missing(entry, connection, connector, lints)


def _lint_missing(entry: Entry, connection: ConnectionFile, connector: ConnectorEntry, lints: Lints) -> None:
    assert isinstance(entry.value, Keyed)
    wanted = {name for name, required in connector.settings.items() if required}
    given = entry.value.entries.keys() | connection.settings.keys()
    unknown = given - connector.settings.keys()
    for name in sorted(wanted - connector.secrets - given):
        if close_match(name, unknown):
            continue
        message = f"The connection `{connection.name}` has no `{name}` here."
        lints.error(entry.key, "missing-setting", message, f"Add `{name}: …`; `{connector.name}` needs it.")
    secrets = sorted(wanted & connector.secrets)
    if secrets and connection.secret is None and "secret" not in entry.value.entries:
        message = f"The connection `{connection.name}` names no secret; `{connector.name}` needs {', '.join(secrets)}."
        lints.error(entry.key, "missing-secret", message, "Add `secret: vault:NAME`.")


def _lint_currencies(node: Keyed, lints: Lints) -> None:
    publish = node.get("publish")
    if not isinstance(publish, Keyed):
        return
    for currency, entry in _entries(publish, "max_money_difference").items():
        if currency not in EXPONENTS:
            message = f"`{currency}` is not a currency."
            lints.error(entry.key, "unknown-currency", message, "Write an ISO 4217 code in capitals.")


def _lint_kinds(node: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint for every setting that shows an account of another kind than the environment is, or than the others.

    Secrets are in no file; what they show is seen when the connection is made, and when it is served.
    """
    declared = plain(node).get("production")
    first: tuple[str, bool] | None = None
    for name, entry in _entries(node, "connections").items():
        connection = known.connections.get(name)
        if connection is None or not isinstance(entry.value, Keyed):
            continue
        values = {**connection.settings, **plain(entry.value)}
        for setting, real in kinds_told(known.catalogue.connectors[connection.connector].telltales, values).items():
            at = entry.value.get(setting) or entry.key
            if declared is not None and real is not declared:
                message = (
                    f"`{setting}` of `{name}` is that of {_KINDS[real]}, and this environment is {_HERE[declared]}."
                )
                lints.error(at, "mixed-kinds", message, f"Name {_KINDS[declared]} here.")
            elif declared is None and first is not None and real is not first[1]:
                message = f"`{setting}` of `{name}` is that of {_KINDS[real]}, and `{first[0]}` is {_KINDS[first[1]]}."
                hint = "Keep them in two environments, and write `production: true` or `false` in each."
                lints.error(at, "mixed-kinds", message, hint)
            first = first or (name, real)


def _connection(entry: Entry) -> EnvironmentConnection:
    node = entry.value
    if not isinstance(node, Keyed):
        return EnvironmentConnection()
    return EnvironmentConnection(
        settings={key: plain(inner.value) for key, inner in node.entries.items() if key not in _OWN_KEYS},
        secret=text_of(node.get("secret")) or None,
        limits=read_limits(node.get("limits")),
        guards=read_guards(node),
    )


def _entries(node: Keyed, key: str) -> Mapping[str, Entry]:
    value = node.get(key)
    return value.entries if isinstance(value, Keyed) else {}
