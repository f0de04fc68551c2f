"""Lineage in the words of OpenLineage: a column lineage facet for each record that something fills."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.workspace.lineage.edges import Edge, How

NAMESPACE = "concord"
PRODUCER = "https://github.com/concord-hub/concord"
SCHEMA_URL = "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"


def column_lineage(edges: Iterable[Edge]) -> list[dict[str, Any]]:
    """Give one dataset for each record that is filled, with the fields that each of its own is made of."""
    datasets: dict[str, dict[str, dict[tuple[str, str], dict[str, Any]]]] = {}
    for edge in edges:
        fields = datasets.setdefault(edge.target.record, {}).setdefault(edge.target.path, {})
        source = fields.setdefault(
            (edge.source.record, edge.source.path),
            {
                "namespace": NAMESPACE,
                "name": edge.source.record,
                "field": edge.source.path,
                "transformations": [],
            },
        )
        transformation = _transformation(edge)
        if transformation not in source["transformations"]:
            source["transformations"].append(transformation)
    return [
        {"namespace": NAMESPACE, "name": record, "facets": {"columnLineage": _facet(fields)}}
        for record, fields in sorted(datasets.items())
    ]


def _facet(fields: dict[str, dict[tuple[str, str], dict[str, Any]]]) -> dict[str, Any]:
    return {
        "_producer": PRODUCER,
        "_schemaURL": SCHEMA_URL,
        "fields": {path: {"inputFields": list(sources.values())} for path, sources in fields.items()},
    }


def _transformation(edge: Edge) -> dict[str, Any]:
    """Say how the value comes over: carried as it is, computed, summed up, or only asked for a decision."""
    if edge.direct:
        last = edge.source.path.rpartition("[]")[2].lstrip(".") or edge.source.path
        as_it_is = edge.how is How.KEPT or edge.text in (edge.source.path, last)
        summed = edge.source.path.count("[]") > edge.target.path.count("[]")
        kind, subtype = "DIRECT", "IDENTITY" if as_it_is else "AGGREGATION" if summed else "TRANSFORMATION"
    else:
        kind = "INDIRECT"
        subtype = {How.POLICY: "CONDITIONAL", How.LOOKUP: "JOIN"}.get(edge.how, "FILTER")
    place = f"{edge.path}:{edge.line}"
    return {"type": kind, "subtype": subtype, "description": f"{edge.text} ({place})" if edge.text else place}
