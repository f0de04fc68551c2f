"""Connecting an account: settings into the files, secrets into the vault, and a test at once."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hub.connections.accounts import Account
from hub.connections.diagnosis import Diagnosis, diagnose, unusable
from hub.connections.form import faults
from hub.connections.kinds import mixed
from hub.connections.limiter import Limiter
from hub.connections.registry import connector_of
from hub.connections.vault import Binding, hosts
from hub.errors import Conflict, FixConnection, FixData, NotFound, Refused, WorkspaceInvalid
from hub.model.ambient import Ambient
from hub.sdk.connector import Connector
from hub.sdk.settings import Settings, kinds_told, secret_fields
from hub.sdk.transport import Transport
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.compiled_files import EnvironmentFile
from hub.workspace.entry import by_hand, with_connection
from hub.workspace.loader import read_files

VAULT = "vault:"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class SecretStore(Protocol):
    """The vault, as far as connecting needs it."""

    def open_bound(self, binding: Binding) -> dict[str, str]:
        """Give the secret that a binding names; raises `FixConnection` where it does not open so."""
        ...

    async def store_bound(self, binding: Binding, values: Mapping[str, str], *, actor: str) -> int:
        """Seal a new version for what a binding describes; gives its number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be connected: settings and secrets by field, in addition to what the files and the vault have."""

    connector: str
    name: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What became of it: the files that were written, the secret's version (None: unchanged), and the test.

    `serves` says that the hub uses it from now on; otherwise the files have still to be published, or the hub started.
    """

    connection: str
    written: Sequence[str]
    version: int | None
    serves: bool
    governed: bool
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """All that is to be written and sealed, checked as a whole before anything is."""

    name: str
    files: Mapping[str, bytes]
    binding: Binding
    secrets: Mapping[str, str]
    settings: Settings
    connector: Connector
    environment: EnvironmentFile
    serves: bool


class Connecting:
    """Makes and tests the connections of one environment."""

    def __init__(
        self,
        *,
        workspace: Path,
        environment: Callable[[], EnvironmentFile],
        bundle: Callable[[], Bundle],
        connectors: Mapping[str, Connector],
        catalogue: Catalogue,
        secrets: SecretStore,
        accounts: Mapping[str, Account],
        ambient: Ambient,
        reload: Callable[[], None],
    ) -> None:
        """Take the collaborators: `environment()` and `bundle()` are those that serve, `reload()` takes new secrets."""
        self.workspace = workspace
        self._environment = environment
        self._bundle = bundle
        self.connectors = connectors
        self._catalogue = catalogue
        self._secrets = secrets
        self._accounts = accounts
        self._ambient = ambient
        self._reload = reload
        #: The last test of each connection, as long as the process lives.
        self.tests: dict[str, Diagnosis] = {}
        self._one = asyncio.Lock()

    def names(self) -> frozenset[str]:
        """Name the connections of the environment as it serves, whether they can be used or not."""
        return frozenset(self._environment().connections)

    def known(self, name: str) -> Mapping[str, Any]:
        """Give the settings that a connection has in the files now, without its secrets; empty for a new one."""
        bundle, environment = self._folder()
        return {} if name not in environment.connections else _plain(bundle, environment, name)

    async def connect(self, wish: Wish, *, actor: str) -> Connected:
        """Write what is wished for, seal its secrets, and test it.

        Raises `FixData` with what is wrong by field, `Conflict` for a name that another connector has, and `Refused`
        where the files cannot be written or the account is of the wrong kind; nothing is written then.
        """
        async with self._one:
            draft = await asyncio.to_thread(self._draft, wish)
            version = None
            if wish.secrets:
                # First: without the files it is of no use to anybody, and the files without it are of no use either.
                version = await self._secrets.store_bound(draft.binding, draft.secrets, actor=actor)
            await asyncio.to_thread(self._write, draft)
            if draft.serves and version is not None:
                self._reload()
        diagnosis = await self._test(draft.name, draft.connector, draft.settings, draft.environment)
        return Connected(
            connection=draft.name,
            written=sorted(draft.files),
            version=version,
            serves=draft.serves,
            governed=draft.environment.governed,
            diagnosis=diagnosis,
        )

    async def test(self, name: str) -> Diagnosis:
        """Test a connection as it serves; one that does not serve yet, as the files have it. `NotFound` for others."""
        bundle, environment = self._bundle(), self._environment()
        if name not in environment.connections:
            bundle, environment = await asyncio.to_thread(self._folder)
        if name not in environment.connections:
            known = ", ".join(sorted(environment.connections))
            raise NotFound("There is no such connection in this environment.", connection=name, known=known)
        connector = self.connectors[bundle.connections[name].connector]
        try:
            values = {**_plain(bundle, environment, name), **self._opened(bundle, environment, name)}
            wrong = faults(connector, values)
            if wrong:
                told = "; ".join(f"{field}: {fault}" for field, fault in sorted(wrong.items()))
                raise FixConnection(
                    f"The settings are not complete. {told}.",
                    advice="Mend them with `concord connect`, or in the environment's file.",
                )
        except FixConnection as error:
            return self._keep(unusable(name, connector.name, self._ambient.now(), error))
        return await self._test(name, connector, connector.settings.model_validate(values), environment)

    async def _test(
        self, name: str, connector: Connector, settings: Settings, environment: EnvironmentFile
    ) -> Diagnosis:
        served = self._accounts.get(name)
        # A transport of its own: what it keeps of earlier connections would hide what is wrong now.
        transport = Transport(
            private_hosts=environment.private_hosts, ca_file=environment.ca_file, now=self._ambient.now
        )
        account = Account(
            name=name,
            connector=connector,
            settings=settings,
            limiter=served.limiter if served is not None else Limiter(connector.limits, self._ambient),
            transport=transport,
            ambient=self._ambient,
        )
        for field in secret_fields(connector.settings):
            value = getattr(settings, field)
            if value is not None:
                account.redactor.register(value.get_secret_value())
        try:
            found = await diagnose(
                account, production=environment.production, private_hosts=frozenset(environment.private_hosts)
            )
        finally:
            await transport.close()
        return self._keep(found)

    def _keep(self, diagnosis: Diagnosis) -> Diagnosis:
        self.tests[diagnosis.connection] = diagnosis
        return diagnosis

    def _folder(self) -> tuple[Bundle, EnvironmentFile]:
        return self._compiled(read_files(self.workspace))

    def _compiled(self, files: Mapping[str, bytes]) -> tuple[Bundle, EnvironmentFile]:
        bundle, lints = compile_bundle(files, self._catalogue)
        if bundle is None:
            raise WorkspaceInvalid(
                "The workspace has errors; see `concord check`.", first=str(lints[0]) if lints else ""
            )
        name = self._environment().name
        if name not in bundle.environments:
            raise NotFound(f"The workspace has no environment `{name}`; write environments/{name}.yaml.")
        return bundle, bundle.environments[name]

    def _draft(self, wish: Wish) -> _Draft:
        connector = connector_of(self.connectors, wish.connector)
        name = wish.name
        if not _NAME.fullmatch(name):
            raise FixData(
                "A connection's name has letters, digits, `_` and `-`, and begins with a letter.", code="bad-name"
            )
        files = read_files(self.workspace)
        bundle, environment = self._compiled(files)
        file = bundle.connections.get(name)
        if file is not None and file.connector != connector.name:
            raise Conflict(
                f"`{name}` is a connection of {file.connector} already; choose another name.",
                code="name-taken",
                connection=name,
            )
        exists = name in environment.connections
        secret = secret_fields(connector.settings)
        misplaced = {field: "it is a secret" for field in wish.settings if field in secret}
        misplaced |= {field: "it is no secret" for field in wish.secrets if field not in secret}
        before = dict(_plain(bundle, environment, name)) if exists else dict(file.settings) if file is not None else {}
        plain = {**before, **wish.settings}
        default = connector.settings.model_fields["base_url"].default
        if "base_url" not in plain and isinstance(default, str):
            # Written down always: it is what the secret is bound to.
            plain["base_url"] = default
        reference = _reference(bundle, environment, name) or (VAULT + name if secret else None)
        binding = Binding(
            environment=environment.name,
            name=(reference or name).removeprefix(VAULT),
            connector=connector.name,
            hosts=hosts(plain),
        )
        secrets = _replaced(self._kept(binding, wanted=bool(secret)), wish.secrets, secret)
        wrong = misplaced | faults(connector, {**plain, **secrets})
        if wrong:
            raise FixData("The settings are not as they must be.", code="bad-settings", **dict(sorted(wrong.items())))
        settings = connector.settings.model_validate({**plain, **secrets})
        told = set(kinds_told(connector.settings.telltales, {**plain, **secrets}).values())
        if len(told) > 1 or (environment.production is not None and told - {environment.production}):
            raise Refused(mixed(name, production=environment.production).detail, code="mixed-kinds", connection=name)
        own = {field: value for field, value in plain.items() if file is None or file.settings.get(field) != value}
        written = dict[str, bytes]()
        if file is None:
            written[f"connections/{name}.yaml"] = _connection_file(name, connector)
        text = files[environment.path].decode("utf-8-sig")
        inherited = file is not None and file.secret is not None and reference == file.secret
        entry = with_connection(text, name, own, None if inherited else reference)
        if entry != text:
            written[environment.path] = entry.encode()
        after, here = self._compiled({**files, **written})
        serves = self._serves(after, here, name)
        return _Draft(
            name=name,
            files=written,
            binding=binding,
            secrets=secrets,
            settings=settings,
            connector=connector,
            environment=here,
            serves=serves,
        )

    def _serves(self, after: Bundle, here: EnvironmentFile, name: str) -> bool:
        served, environment = self._bundle(), self._environment()
        return (
            served.connections.get(name) == after.connections[name]
            and environment.connections.get(name) == here.connections[name]
        )

    def _opened(self, bundle: Bundle, environment: EnvironmentFile, name: str) -> dict[str, str]:
        reference = _reference(bundle, environment, name)
        if reference is None:
            return {}
        return self._secrets.open_bound(
            Binding(
                environment=environment.name,
                name=reference.removeprefix(VAULT),
                connector=bundle.connections[name].connector,
                hosts=hosts(_plain(bundle, environment, name)),
            )
        )

    def _kept(self, binding: Binding, *, wanted: bool) -> dict[str, str]:
        """Give the secret that is there already; none where it is for other hosts, which must be given it anew."""
        try:
            return self._secrets.open_bound(binding) if wanted else {}
        except FixConnection:
            return {}

    def _write(self, draft: _Draft) -> None:
        for path, content in sorted(draft.files.items()):
            target = self.workspace / path
            half = target.with_name(f".{target.name}.new")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with half.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                half.replace(target)
            except OSError as error:
                half.unlink(missing_ok=True)
                why = f"{target} cannot be written ({error.strerror})"
                raise by_hand(draft.name, draft.environment.connections[draft.name].settings, why) from error


def _plain(bundle: Bundle, environment: EnvironmentFile, name: str) -> dict[str, Any]:
    return {**bundle.connections[name].settings, **environment.connections[name].settings}


def _reference(bundle: Bundle, environment: EnvironmentFile, name: str) -> str | None:
    here, file = environment.connections.get(name), bundle.connections.get(name)
    return (here.secret if here is not None else None) or (file.secret if file is not None else None)


def _replaced(kept: Mapping[str, str], new: Mapping[str, str], fields: frozenset[str]) -> dict[str, str]:
    """Put new secrets in the place of those that are kept.

    A connector that has a field for what a secret was before, `NAME_previous`, still takes what is signed with that.
    """
    before = {
        f"{name}_previous": kept[name]
        for name, value in new.items()
        if f"{name}_previous" in fields and name in kept and kept[name] != value
    }
    return {**kept, **before, **new}


def _connection_file(name: str, connector: Connector) -> bytes:
    return (
        f"# One account of {connector.title}. Its settings are in each environment's file, its secret in the vault.\n"
        f"connection: {name}\nconnector: {connector.name}\n"
    ).encode()
