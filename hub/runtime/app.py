"""The web application of a hub: API, webhook door and console in one."""

from __future__ import annotations

from fastapi import FastAPI

from hub.api import audit, cases, connections, crossrefs, events, health, hooks, problems, runs, secrets
from hub.runtime.composition import Hub


def build_app(hub: Hub) -> FastAPI:
    """Give the application; the hub must be started before it serves."""
    app = FastAPI(
        title="Concord", version=health.version(), docs_url=None, redoc_url=None, openapi_url="/api/openapi.json"
    )
    app.state.environment = hub.environment.name
    app.state.token = hub.token
    app.state.intake = hub.intake
    app.state.orders = hub.orders
    app.state.store_secret = hub.store_secret
    app.state.database = hub.database
    app.state.accounts = hub.accounts
    app.state.current_bundle = lambda: hub.shelf.current
    app.state.view = hub.view
    app.state.verifier = hub.verifier
    problems.install(app)
    for room in (hooks, health, runs, cases, events, crossrefs, connections, secrets, audit):
        app.include_router(room.router)
    return app
