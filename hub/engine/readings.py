"""In which version of its schema a record is read: in the one that the flow's mapping was written for.

An event's record has the version that it claims, and what a read gives the one that the connection is pinned to. Both
are brought to the version that is wanted once, where they come in, so that a flow knows one shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.model.flow import Call, Flow, Step, Term
from hub.model.flow_steps import applied, name_from, placed_steps
from hub.schemas.versions import split
from hub.workspace.bundle import Bundle

#: The event's record by its name in a scope.
RECORD = "record"


def source_of(bundle: Bundle, of: Term | None, mapping: str, scope: Mapping[str, Any]) -> Any:
    """Give what a mapping is applied to: what a term gives, or the event's record in the version the mapping reads.

    `FixData` under `no-upcast` tells that the record's version leads nowhere.
    """
    if of is not None and of.text != RECORD:
        return of(scope)
    claimed = scope["event"].get("schema")
    return _read_as(bundle, claimed, scope[RECORD], bundle.mappings[mapping].source)


def answer_of(bundle: Bundle, flow: Flow, step: Step, answer: Any, *, given: str | None, declared: str | None) -> Any:
    """Give a read's answer in the version that the flow reads; `given` is the schema it came in.

    Without a mapping that reads it, it is brought to the version that the operation declares, as far as a way leads
    there.
    """
    wanted = wanted_schema(bundle, flow, step)
    if wanted is not None:
        return _read_as(bundle, given, answer, wanted)
    if given is None or declared is None or bundle.registry.path(given, declared) is None:
        return answer
    return _read_as(bundle, given, answer, declared)


def wanted_schema(bundle: Bundle, flow: Flow, step: Step) -> str | None:
    """Name the schema in which a call's answer is read: by its mapping `into`, else by the first that is applied to it.

    None when no mapping reads it.
    """
    if isinstance(step.action, Call) and step.action.into is not None:
        return bundle.mappings[step.action.into].source
    place: str | None = None
    for reader, later in placed_steps(flow.steps):
        if later is step:
            place = reader
        for of, mapping in _read(later):
            # Whoever reads it comes behind it; of all that is read there, only this id can be meant.
            if of.text.rpartition(".")[2] == step.id and place is not None and of.text == name_from(place, reader):
                return bundle.mappings[mapping].source
    return None


def _read(step: Step) -> Iterator[tuple[Term, str]]:
    """Give what a step names as a whole with the mapping that it applies to it."""
    for use in applied(step):
        if use.of is not None and not use.each:
            yield use.of, use.mapping


def _read_as(bundle: Bundle, given: str | None, record: Any, wanted: str) -> Any:
    """Bring a record to another version of its series; one of another series, or of none, is left to the mapping."""
    if given is None or given == wanted or split(given)[0] != split(wanted)[0]:
        return record
    return bundle.read_as(given, record, wanted)
