"""The workspace of one trial: a flow that makes one call with what a sample gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.errors import WorkspaceInvalid
from hub.sdk import exact_json
from hub.sdk.connector import Connector, Operation, named_schema
from hub.sdk.testing.samples import Samples
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

#: The connection, the step and the flow of every trial.
CONNECTION, STEP, FLOW = "subject", "call", "certified"
#: The schema of an input that the operation describes in place.
_INPUT = "certification.input@1"
_ANY = exact_json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"})
#: Patient enough for an hour's outage, and without chance, so that a trial is the same each time.
_RETRY = "policy: patient\nkind: retry\nattempts: 40\nfirst: 0.5\nfactor: 2\nceiling: 300\njitter: 0\nlongest: 86400\n"


def event_type(connector: Connector) -> str:
    """Name the event that starts a call."""
    return f"{connector.name}.certification.asked"


def of_call(connector: Connector, samples: Samples, operation: Operation, input: Mapping[str, Any]) -> Bundle:
    """Compile a flow that calls the operation with the fields that this input has.

    What a connector without a network reads of the workspace is as its samples have it.
    """
    call = f"connection: {CONNECTION}, operation: {operation.name}"
    call += ", with: passed_on, of: data.input" if input else ""
    steps = f"  - id: {STEP}\n    retry: patient\n    call: {{ {call} }}\n"
    files = {"policies/patient.yaml": _RETRY}
    if connector.embedded is not None:
        own = connector.embedded.own(samples.seed.get("files", {}))
        files |= {path: content.decode() for path, content in own.items()}
    if input:
        target = named_schema(operation.input) or _INPUT
        fields = "".join(f"  {_quoted(name)}: {_field(name)}\n" for name in input)
        files["mappings/passed_on.yaml"] = (
            f"mapping: passed_on\nversion: 1\nfrom: certification.any@1\nto: {target}\nfields:\n{fields}"
        )
        if target == _INPUT:
            files[f"schemas/{_INPUT}.json"] = exact_json.dumps(dict(operation.input)).decode()
    return _compiled(connector, _flow(FLOW, [event_type(connector)], steps), files)


def of_triggers(connector: Connector, types: Iterable[str]) -> Bundle:
    """Compile a flow for these events, each of which it only takes note of."""
    steps = "  - id: noted\n    wait: { for: PT1S }\n"
    flows = {
        f"flows/{FLOW}_{number}.yaml": _flow(f"{FLOW}_{number}", [type], steps, key="event.id")
        for number, type in enumerate(sorted(set(types)))
    }
    return _compiled(connector, None, flows)


def _flow(name: str, types: list[str], steps: str, *, key: str = "data.id") -> str:
    return (
        f"flow: {name}\ntitle: One trial\nowner: team:certification\non: {{ event: {types[0]} }}\n"
        f"key: {key}\nbusiness_key: {key}\nsteps:\n{steps}"
    )


def _compiled(connector: Connector, flow: str | None, files: Mapping[str, str]) -> Bundle:
    whole = {
        **files,
        **({} if flow is None else {f"flows/{FLOW}.yaml": flow}),
        "schemas/certification.any@1.json": _ANY.decode(),
        f"connections/{CONNECTION}.yaml": f"connection: {CONNECTION}\nconnector: {connector.name}\n",
    }
    encoded = {path: text.encode() for path, text in whole.items()}
    bundle, lints = compile_bundle(encoded, catalogue_of([connector]))
    if bundle is None:
        raise WorkspaceInvalid(
            "No flow can be made for this.", mistakes="; ".join(str(lint) for lint in lints), connector=connector.name
        )
    return bundle


def _quoted(name: str) -> str:
    return exact_json.dumps(name).decode()


def _field(name: str) -> str:
    """Give the expression that takes a field as it is; quoted twice, once for the file."""
    return "'" + _quoted(name).replace("'", "''") + "'"
