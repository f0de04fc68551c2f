"""What a flow knows before its first step: the event, its data, and the record, as far as what starts it says."""

from __future__ import annotations

from hub.model.kinds import Kind
from hub.schemas.shape import Shape, shape_of
from hub.workspace.checks.step_nodes import inside
from hub.workspace.checks.step_shapes import StepOutput
from hub.workspace.known import Known
from hub.workspace.source.yaml_source import Keyed, text_of

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_MOMENT = {"type": "string", "format": "date-time"}


def _object(**fields: object) -> Shape:
    return shape_of({"type": "object", "properties": fields, "required": [*fields]})


_EVENT = _object(
    id=_TEXT,
    type=_TEXT,
    connection=_TEXT,
    subject=_TEXT,
    schema=_MAYBE_TEXT,
    occurred_at=_MOMENT,
    received_at=_MOMENT,
    environment=_TEXT,
)
#: The data of a schedule's firing.
_FIRING = _object(
    schedule=_TEXT,
    due_at=_MOMENT,
    fired_at=_MOMENT,
    zone=_TEXT,
    date={"type": "string", "format": "date"},
    missed={"type": "integer"},
    ordered={"type": "boolean"},
)


def known_at_first(flow: Keyed, known: Known) -> dict[str, StepOutput]:
    """Give what is known of `event`, `data` and `record`; of what a vendor's event holds, nothing is."""
    found = {"event": StepOutput(shape=_EVENT)}
    on = inside(flow, "on")
    if on is not None and "schedule" in on.entries:
        found["data"] = found["record"] = StepOutput(shape=_FIRING)
    elif on is not None and "called" in on.entries:
        schema = text_of(on.get("called"))
        record = found["record"] = StepOutput(shape=known.shape(schema), schemas=(schema,))
        data = Shape(kinds=frozenset({Kind.OBJECT}), fields={"record": record.shape}, required=frozenset({"record"}))
        found["data"] = StepOutput(shape=data, inner={"record": record})
    return found
