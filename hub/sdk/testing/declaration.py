"""Checks of what a connector declares: names, schemas, settings, samples, manifest, folder, README."""

from __future__ import annotations

import importlib
import re
from typing import Any

import jsonschema_rs
import pytest

from hub.sdk.connector import Operation, ReadOperation, WriteOperation
from hub.sdk.settings import Settings, secret_fields
from hub.sdk.tax import SCHEMAS as CONTRACT_SCHEMAS
from hub.sdk.testing.manifests import QUALITY, read_manifest
from hub.sdk.testing.samples import ReadSample, WriteSample
from hub.sdk.testing.subject import Subject

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OPERATION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_SCHEMA = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+@[A-Za-z0-9_.-]+")
#: Settings named so are secret, unless the name says that it only points to one.
_SECRET = re.compile(r"(secret|password|passphrase|token|private_key|license_key|licence_key|api_key|access_key)")
_NOT_SECRET = re.compile(r"(_url|_id|_path|_name|_uri)$")

FILES = ("__init__.py", "manifest.yaml", "settings.py", "client.py", "operations.py", "failures.py", "README.md")
FOLDERS = ("fixtures", "sandbox")


class DeclarationChecks(Subject):
    """What is declared is complete and of one kind."""

    def test_names_are_well_formed_and_unique(self) -> None:
        """Names are lower-case words, and no two operations or streams share one."""
        operations = [operation.name for operation in self.connector.operations]
        streams = [*(one.name for one in self.connector.streams), *(one.name for one in self.connector.listings)]
        assert _NAME.fullmatch(self.connector.name), f"{self.connector.name!r} is not a connector's name"
        assert self.connector.title.strip(), "the connector has no title"
        for name in operations:
            assert _OPERATION.fullmatch(name), f"{name!r} is not an operation's name such as `invoice.upsert`"
        for names in (operations, streams):
            assert len(names) == len(set(names)), f"a name is there twice: {sorted(names)}"

    def test_schemas_are_json_schemas(self) -> None:
        """Every schema is valid JSON Schema 2020-12 under a name with a version."""
        for name, schema in self.connector.schemas.items():
            assert _SCHEMA.fullmatch(name), f"{name!r} is not a schema's name such as `stripe.invoice@2025-09-30`"
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})

    def test_operation_is_described(self, operation: Operation) -> None:
        """Title, input and output are there; a named schema exists."""
        assert operation.title.strip(), "the operation has no title"
        for side, schema in (("input", operation.input), ("output", operation.output)):
            assert schema, f"the {side} has no schema"
            name = schema.get("$ref")
            if isinstance(name, str) and not name.startswith("#"):
                assert name in self.connector.schemas, f"the {side} names {name}, which is not among the schemas"
            jsonschema_rs.meta.validate(dict(self.resolved(schema)))

    def test_versions_are_of_one_series(self, operation: Operation) -> None:
        """What a connection gets by its settings is a version of the schema that the operation names."""
        if isinstance(operation, ReadOperation) and operation.gives is not None:
            given, named = operation.gives(self.made_up()), str(operation.output.get("$ref", ""))
            assert given in self.connector.schemas, f"{given} is not among the schemas"
            assert given.partition("@")[0] == named.partition("@")[0], f"{given} is no version of {named}"

    def test_undo_names_a_write(self, write: WriteOperation) -> None:
        """What takes a write back is another write of the connector."""
        if write.undo is not None:
            assert write.undo != write.name, "a write cannot take itself back"
            undo = self.write_operation(write.undo)
            assert not undo.erases, f"{undo.name} erases; what is taken back is corrected by a further entry"

    def test_operation_has_a_sample(self, operation: Operation) -> None:
        """Every operation is tried, so that nothing is declared that does not work."""
        sampled = {sample.operation for sample in self.samples.reads} | {
            sample.operation for sample in self.samples.writes
        }
        assert operation.name in sampled, f"{operation.name} has no sample in the test file"

    def test_read_sample_fits_its_schema(self, read_sample: ReadSample) -> None:
        """A sample is what the operation takes."""
        operation = self.read_operation(read_sample.operation)
        assert not self.mistakes(operation.input, read_sample.input), self.mistakes(operation.input, read_sample.input)

    def test_write_sample_fits_its_schema(self, write_sample: WriteSample) -> None:
        """A sample is what the operation takes."""
        operation = self.write_operation(write_sample.operation)
        mistakes = self.mistakes(operation.input, write_sample.input)
        assert not mistakes, mistakes

    def test_secret_settings_are_secret(self) -> None:
        """A setting that is named like a secret is typed `Secret`, and no secret shows when settings are printed."""
        settings = self.made_up()
        secret = secret_fields(self.connector.settings)
        for name in self.connector.settings.model_fields:
            if _SECRET.search(name) and not _NOT_SECRET.search(name):
                assert name in secret, f"the setting {name} must be typed `Secret`"
        shown = f"{settings!r} {settings} {settings.model_dump_json()}"
        for name in secret:
            value = str(self.settings.get(name, ""))
            assert value, f"the test file gives no value for the secret {name}"
            assert value not in shown, f"the secret {name} shows when settings are printed"

    def test_mistakes_in_settings_hide_secrets(self) -> None:
        """A wrong setting is reported without printing the secrets beside it."""
        with pytest.raises(ValueError, match="base_url") as refusal:
            self.connector.settings.model_validate({**self.settings, "base_url": 7, "surplus": 1})
        for name in secret_fields(self.connector.settings):
            assert str(self.settings[name]) not in str(refusal.value), f"a mistake elsewhere prints the secret {name}"

    def test_manifest_is_true(self) -> None:
        """The manifest names the connector, its vendor and versions, and every rule of quality, truthfully."""
        manifest = read_manifest(self.folder / "manifest.yaml")
        assert manifest.name == self.connector.name, f"the manifest is of {manifest.name!r}"
        assert not manifest.mistakes, manifest.mistakes
        for rule, check in QUALITY.items():
            reason = manifest.quality[rule]
            reached = check(self.connector)
            if reason is None:
                assert reached, f"the manifest calls `{rule}` done, and it is not"
            else:
                assert not reached, f"the manifest is exempt from `{rule}`, and it is done: write `done`"

    def test_folder_has_its_shape(self) -> None:
        """The files every connector has are there, so that a reader finds things without searching."""
        missing = [name for name in FILES if not (self.folder / name).is_file()]
        missing += [f"{name}/" for name in FOLDERS if not (self.folder / name).is_dir()]
        if self.connector.embedded is not None:
            # There is no wire, so that nothing is spoken over it and nobody has to be stood in for.
            missing = [name for name in missing if name not in {"client.py", "fixtures/", "sandbox/"}]
        if self.connector.webhook is not None and not (self.folder / "webhook.py").is_file():
            missing.append("webhook.py")
        if self.connector.streams and not (self.folder / "streams.py").is_file():
            missing.append("streams.py")
        if set(self.connector.schemas) - set(CONTRACT_SCHEMAS) and not (self.folder / "schemas").is_dir():
            missing.append("schemas/")
        assert not missing, f"the connector's folder lacks {', '.join(missing)}"

    def test_readme_names_every_operation(self) -> None:
        """The README tells of every operation, stream and setting."""
        text = (self.folder / "README.md").read_text("utf-8")
        names = [operation.name for operation in self.connector.operations]
        names += [name for name in self.connector.settings.model_fields if name not in Settings.model_fields]
        missing = [name for name in names if f"`{name}`" not in text]
        assert not missing, f"the README does not mention {', '.join(missing)}"

    def test_connector_comes_from_its_package(self) -> None:
        """The package's one hook gives this connector."""
        hook: Any = getattr(importlib.import_module(self.package), "concord_connector", None)
        if hook is None:
            pytest.fail(f"{self.package} has no `concord_connector`")
        assert hook() is self.connector, "the hook gives another connector than the one tested"
