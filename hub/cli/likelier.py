"""Whether a record looks as if it were of another version than the one it is read as."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hub.schemas.drift import CompiledDrift, compile_drift
from hub.schemas.registry import Registry


class Likelier:
    """Compares records with all versions of one schema."""

    def __init__(self, registry: Registry, name: str) -> None:
        """Take the schema with the version that records are read as."""
        self._registry = registry
        self._name = name
        self._compiled = lru_cache(maxsize=None)(self._compile)

    def __call__(self, record: Any) -> str | None:
        """Name the version from which a record differs least, the newest of several; None when that is its own."""
        versions = self._registry.versions(self._name)
        if self._name not in versions:
            return None
        fewest, found = len(self._compiled(self._name)(record)), None
        for version in reversed(versions):
            differences = len(self._compiled(version)(record)) if fewest else 0
            if differences < fewest:
                fewest, found = differences, version
        return found

    def _compile(self, version: str) -> CompiledDrift:
        return compile_drift(self._registry.document(version))
