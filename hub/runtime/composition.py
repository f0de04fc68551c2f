"""The wiring of one hub process: which class does which work, and in which order things start and stop."""

from __future__ import annotations

import asyncio
import secrets as entropy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from hub.access.attempts import Attempts
from hub.access.directory import StoredDirectory
from hub.access.local_token import write_local_token
from hub.access.sessions import new_token
from hub.api.health import version
from hub.audit.kinds import AuditKind
from hub.backbone.backbone import Told
from hub.backbone.settings import nats_settings
from hub.connections.accounts import Account
from hub.connections.budgets import remembered
from hub.connections.keys import VaultKey
from hub.connections.redaction import Redactor
from hub.connections.registry import load_connectors
from hub.connections.signing_key import signing_key
from hub.engine.journal import code
from hub.engine.worker import Worker
from hub.errors import HubError, NotFound, StorageFull
from hub.intake.door import Intake
from hub.model.ambient import Ambient
from hub.operate.approvals import ApprovalOrders
from hub.operate.backups import Backups
from hub.operate.connecting import Connecting
from hub.operate.retention import Pruning
from hub.policy.rules import Decision
from hub.queries.view import View
from hub.release.desk import Desk
from hub.release.folder import FolderState, folder_state
from hub.runtime import feeding
from hub.runtime.accounts import Vault, build_accounts
from hub.runtime.changes import Changes
from hub.runtime.clock import system_ambient
from hub.runtime.heartbeat import Heartbeat
from hub.runtime.incoming import Incoming
from hub.runtime.roles import Role, assert_possible, named
from hub.runtime.rotating import Rotating
from hub.runtime.settings import HubSettings
from hub.runtime.sharing import Sharing
from hub.runtime.shelf import Beginning, Shelf, begin, begin_published
from hub.runtime.vault_key import sealer_with, the_key
from hub.runtime.watch import Watch
from hub.runtime.wiring import budgets_of, wired
from hub.runtime.working import Working
from hub.sdk.connector import Connector
from hub.sdk.transport import Transport
from hub.store import decisions, marks
from hub.store.audit import Note
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.migrating import Reach
from hub.store.runs import call_forward
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue, catalogue_of
from hub.workspace.compiled_files import EnvironmentFile
from hub.workspace.lineage.tracing import Traced

log = structlog.get_logger(__name__)

#: So many entries are sealed while a process ends; more wait for the next start, so that ending takes no time.
SEALED_AT_END = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The classes a process is made of; a proof puts another in the place of one."""

    intake: type[Intake] = Intake
    worker: type[Worker] = Worker
    connectors: Callable[[], Mapping[str, Connector]] = load_connectors


class HubState(StrEnum):
    """Whether a process takes new work."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STORAGE_FULL = "storage-full"
    DATABASE_AWAY = "database-away"


class Hub:
    """One process serving one environment; `start` and `stop` frame its life in one event loop."""

    def __init__(
        self, settings: HubSettings, composition: Composition | None = None, ambient: Ambient | None = None
    ) -> None:
        """Open the data, compile the workspace, open the secrets; nothing runs yet.

        Raises the HubError that keeps the process from serving.
        """
        assert_possible(settings.roles, settings.database)
        self.settings = settings
        self.ambient = ambient or system_ambient(settings.seed)
        self.composition = composition or Composition()
        self.redactor = Redactor()
        self.worker_name = self.ambient.new_id("worker")
        self.connectors: Mapping[str, Connector] = (composition or Composition()).connectors()
        catalogue: Catalogue = catalogue_of(list(self.connectors.values()))
        self.traced = Traced(catalogue)
        nats = nats_settings(settings.environ)
        self.database = Database(settings.data, settings.database, reach=_reach(settings))
        try:
            beginning = _beginning(settings, catalogue, self.database)
            self.environment = _environment(beginning.bundle, settings.environment)
        except HubError:
            self.database.close()
            raise
        self.committer = Committer(self.database, self.ambient)
        self.shelf = Shelf(beginning, self.environment.name, catalogue, self.database)
        self.key: VaultKey = the_key(settings, self.database)
        self.sealer = sealer_with(self.database, self.ambient, self.key)
        self.transport = Transport(
            private_hosts=self.environment.private_hosts, ca_file=self.environment.ca_file, now=self.ambient.now
        )
        self._left: list[Transport] = []
        self.backbone = feeding.backbone_of(
            nats,
            environment=self.environment.name,
            database=self.database,
            committer=self.committer,
            ambient=self.ambient,
            name=self.worker_name,
            # Who works on runs has its hands full.
            stands_in=Role.API not in settings.roles,
        )
        self.vault = Vault(
            bundle=beginning.bundle,
            environment=self.environment,
            connectors=self.connectors,
            database=self.database,
            committer=self.committer,
            key=self.key,
            ambient=self.ambient,
            redactor=self.redactor,
        )
        self.rotating = Rotating(
            settings=settings,
            database=self.database,
            committer=self.committer,
            key=lambda: self.key,
            use=self._use,
            random=entropy.token_bytes,
        )
        self.view = View(environment=self.environment.name, database=self.database, ambient=self.ambient)
        self.directory = StoredDirectory(self.database, self.committer)
        self.accounts: dict[str, Account] = {}
        self.budgets = budgets_of(
            self.environment.name, self.ambient, self.committer, database=self.database, settings=settings
        )
        self.changes = Changes()
        self.desk = Desk(
            environment=self.environment.name,
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            catalogue=catalogue,
            limits=lambda: self.environment,
            switch=self.take,
        )
        self.backups = Backups(database=self.database, committer=self.committer)
        self.pruning = Pruning(
            environment=self.environment.name,
            database=self.database,
            committer=self.committer,
            ambient=self.ambient,
            policy=lambda: self.environment.retention,
        )
        self.approval_orders = ApprovalOrders(
            environment=self.environment.name,
            ambient=self.ambient,
            committer=self.committer,
            directory=self.directory,
            attempts=Attempts(),
        )
        self.connecting = Connecting(
            workspace=settings.workspace,
            environment=lambda: self.environment,
            bundle=lambda: self.shelf.current,
            connectors=self.connectors,
            catalogue=catalogue,
            secrets=self.vault,
            accounts=self.accounts,
            ambient=self.ambient,
            reload=self.reload_accounts,
        )
        with self.database.reading() as connection:
            self.restored = marks.restored(connection)
        parts = wired(
            environment=self.environment.name,
            name=self.worker_name,
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
            current=lambda: self.shelf.current,
            shelf=self.shelf.get,
            restored=self.restored,
            refused=self.shelf.refused,
            intake=self.composition.intake,
            worker=self.composition.worker,
            capacity=settings.in_hand,
        )
        self.intake, self.deliveries = parts.intake, parts.deliveries
        self.working = Working(parts.parts, parts.worker, heartbeat=self._heartbeat())
        self.orders, self.run_orders, self.effect_orders = parts.orders, parts.run_orders, parts.effect_orders
        self.event_orders, self.hold_orders = parts.event_orders, parts.hold_orders
        self.incoming = Incoming(
            environment=self.environment.name,
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.shelf.current,
            intake=self.intake,
            poll_seconds=settings.poll_seconds,
        )
        self.watch = Watch(
            view=self.view,
            watched=self.incoming.watched,
            committer=self.committer,
            ambient=self.ambient,
            pulse=self.incoming.pulse,
            actor=self.worker_name,
            tells=lambda: self.sharing.leads,
        )
        self.sharing = Sharing(self)
        self.token, self.setup_token = _token(settings), new_token(entropy.token_bytes)
        self._started = self._stopping = False
        self.died: asyncio.Future[None] | None = None

    async def start(self, *, working: bool = True) -> None:
        """Start the committer, take back what a stopped process left, and begin to work.

        With `working` false nothing is run: the process only answers, for commands while no hub serves.
        """
        self.died = asyncio.get_running_loop().create_future()
        self.working.on_death = self._die
        self.committer.on_commit, self.committer.on_death = self.changes.advance, self._die
        here = self.environment.name
        with self.database.reading() as connection:
            self.committer.tells = feeding.tells(connection, here, self.settings.environ, self.backbone)
        if self.backbone is not None:
            self.committer.on_left, self.committer.on_told = self.backbone.work, self.backbone.news
        self.committer.start()
        self.budgets.remember(remembered(self.database, environment=here))
        # A secret may be stored by another process from here on, until this one follows.
        await self.sharing.note()
        self.reload_accounts()
        if not working:
            return
        await self.shelf.keep_current(self.committer, self.worker_name)
        await self.working.lease()
        recovered = await self.committer.commit(Work(self._begin))
        await self.sharing.start()
        folder = self.folder() if Role.API in self.settings.roles else None
        if folder is not None and folder.differs:
            log.warning(
                "workspace.differs",
                published=self.shelf.current.id[:12],
                folder=folder.bundle[:12] if folder.bundle is not None else folder.problem,
                hint="the folder is not what is served: see `concord plan`, then `concord publish`",
            )
        if self.restored is not None:
            log.info("data.restored", backup_at=str(self.restored.backup_at), at=str(self.restored.restored_at))
        log.info(
            "hub.started",
            environment=self.environment.name,
            roles=named(self.settings.roles),
            bundle=self.shelf.current.id[:12],
            connections=sorted(self.accounts),
            recovered=recovered,
        )
        if Role.WORKER in self.settings.roles:
            self.working.begin()
        if self.backbone is not None:
            self.backbone.start(Told(work=self._wake, reached=self._rely))
        elif self.committer.tells:
            log.warning("feed.not_published", hint="CONCORD_NATS is not set; what happens waits in the outbox")
        self.budgets.start()
        self._started = True

    def _wake(self) -> None:
        # The worker may be another one by now.
        self.worker.wake()

    def _rely(self, others_tell: bool) -> None:  # noqa: FBT001 - as the backbone calls it
        self.worker.relies(on_others=others_tell)

    @property
    def worker(self) -> Worker:
        """Give the worker that this process has now."""
        return self.working.worker

    @property
    def state(self) -> HubState:
        """Tell whether new work is taken just now, and why not."""
        if self._stopping:
            return HubState.STOPPING
        if not self._started:
            return HubState.STARTING
        if self.committer.obstacle is None:
            return HubState.READY
        return HubState.STORAGE_FULL if isinstance(self.committer.obstacle, StorageFull) else HubState.DATABASE_AWAY

    async def drain(self) -> None:
        """Take nothing new, let what is in hand come to its next rest, and hand back what does not in time."""
        before, self._stopping = self._stopping, True
        self.pruning.stop()
        self.intake.close()
        await self.incoming.stop()
        if self._started and not before:
            await self.working.drain()

    async def stop(self) -> None:
        """Finish what is in hand, commit it, and close everything."""
        await self.backups.stop()
        await self.drain()
        if self._started:
            try:
                await self.intake.flush_refusals()
                self.budgets.close()
                await self.committer.commit(Work(self._end))
                if self.sharing.leads:
                    await asyncio.to_thread(self.sealer.seal, most=SEALED_AT_END)
            except (HubError, OSError) as error:
                # What was acknowledged is durable; only the last words are missing.
                log.warning("hub.stopped_without_last_words", reason=str(error))
        await self.sharing.stop()
        await self.working.close()
        if self.backbone is not None:
            await self.backbone.stop()
        await self.committer.stop()
        await self.budgets.stop()
        self.desk.close()
        for transport in (*self._left, self.transport):
            await transport.close()
        self.database.close()

    def reload_accounts(self) -> None:
        """Make the accounts anew from workspace and vault; what is wrong with one is logged and shown."""
        accounts, problems = build_accounts(
            bundle=self.shelf.current,
            environment=self.environment,
            connectors=self.connectors,
            vault=self.vault,
            transport=self.transport,
            database=self.database,
            committer=self.committer,
            ambient=self.ambient,
            current=lambda: self.shelf.current,
            keep=self._keep,
            budgets=self.budgets,
        )
        self.accounts.clear()
        self.accounts.update(accounts)
        for problem in problems:
            log.warning("connection.unusable", reason=str(problem))

    def take(self, bundle: Bundle) -> None:
        """Let new events be handled by a published bundle; runs in flight keep theirs."""
        before, here = self.environment, _environment(bundle, self.environment.name)
        connections = self.shelf.current.connections
        self.shelf.switch(bundle)
        self.environment = here
        self.vault.take(bundle, here)
        if (before.private_hosts, before.ca_file) != (here.private_hosts, here.ca_file):
            # What is under way ends on the old one.
            self._left.append(self.transport)
            self.transport = Transport(private_hosts=here.private_hosts, ca_file=here.ca_file, now=self.ambient.now)
        if (before.connections, before.private_hosts, before.ca_file, connections) != (
            here.connections,
            here.private_hosts,
            here.ca_file,
            bundle.connections,
        ):
            self.reload_accounts()
        log.info("hub.published", bundle=bundle.id[:12], commit=str(bundle.origin) if bundle.origin else None)

    def folder(self) -> FolderState:
        """Compare the workspace folder with what is served."""
        return folder_state(self.settings.workspace, self.shelf.current)

    async def store_secret(self, name: str, values: Mapping[str, str], *, actor: str) -> int:
        """Seal a secret and let the connections use it; gives its version."""
        version = await self.vault.store(name, values, actor=actor)
        self.reload_accounts()
        return version

    def verifier(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this hub signed a tree head, with its present key or an earlier one."""
        return signing_key(self.key).verify(signature, message)

    def _use(self, key: VaultKey) -> None:
        self.key = key
        self.vault.use(key)
        signing = signing_key(key)
        self.sealer.sign_with(key_id=signing.id, signer=signing.sign)

    def _keep(self, decision: Decision, bundle: str, connection: str, at: datetime) -> None:
        """Keep what a throttle policy decided; nobody waits for it, since nothing is written outside because of it."""
        row = decisions.row(
            decision,
            id=self.ambient.new_id("decision"),
            environment=self.environment.name,
            bundle=bundle,
            at=at,
            connection=connection,
        )
        note = Note(
            kind=AuditKind.POLICY_DECIDED,
            actor=self.worker_name,
            subjects={"connection": connection},
            facts={"policy": decision.policy, "version": decision.version, "rule": code(decision.rule or "none")},
        )

        def work(transaction: Transaction) -> None:
            decisions.keep(transaction.connection, [row])
            transaction.entries.append(note)

        self.committer.leave(Work(work))

    def _begin(self, transaction: Transaction) -> int:
        marks.hub_id(transaction, self.ambient.new_id("hub"))
        transaction.entries.append(
            Note(
                kind=AuditKind.HUB_STARTED,
                actor=self.worker_name,
                facts={"environment": self.environment.name, "bundle": self.shelf.current.id},
            )
        )
        feeding.begin(transaction, self.environment.name)
        call_forward(transaction, environment=self.environment.name)
        return self.working.recover(transaction)

    def _end(self, transaction: Transaction) -> None:
        self.working.end(transaction)
        transaction.entries.append(Note(kind=AuditKind.HUB_STOPPED, actor=self.worker_name))

    def _heartbeat(self) -> Heartbeat | None:
        """Give what keeps the worker's lease, where other processes may have the same data."""
        if self.database.dialect == "sqlite":
            return None
        return Heartbeat(
            self.database.apart,
            environment=self.environment.name,
            committer=self.committer.name,
            roles=named(self.settings.roles),
            version=version(),
            seconds=self.settings.lease_seconds,
            refused=self.shelf.refused,
            hear=self.ambient.hear,
        )

    def _die(self, error: BaseException) -> None:
        if self.died is not None and not self.died.done():
            self.died.set_exception(error)


def _beginning(settings: HubSettings, catalogue: Catalogue, database: Database) -> Beginning:
    """Begin with the workspace's folder or what is published; a process without the api has no folder."""
    if Role.API in settings.roles:
        return begin(settings.workspace, settings.environment, catalogue, database)
    return begin_published(settings.environment, catalogue, database)


def _reach(settings: HubSettings) -> Reach:
    """Let a process with the api make the tables: one without it does not decide which version is wanted."""
    return Reach.NEEDED if Role.API in settings.roles else Reach.NOTHING


def _token(settings: HubSettings) -> str:
    """Make the local token; what answers for a data directory has the one that lies in it."""
    if Role.API in settings.roles:
        return write_local_token(settings.data, entropy.token_bytes)
    return new_token(entropy.token_bytes)


def _environment(bundle: Bundle, name: str) -> EnvironmentFile:
    try:
        return bundle.environments[name]
    except KeyError:
        raise NotFound(
            f"The workspace has no environment `{name}`; write environments/{name}.yaml or name another.",
            code="unknown-environment",
            known=", ".join(sorted(bundle.environments)),
        ) from None
