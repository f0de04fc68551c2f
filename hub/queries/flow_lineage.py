"""The lineage of one record in a flow, for its page: words and a picture."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.flow import Flow
from hub.model.flow_steps import placed_steps
from hub.queries.lineage import FieldLineage, field_lineages
from hub.queries.lineage_picture import Picture, picture
from hub.workspace.lineage.edges import How, Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLineage:
    """The fields of one record in a flow; `records` are all that the flow handles, `chosen` the one that is shown."""

    records: tuple[str, ...]
    chosen: str
    fields: tuple[FieldLineage, ...]
    picture: Picture


def flow_lineage(lineage: Lineage, flow: Flow, name: str | None) -> FlowLineage:
    """Give a record in a flow, or one field of it; by default the first one that a step makes by a mapping.

    Raises `NotFound` when the flow handles no field, or none of this name.
    """
    alone = lineage.within(flow.name)
    records = tuple(dict.fromkeys(end.record for edge in alone.edges for end in (edge.source, edge.target)))
    steps = {place: number for number, (place, _) in enumerate(placed_steps(flow.steps))}
    made = [
        (steps.get(step.step, 0), edge.target.record)
        for edge in alone.edges
        for step in edge.steps
        if edge.how in {How.FIELD, How.EACH} and edge.target.series != edge.source.series
    ]
    wanted = alone.find(name or (min(made)[1] if made else records[0]))
    return FlowLineage(
        records=tuple(sorted(records)),
        chosen=wanted[0].record,
        fields=field_lineages(alone, wanted),
        picture=picture(alone, wanted),
    )
