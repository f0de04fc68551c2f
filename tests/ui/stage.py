"""A console with everything real behind it but the vendors, to look at and to test."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from pydantic import SecretStr

from hub.access.attempts import Attempts
from hub.access.directory import StoredDirectory
from hub.access.people import PersonId
from hub.access.permissions import Role
from hub.access.sign_in import new_person
from hub.connections.accounts import Account
from hub.connections.bounds import Bound, of_vendor
from hub.connections.limiter import Limiter
from hub.connections.pace import Start
from hub.connections.registry import load_connectors
from hub.connections.vault import Binding
from hub.errors import FixConnection, LimitKind, LimitReached
from hub.model.ambient import Ambient
from hub.operate.approvals import ApprovalOrders
from hub.operate.connecting import Connecting
from hub.queries.view import View
from hub.release.folder import FolderState
from hub.runtime.changes import Changes
from hub.runtime.clock import system_ambient
from hub.runtime.incoming import Incoming
from hub.runtime.shelf import load_bundle
from hub.runtime.wiring import wired
from hub.sdk.connector import Limits
from hub.sdk.transport import Transport
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.lineage.tracing import Traced
from tests.ui import believable, consent, published
from tests.ui.looped import looped_run
from ui.app import router
from ui.console import Console

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"
SETUP_TOKEN = "the-setup-token"
ADMIN, OPERATOR, VIEWER = "ada@example.com", "olu@example.com", "vic@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A console's application and what stands behind it."""

    app: FastAPI
    console: Console
    committer: Committer
    database: Database
    ambient: Ambient
    bundle: Bundle

    async def happen(self, story: believable.Story) -> str:
        """Let one more story happen; gives the run's id."""
        (run_id,) = await self.happen_at_once([story])
        return run_id

    async def happen_at_once(self, stories: Sequence[believable.Story]) -> list[str]:
        """Let stories happen, in as few transactions as there can be; gives the runs' ids."""
        accepts = [believable.event_of(story, self.bundle, self.ambient) for story in stories]
        await asyncio.gather(*map(self.committer.commit, accepts))
        run_ids: list[str] = [accept.runs[0]["id"] for accept in accepts]

        def work(transaction: Transaction) -> None:
            for story, run_id in zip(stories, run_ids, strict=True):
                believable.tell(transaction, story, run_id, self.bundle.flows[story.flow], self.ambient)

        await self.committer.commit(Work(work))
        return run_ids

    async def keep(self) -> list[str]:
        """Let events come that are not simply taken; gives their ids."""
        accepts = believable.kept_events(self.bundle, self.ambient)
        for accept in accepts:
            await self.committer.commit(accept)
        return [accept.event["id"] for accept in accepts]


_compiled: list[Bundle] = []


def shipped_bundle() -> Bundle:
    """Give the shipped workspace, compiled once."""
    if not _compiled:
        _compiled.append(load_bundle(ROOT, catalogue_of(list(load_connectors().values()))))
    return _compiled[0]


def said(name: str, vendor: Limits) -> Callable[[datetime], list[Bound]]:
    """Give what several sources say of an account's limits."""
    known = [of_vendor(vendor, f"vendor of {name}"), Bound(source=f"connection {name}", concurrency=4)]
    if name == "netsuite":
        policy = Bound(source="policy night-throttle (night)", rate=90, per=60, burst=5)
        known += [
            Bound(source=f"connection {name} in this environment", quota=20_000, quota_zone="Europe/Vienna"),
            policy,
        ]
    return lambda _now: known


def accounts(ambient: Ambient) -> dict[str, Account]:
    """Give accounts of the shipped connectors that reach nothing."""
    connectors = load_connectors()
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    given: dict[str, dict[str, object]] = {
        "stripe": {"api_key": SecretStr("sk_test_x"), "webhook_secret": SecretStr("whsec_x")},
        "netsuite": {
            "base_url": "https://1234567-sb1.suitetalk.api.netsuite.com",
            "account": "1234567_SB1",
            "client_id": "client",
            "certificate_id": "certificate",
            "private_key": SecretStr(key.decode()),
            "algorithm": "ES256",
        },
        "tax": {
            "base_url": "https://sandbox-rest.avatax.com",
            "account_id": SecretStr("1"),
            "license_key": SecretStr("2"),
            "company_code": "DEFAULT",
        },
    }
    made = {}
    for name, values in given.items():
        connector = connectors["avatax" if name == "tax" else name]
        made[name] = Account(
            name=name,
            connector=connector,
            settings=connector.settings.model_validate(values),
            limiter=Limiter(said(name, connector.limits), ambient, name=name),
            transport=Transport(),
            ambient=ambient,
        )
    now = ambient.now()
    made["stripe"].health.last_success, made["stripe"].health.successes = now - timedelta(seconds=4), 1284
    made["netsuite"].health.last_success, made["netsuite"].health.successes = now - timedelta(seconds=2), 3911
    refuse(made["netsuite"].limiter)
    made["netsuite"].health.last_failure = now - timedelta(minutes=6)
    made["netsuite"].health.failures = 17
    made["netsuite"].health.last_error = "The account's concurrency limit was reached. (status: 429)"
    return made


def refuse(limiter: Limiter) -> None:
    """Let a limiter learn from a refusal that has passed."""
    refusal = LimitReached(
        "NetSuite has too many requests in flight.", after=0.01, kind=LimitKind.CONCURRENCY, status=429
    )
    limiter.refused(Start(0), refusal)


class Kept:
    """Secrets in memory, opened for what they were sealed for."""

    def __init__(self) -> None:
        """Hold none."""
        self.values: dict[Binding, dict[str, str]] = {}

    def open_bound(self, binding: Binding) -> dict[str, str]:
        """Give what was sealed for this."""
        if binding not in self.values:
            raise FixConnection("The secret is not in the vault.", code="secret-missing", secret=binding.name)
        return self.values[binding]

    async def store_bound(self, binding: Binding, values: Mapping[str, str], *, actor: str) -> int:
        """Keep it."""
        self.values[binding] = dict(values)
        return 1


def workspace(folder: Path) -> None:
    """Copy the workspace that ships, to be written into."""
    for name in ("connections", "environments", "flows", "mappings", "policies", "schemas", "tax", "docs/runbooks"):
        shutil.copytree(ROOT / name, folder / "workspace" / name)


@asynccontextmanager
async def stage(folder: Path, *, count: int = 64, people: bool = True, https: bool = False) -> AsyncIterator[Stage]:
    """Set a console up with `count` stories and, unless told otherwise, one person of each role.

    Whoever wants to connect an account puts a `workspace` into the folder first.
    """
    ambient = system_ambient(seed=1)
    database = Database(folder)
    committer = Committer(database, ambient)
    changes = Changes()
    committer.on_commit = changes.advance
    committer.start()
    bundle = shipped_bundle()
    known = accounts(ambient)
    directory, attempts = StoredDirectory(database, committer), Attempts()
    hub = wired(
        environment=believable.ENVIRONMENT,
        name="worker_stage",
        ambient=ambient,
        database=database,
        committer=committer,
        accounts=known,
        current=lambda: bundle,
    )
    incoming = Incoming(
        environment=believable.ENVIRONMENT,
        ambient=ambient,
        database=database,
        committer=committer,
        accounts=known,
        bundle=lambda: bundle,
        intake=hub.intake,
        poll_seconds=60.0,
    )
    await incoming.schedules.tick()
    folder_there = folder / "workspace"
    if not folder_there.exists():
        for name in ("connections", "environments"):
            shutil.copytree(ROOT / name, folder_there / name)
    connectors = load_connectors()
    connecting = Connecting(
        workspace=folder_there,
        environment=lambda: bundle.environments["example"],
        bundle=lambda: bundle,
        connectors=connectors,
        catalogue=catalogue_of(list(connectors.values())),
        secrets=Kept(),
        accounts=known,
        ambient=ambient,
        reload=lambda: None,
    )
    console = Console(
        connecting=connecting,
        title="Sandbox",
        colour="amber",
        view=View(environment=believable.ENVIRONMENT, database=database, ambient=ambient),
        orders=hub.orders,
        run_orders=hub.run_orders,
        effect_orders=hub.effect_orders,
        event_orders=hub.event_orders,
        hold_orders=hub.hold_orders,
        approval_orders=ApprovalOrders(
            environment=believable.ENVIRONMENT,
            ambient=ambient,
            committer=committer,
            directory=directory,
            attempts=attempts,
        ),
        schedules=incoming.schedules,
        streams=incoming.streams,
        polls=incoming.polls,
        backfills=incoming.backfills,
        watched=incoming.watched,
        directory=directory,
        accounts=known,
        bundle=lambda: bundle,
        folder=lambda: FolderState(differs=True, bundle=bundle.id),
        changes=changes,
        ambient=ambient,
        setup_token=SETUP_TOKEN,
        random=secrets.token_bytes,
        https=https,
        attempts=attempts,
        traced=Traced(catalogue_of(list(load_connectors().values()))),
    )
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router(console))
    set_up = Stage(app=app, console=console, committer=committer, database=database, ambient=ambient, bundle=bundle)
    publisher = "local"
    if people:
        for email, name, role in (
            (ADMIN, "Ada Lovelace", Role.ADMIN),
            (OPERATOR, "Olu Adeyemi", Role.OPERATOR),
            (VIEWER, "Vic Moreau", Role.VIEWER),
        ):
            person = await new_person(
                person_id=PersonId(ambient.new_id("person")),
                email=email,
                name=name,
                role=role,
                password=PASSWORD,
                now=ambient.now(),
            )
            await directory.add_person(person, actor="local")
            publisher = person.principal().actor if role is Role.ADMIN else publisher
    await committer.commit(Work(lambda tx: believable.tie(tx, ambient)))
    await published.publish(committer, person=publisher)
    await set_up.happen_at_once(believable.stories(ambient.now(), count))
    try:
        yield set_up
    finally:
        await committer.stop()
        database.close()


async def _show(port: int, beat: float) -> None:
    with TemporaryDirectory() as folder:
        workspace(Path(folder))
        async with stage(Path(folder)) as set_up:
            await set_up.keep()
            await looped_run(set_up)
            await consent.asked(set_up, PASSWORD)
            server = uvicorn.Server(
                uvicorn.Config(set_up.app, port=port, lifespan="off", timeout_graceful_shutdown=1, log_level="warning")
            )
            sys.stdout.write(f"http://127.0.0.1:{port}/login  {ADMIN}  {PASSWORD}\n")
            serving = asyncio.create_task(server.serve())
            number = 1000
            while not serving.done():
                await asyncio.wait({serving}, timeout=beat or None)
                if beat:
                    number += 1
                    now = set_up.ambient.now()
                    told = believable.stories(now, 64, seed=number)[number % 40]
                    await set_up.happen(
                        believable.Story(
                            number=number,
                            flow=told.flow,
                            state=told.state,
                            minor=told.minor,
                            currency=told.currency,
                            accepted=now - timedelta(seconds=told.seconds),
                            seconds=told.seconds,
                            trouble=told.trouble,
                            tries=told.tries,
                        )
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Show the console with made-up data.")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--beat", type=float, default=0.0, help="let something happen every so many seconds")
    options = parser.parse_args()
    asyncio.run(_show(options.port, options.beat))
