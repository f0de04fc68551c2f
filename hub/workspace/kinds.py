"""Which kind of file a path of the workspace holds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class FileKind(StrEnum):
    """What a file is, as the key that names it says (`flow: …`)."""

    FLOW = "flow"
    MAPPING = "mapping"
    FRAGMENT = "fragment"
    POLICY = "policy"
    SCHEMA = "schema"
    SERIES = "series"
    CONNECTION = "connection"
    ENVIRONMENT = "environment"
    EXAMPLES = "examples"
    TABLE = "table"
    FIXTURE = "fixture"
    RUNBOOK = "runbook"


#: Folder → what its YAML files are; they name themselves by the key of their kind.
NAMED = {
    "flows": FileKind.FLOW,
    "mappings": FileKind.MAPPING,
    "policies": FileKind.POLICY,
    "schemas": FileKind.SERIES,
    "connections": FileKind.CONNECTION,
    "environments": FileKind.ENVIRONMENT,
}
#: Kinds that stand in the folder of another one, told apart by the key that names the file.
BESIDE: Mapping[FileKind, FileKind] = {FileKind.FRAGMENT: FileKind.MAPPING}
EXAMPLES_ENDING = "_examples.yaml"


def kind_of(path: str) -> FileKind | None:
    """Tell what a file is by its folder and ending; None for a file that is none of the workspace's."""
    folder = path.partition("/")[0]
    if path.startswith("mappings/tables/") and path.endswith(".csv"):
        return FileKind.TABLE
    if path.startswith("docs/runbooks/") and path.endswith(".md"):
        return FileKind.RUNBOOK
    if folder == "schemas" and path.endswith(".json"):
        return FileKind.SCHEMA
    if folder in ("mappings", "policies") and path.endswith(EXAMPLES_ENDING):
        return FileKind.EXAMPLES
    if path.endswith((".yaml", ".yml")):
        return NAMED.get(folder)
    return FileKind.FIXTURE if folder in ("mappings", "policies") and path.endswith(".json") else None
