"""The web application of a hub: API, webhook door and console in one."""

from __future__ import annotations

import secrets as entropy
from dataclasses import replace

from fastapi import FastAPI

from hub.api import (
    approvals,
    audit,
    backups,
    cases,
    connections,
    connectors,
    crossrefs,
    decisions,
    doctor,
    drift,
    effects,
    events,
    health,
    holds,
    hooks,
    people,
    problems,
    retention,
    revisions,
    runs,
    schedules,
    secrets,
    sending,
    sessions,
    streams,
    things,
    workers,
)
from hub.errors import Refused
from hub.runtime.company import workers_of
from hub.runtime.composition import Hub
from hub.runtime.doctor import Doctor
from hub.runtime.freshness import Freshness
from hub.runtime.roles import named
from hub.store.replica import LONGEST_LAG, Replica
from ui.app import router
from ui.console import Console

#: The largest order is an import of crossrefs, in bytes.
MAX_ORDER = 8 * 1024 * 1024


def build_app(hub: Hub, *, console: bool = True) -> FastAPI:
    """Give the application, with the console or without; the hub must be started before it serves."""
    app = FastAPI(
        title="Concord", version=health.version(), docs_url=None, redoc_url=None, openapi_url="/api/openapi.json"
    )
    _standing(app, hub)
    app.state.token = hub.token
    app.state.intake = hub.intake
    app.state.deliveries = hub.deliveries
    app.state.orders = hub.orders
    app.state.run_orders = hub.run_orders
    app.state.hold_orders = hub.hold_orders
    app.state.effect_orders = hub.effect_orders
    app.state.approval_orders = hub.approval_orders
    app.state.attempts = hub.approval_orders.attempts
    app.state.event_orders = hub.event_orders
    app.state.directory = hub.directory
    app.state.connecting = hub.connecting
    app.state.store_secret = hub.store_secret
    app.state.rotate_key = hub.rotating.rotate
    app.state.database = hub.database
    app.state.accounts = hub.accounts
    app.state.current_bundle = lambda: hub.shelf.current
    view, replica = hub.view, _replica(hub)
    if replica is not None:
        view = replace(view, database=replica)
        app.add_middleware(Freshness, replica=replica)
        # Pages that are told of a change may look at the replica before it is there.
        hub.changes.again_after = LONGEST_LAG
        app.state.replica = lambda: str(replica.standing.state)
    app.state.view = view
    app.state.verifier = hub.verifier
    app.state.desk = hub.desk
    app.state.workers = lambda *, ended: workers_of(hub, ended=ended)
    app.state.backups = hub.backups
    app.state.pruning = hub.pruning
    app.state.doctor = Doctor(hub, replica)
    app.state.folder = hub.folder
    app.state.schedules = hub.incoming.schedules
    app.state.streams = hub.incoming.streams
    app.state.polls = hub.incoming.polls
    app.state.backfills = hub.incoming.backfills
    app.state.watched = hub.incoming.watched
    problems.install(app)
    app.include_router(health.probes)
    app.include_router(hooks.router)
    rooms = (
        health,
        runs,
        holds,
        approvals,
        effects,
        cases,
        decisions,
        sending,
        events,
        drift,
        crossrefs,
        things,
        connections,
        connectors,
        schedules,
        streams,
        secrets,
        people,
        sessions,
        audit,
        revisions,
        backups,
        doctor,
        retention,
        workers,
    )
    for room in rooms:
        # A body is read before it is known who sends it, so that nobody may send more than fits into memory.
        app.include_router(room.router, max_body_size=MAX_ORDER)
    if console:
        app.include_router(router(replace(_console(hub), view=view)))
    return app


def _replica(hub: Hub) -> Replica | None:
    """Begin to look at the replica, where one is named; it goes with the database."""
    if hub.settings.replica is None:
        return None
    if hub.database.dialect != "postgresql":
        raise Refused("A replica follows a database of PostgreSQL, and the data is a file.", code="replica-of-a-file")
    replica = Replica(hub.settings.replica, hub.database)
    replica.start()
    hub.database.beside.append(replica.close)
    return replica


def build_probes(hub: Hub) -> FastAPI:
    """Give what a process without the api answers: whether it lives, and whether it takes new work."""
    app = FastAPI(title="Concord", version=health.version(), docs_url=None, redoc_url=None, openapi_url=None)
    _standing(app, hub)
    app.include_router(health.probes)
    return app


def _standing(app: FastAPI, hub: Hub) -> None:
    app.state.environment = hub.environment.name
    app.state.readiness = lambda: hub.state
    app.state.roles = named(hub.settings.roles)
    app.state.alarms = hub.watch.number


def _console(hub: Hub) -> Console:
    return Console(
        title=hub.environment.title,
        colour=hub.environment.colour,
        view=hub.view,
        orders=hub.orders,
        run_orders=hub.run_orders,
        hold_orders=hub.hold_orders,
        connecting=hub.connecting,
        effect_orders=hub.effect_orders,
        approval_orders=hub.approval_orders,
        event_orders=hub.event_orders,
        schedules=hub.incoming.schedules,
        streams=hub.incoming.streams,
        polls=hub.incoming.polls,
        backfills=hub.incoming.backfills,
        watched=hub.incoming.watched,
        directory=hub.directory,
        accounts=hub.accounts,
        bundle=lambda: hub.shelf.current,
        folder=hub.folder,
        changes=hub.changes,
        ambient=hub.ambient,
        setup_token=hub.setup_token,
        random=entropy.token_bytes,
        traced=hub.traced,
        attempts=hub.approval_orders.attempts,
    )
