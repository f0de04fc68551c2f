"""Building the environment's accounts: connection file + environment file + secret from the vault."""

from __future__ import annotations

import secrets as entropy
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hub.connections.accounts import Account
from hub.connections.bounds import Bound, of_vendor
from hub.connections.budgets import Budgets
from hub.connections.embedded import EmbeddedTransport
from hub.connections.keys import VaultKey
from hub.connections.kinds import mixed
from hub.connections.redaction import Redactor
from hub.connections.throttle import Throttle
from hub.connections.vault import Binding, hosts, pack, seal, unpack, unseal
from hub.errors import FixConnection, FixData, NotFound
from hub.model.ambient import Ambient
from hub.policy.kinds import THROTTLE
from hub.policy.rules import Decision, RulePolicy
from hub.runtime.logins import Logins
from hub.sdk.auth import Alone, Keep
from hub.sdk.connector import Connector, Limits
from hub.sdk.settings import kinds_told, secret_fields
from hub.sdk.transport import Transport
from hub.store import connections, secrets
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.compiled_files import ConnectionLimits, EnvironmentFile

VAULT = "vault:"


class Vault:
    """The secrets of one environment: sealed with the hub's key, bound to connector and hosts."""

    def __init__(
        self,
        *,
        bundle: Bundle,
        environment: EnvironmentFile,
        connectors: Mapping[str, Connector],
        database: Database,
        committer: Committer,
        key: VaultKey,
        ambient: Ambient,
        redactor: Redactor,
    ) -> None:
        """Take the workspace, which says where each secret may go."""
        self._bundle = bundle
        self._environment = environment
        self._connectors = connectors
        self._database = database
        self._committer = committer
        self._key = key
        self._ambient = ambient
        self.redactor = redactor
        #: Where several processes have the data, one of them signs in at a time.
        self._logins = (
            None
            if database.dialect == "sqlite"
            else Logins(committer=committer, ambient=ambient, key=lambda: self._key, redactor=redactor)
        )
        #: The newest versions that this process has stored itself, by name.
        self.stored: dict[str, int] = {}

    def use(self, key: VaultKey) -> None:
        """Seal and open with another vault key from now on; the earlier ones that it knows still open."""
        self._key = key

    def take(self, bundle: Bundle, environment: EnvironmentFile) -> None:
        """Take another revision's word for where each secret may go."""
        self._bundle = bundle
        self._environment = environment

    def binding(self, name: str) -> Binding:
        """Say where a secret may be used: from the connections of this environment that name it."""
        for connection in self._bundle.connections.values():
            if self.name_of(connection.name) == name:
                return Binding(
                    environment=self._environment.name,
                    name=name,
                    connector=connection.connector,
                    hosts=hosts(self.plain_settings(connection.name)),
                )
        raise NotFound(
            "No connection of this environment uses a secret of this name.",
            code="unknown-secret",
            secret=name,
            known=", ".join(sorted(filter(None, (self.name_of(each) for each in self._bundle.connections)))),
        )

    def name_of(self, connection: str) -> str | None:
        """Give the name of a connection's secret; the environment's word counts before the connection file's."""
        here = self._environment.connections.get(connection)
        reference = here.secret if here is not None and here.secret else self._bundle.connections[connection].secret
        return reference.removeprefix(VAULT) if reference else None

    def plain_settings(self, connection: str) -> dict[str, Any]:
        """Give a connection's settings without secrets."""
        here = self._environment.connections.get(connection)
        return {**self._bundle.connections[connection].settings, **(here.settings if here is not None else {})}

    def open(self, connection: str) -> dict[str, str]:
        """Give a connection's secret fields; nothing when it names no secret. Raises `FixConnection`."""
        name = self.name_of(connection)
        return {} if name is None else self.open_bound(self.binding(name))

    def open_bound(self, binding: Binding) -> dict[str, str]:
        """Give the fields of the secret that a binding names; raises `FixConnection` where it does not open so."""
        with self._database.reading() as reading:
            sealed = secrets.newest(reading, environment=binding.environment, name=binding.name)
        if sealed is None:
            raise FixConnection(
                f"The secret is not in the vault; store it with `concord vault set {binding.name}`.",
                code="secret-missing",
                secret=binding.name,
            )
        values = unseal(unpack(sealed), binding=binding, key=self._key)
        for value in values.values():
            self.redactor.register(value)
        return values

    async def store(self, name: str, values: Mapping[str, str], *, actor: str) -> int:
        """Seal a new version of a secret; gives its number. Raises `FixData` for fields the connector has not."""
        return await self.store_bound(self.binding(name), values, actor=actor)

    async def store_bound(self, binding: Binding, values: Mapping[str, str], *, actor: str) -> int:
        """Seal a new version for the connection that a binding describes; gives its number."""
        name = binding.name
        known = secret_fields(self._connectors[binding.connector].settings)
        wrong = sorted(set(values) - known)
        if wrong or not values:
            raise FixData(
                "A secret has the secret fields of its connector.",
                code="bad-secret-fields",
                unknown=", ".join(wrong),
                fields=", ".join(sorted(known)),
            )

        def work(transaction: Transaction) -> int:
            version = secrets.newest_version(transaction.connection, environment=self._environment.name, name=name) + 1
            sealed = seal(
                values,
                binding=binding,
                version=version,
                key=self._key,
                random=entropy.token_bytes,
                now=self._ambient.now(),
            )
            secrets.add(
                transaction,
                environment=self._environment.name,
                name=name,
                version=version,
                sealed=pack(sealed),
                actor=actor,
            )
            self.stored[name] = version
            return version

        version: int = await self._committer.commit(Work(work))
        return version

    def alone(self, connection: str) -> Alone | None:
        """Give what lets one process at a time sign in for a connection; None where there is one alone."""
        name = self.name_of(connection)
        if name is None or self._logins is None:
            return None
        return self._logins.alone(lambda: self.binding(name), self.open_bound)

    def keeping(self, connection: str) -> Keep | None:
        """Give what seals secrets that a vendor has given a connection in the place of others; None without a secret.

        Where somebody has stored others meanwhile than those which were used, theirs stay.
        """
        name = self.name_of(connection)
        if name is None:
            return None

        async def keep(used: Mapping[str, str], renewed: Mapping[str, str]) -> None:
            for value in renewed.values():
                self.redactor.register(value)
            binding = self.binding(name)
            stored = self.open_bound(binding)
            if all(stored.get(field) == value for field, value in used.items()):
                await self.store_bound(binding, {**stored, **renewed}, actor=f"connection:{connection}")

        return keep


def build_accounts(
    *,
    bundle: Bundle,
    environment: EnvironmentFile,
    connectors: Mapping[str, Connector],
    vault: Vault,
    transport: Transport,
    database: Database,
    committer: Committer,
    ambient: Ambient,
    current: Callable[[], Bundle],
    keep: Callable[[Decision, str, str, datetime], None],
    budgets: Budgets,
) -> tuple[dict[str, Account], list[FixConnection]]:
    """Make an account of every connection that the environment has; what cannot be made is told, not raised.

    `current` gives the revision whose policies guard them from now on, and `keep` takes what these decide. `budgets`
    gives connections that lead to one external account the same limiter, and knows it from before.

    A connection whose settings or secret are wrong gets no account: its webhooks are unknown and its runs park.
    """
    budgets.begin()
    accounts: dict[str, Account] = {}
    problems: list[FixConnection] = []
    with database.reading() as reading:
        states = connections.states(reading, environment=environment.name)
    for name in environment.connections:
        file = bundle.connections[name]
        connector = connectors[file.connector]
        try:
            settings = connector.settings.model_validate({**vault.plain_settings(name), **vault.open(name)})
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
            problems.append(
                FixConnection("The connection's settings are not complete.", connection=name, fields=fields)
            )
            continue
        except FixConnection as error:
            problems.append(error)
            continue
        told = set(kinds_told(connector.settings.telltales, dict(settings)).values())
        if (environment.production is not None and told - {environment.production}) or len(told) > 1:
            problems.append(mixed(name, production=environment.production))
            continue
        kind = environment.production if environment.production is not None else next(iter(told), None)
        here = environment.connections[name].limits
        state = states.get(name)
        accounts[name] = Account(
            name=name,
            connector=connector,
            settings=settings,
            limiter=budgets.limiter(
                here.budget or file.limits.budget or name,
                name,
                _sources(
                    connector.limits,
                    name,
                    file.limits,
                    here,
                    Throttle(
                        policy=lambda name=name: _throttled(current(), name, environment.name),  # type: ignore[misc]
                        keep=keep,
                        environment=environment.name,
                        connection=name,
                        connector=connector.name,
                        quota_per=here.quota_per if here.quota is not None else file.limits.quota_per,
                        quota_zone=here.quota_zone if here.quota is not None else file.limits.quota_zone,
                    ),
                ),
                lasts=settings.timeout,
            ),
            transport=transport
            if connector.embedded is None
            else EmbeddedTransport(
                connector.embedded,
                settings,
                environment=environment.name,
                connection=name,
                database=database,
                committer=committer,
                ambient=ambient,
                revision=lambda: (current().id, current().files),
            ),
            ambient=ambient,
            redactor=vault.redactor,
            paused=state["reason"] if state is not None and state["state"] == connections.PAUSED else None,
            production=kind,
            keep=vault.keeping(name),
            alone=vault.alone(name),
        )
    if environment.production is None and len({one.production for one in accounts.values()} - {None}) > 1:
        # Nobody has said which kind is meant, so none of those that show theirs is used.
        for name in [name for name, one in accounts.items() if one.production is not None]:
            del accounts[name]
            problems.append(mixed(name, production=None))
    return accounts, problems


def _throttled(bundle: Bundle, connection: str, environment: str) -> tuple[RulePolicy | None, str]:
    return bundle.guard(THROTTLE.name, connection=connection, environment=environment), bundle.id


def _sources(
    vendor: Limits, name: str, file: ConnectionLimits, here: ConnectionLimits, throttle: Throttle
) -> Callable[[datetime], list[Bound]]:
    """Give what tells the limits of one connection at a moment, source by source."""
    known = [
        of_vendor(vendor, f"vendor of {name}"),
        _bound(file, f"connection {name}"),
        _bound(here, f"connection {name} in this environment"),
    ]

    def said(now: datetime) -> list[Bound]:
        policy = throttle(now)
        return known if policy is None else [*known, policy]

    return said


def _bound(limits: ConnectionLimits, source: str) -> Bound:
    return Bound(
        source=source,
        concurrency=limits.concurrency,
        rate=limits.rate,
        per=limits.per,
        burst=limits.burst,
        quota=limits.quota,
        quota_per=limits.quota_per,
        quota_zone=limits.quota_zone,
    )
