"""Values by the schema that describes them: what payloads hold at each place of a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.schemas.documents import referred
from hub.schemas.patterns import matches


class Sightings:
    """Collects, for each schema in a document, the values of payloads that it describes."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Take the document whose schemas are looked at; it must not change meanwhile."""
        self._root = root
        self._values: dict[int, list[Any]] = {}
        self._met: set[tuple[int, int]] = set()

    def at(self, schema: Any) -> list[Any]:
        """Give the values at a schema of the document."""
        return self._values.get(id(schema), [])

    def take(self, payload: Any) -> None:
        """Take one more payload, which must live as long as this."""
        self._take(self._root, payload)

    def _take(self, schema: Any, value: Any) -> None:
        if not isinstance(schema, Mapping):
            return
        container = isinstance(value, dict | list)
        if container and (id(schema), id(value)) in self._met:
            return
        if container:
            self._met.add((id(schema), id(value)))
        self._values.setdefault(id(schema), []).append(value)
        # What may be null besides is said where the reference stands, not in what others refer to as well.
        if "$ref" in schema and value is not None:
            target = referred(str(schema["$ref"]), self._root)
            if container or not self._is_reference(target):
                self._take(target, value)
        for part in schema.get("allOf", ()):
            self._take(part, value)
        if isinstance(value, list) and "prefixItems" not in schema:
            for item in value:
                self._take(schema.get("items"), item)
        elif isinstance(value, dict):
            for name, item in value.items():
                for part in parts_of(schema, name):
                    self._take(part, item)

    def _is_reference(self, target: Any) -> bool:
        """Tell whether a reference leads to another one, on which a value that is no container could go in circles."""
        return isinstance(target, Mapping) and "$ref" in target


def parts_of(schema: Mapping[str, Any], name: str) -> list[Any]:
    """Give the schemas that a schema has for a field of this name."""
    found = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    found += [part for pattern, part in schema.get("patternProperties", {}).items() if matches(pattern, name)]
    return found or [schema.get("additionalProperties")]
