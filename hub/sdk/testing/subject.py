"""What one battery is about: the connector, invented settings, samples, and how its sandbox is reached."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import jsonschema_rs
import pytest

from hub.sdk.connector import Connector, JsonSchema, Operation, ReadOperation, WriteOperation
from hub.sdk.settings import Settings, secret_fields
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.samples import Samples

Kind = TypeVar("Kind", bound=Operation)


class Subject:
    """The connector that a test class is about, and its samples."""

    connector: ClassVar[Connector]
    samples: ClassVar[Samples]

    @property
    def settings(self) -> Mapping[str, Any]:
        """Give the invented settings."""
        return self.samples.settings

    def live_settings(self, announcement: Mapping[str, Any]) -> dict[str, Any]:
        """Give the settings for a running sandbox: its address, and what it announces under a setting's name."""
        return live_settings(self.connector, self.samples, announcement)

    def wrong_settings(self, right: Mapping[str, Any]) -> dict[str, Any]:
        """Spoil the settings of a running sandbox."""
        if self.samples.wrong is not None:
            return {**right, **self.samples.wrong}
        spoilt = {
            name: f"wrong{right[name]}" for name in secret_fields(self.connector.settings) if "webhook" not in name
        }
        return {**right, **spoilt}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test once for each operation, write or sample that it asks for by its parameter's name."""
        writes = [operation for operation in self.connector.operations if isinstance(operation, WriteOperation)]
        cases: dict[str, tuple[Sequence[Any], Sequence[str]]] = {
            "operation": (self.connector.operations, [operation.name for operation in self.connector.operations]),
            "write": (writes, [operation.name for operation in writes]),
            "read_sample": (self.samples.reads, [sample.operation for sample in self.samples.reads]),
            "write_sample": (self.samples.writes, [sample.operation for sample in self.samples.writes]),
            "webhook_sample": (self.samples.webhooks, [sample.fixture for sample in self.samples.webhooks]),
        }
        for name, (values, ids) in cases.items():
            if name in metafunc.fixturenames and values:
                metafunc.parametrize(name, values, ids=ids)
            elif name in metafunc.fixturenames:
                nothing = pytest.mark.skip(reason=f"{self.connector.name} has no {name.replace('_', ' ')}")
                metafunc.parametrize(name, [pytest.param(None, marks=nothing)], ids=["none"])

    @property
    def folder(self) -> Path:
        """Give the connector's folder."""
        return Path(str(importlib.import_module(self.package).__file__)).parent

    @property
    def package(self) -> str:
        """Give the connector's package: the one that its settings live in."""
        return self.connector.settings.__module__.rpartition(".")[0]

    def made_up(self) -> Settings:
        """Give the invented settings, checked."""
        return self.connector.settings.model_validate(dict(self.settings))

    def fixture_body(self, name: str) -> bytes:
        """Give the bytes of a file in the connector's `fixtures/`."""
        return (self.folder / "fixtures" / name).read_bytes()

    def read_operation(self, name: str) -> ReadOperation:
        """Find a read by name."""
        return self._operation(name, ReadOperation)

    def write_operation(self, name: str) -> WriteOperation:
        """Find a write by name."""
        return self._operation(name, WriteOperation)

    def resolved(self, schema: JsonSchema) -> JsonSchema:
        """Give the schema behind `{"$ref": "name@version"}`, or the schema itself."""
        return self.connector.schemas.get(str(schema.get("$ref")), schema)

    def mistakes(self, schema: JsonSchema, value: Any) -> list[str]:
        """Tell where a value differs from a schema, in sentences."""
        checker = jsonschema_rs.Draft202012Validator(dict(self.resolved(schema)))
        return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in checker.iter_errors(value)]

    def _operation(self, name: str, kind: type[Kind]) -> Kind:
        found = self.connector.operation(name)
        if not isinstance(found, kind):
            pytest.fail(f"{self.connector.name} has no {kind.__name__} named {name}")
        return found
