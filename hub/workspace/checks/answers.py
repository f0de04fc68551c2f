"""What the call of an operation answers: the schema of its output, as far as the connectors say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.model.flow import Call
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue, OperationEntry
from hub.workspace.checks.flow_scope import Here
from hub.workspace.checks.narrowing import Assumed, literals, rules_left
from hub.workspace.lineage.edges import Field
from hub.workspace.source.terms import Literal

_EVENTS_OWN = "event.connection"


class Answers:
    """The records that operations give, by what is known of a call before it runs."""

    def __init__(self, bundle: Bundle, catalogue: Catalogue) -> None:
        """Take the connections of a bundle and the operations of the connectors."""
        self._bundle = bundle
        self._catalogue = catalogue

    def record(self, call: Call, event: str) -> str:
        """Name the schema of what a call gives, or `answer.OPERATION` when it has none; `event` starts the flow."""
        if call.into is not None:
            return self._bundle.mappings[call.into].source
        for entry in self._candidates(call, event):
            reference = entry.output.get("$ref")
            if isinstance(reference, str) and reference in self._bundle.schemas:
                return reference
        return f"answer.{call.operation}"

    def connections(self, call: Call, event: str, here: Here) -> tuple[str, ...]:
        """Name the connections that may be called: the one that stands there, or those that a policy may choose."""
        if isinstance(call.connection, Literal):
            names = [str(call.connection.value)]
        else:
            step = call.connection.text.rpartition(".")[0]
            known = [fact for fact in here.assumed if fact.step == step]
            names = [name for field in here.fields(call.connection) for name in self._chosen(field, known)]
            if call.connection.text == _EVENTS_OWN:
                connector = event.partition(".")[0]
                names += [name for name, each in self._bundle.connections.items() if each.connector == connector]
        return tuple(dict.fromkeys(name for name in names if name in self._bundle.connections))

    def may_write(self, call: Call, connection: str) -> bool:
        """Tell whether a call of a connection may write; of a connector that nobody knows it may."""
        connector = self._catalogue.connectors.get(self._bundle.connections[connection].connector)
        entry = None if connector is None else connector.operations.get(call.operation)
        return entry is None or entry.writes

    def _chosen(self, field: Field, known: Iterable[Assumed]) -> tuple[str, ...]:
        """Give the names that the rules of a policy write into one of its outputs, as far as they may have decided."""
        policy = self._bundle.policies.get(field.record.removeprefix("policy."))
        return literals(rules_left(policy, known), field.path)

    def _candidates(self, call: Call, event: str) -> Iterator[OperationEntry]:
        """Give the operations it may be, the likeliest first: a connection may be known only when the run goes on."""
        named = self._connector(call, event)
        for name, connector in self._catalogue.connectors.items():
            entry = connector.operations.get(call.operation)
            if entry is not None and named in (None, name) and self._takes(entry, call):
                yield entry

    def _connector(self, call: Call, event: str) -> str | None:
        if isinstance(call.connection, Literal):
            connection = self._bundle.connections.get(str(call.connection.value))
            return connection.connector if connection is not None else None
        return event.partition(".")[0] if call.connection.text == _EVENTS_OWN else None

    def _takes(self, entry: OperationEntry, call: Call) -> bool:
        reference = entry.input.get("$ref")
        return call.shape is None or reference is None or reference == self._bundle.mappings[call.shape].target
