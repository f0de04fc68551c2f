"""The sandbox's application: one org at one address."""

from __future__ import annotations

from aiohttp import web

from connectors.salesforce.sandbox.bulk.api import BulkApi
from connectors.salesforce.sandbox.bulk.jobs import MIDWAY
from connectors.salesforce.sandbox.collections_api import CollectionsApi
from connectors.salesforce.sandbox.composite_api import CompositeApi
from connectors.salesforce.sandbox.front import KINDS, Front
from connectors.salesforce.sandbox.messages import KINDS as MESSAGE_KINDS
from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.org_api import OrgApi
from connectors.salesforce.sandbox.record_api import RecordApi
from connectors.salesforce.sandbox.refusals import render
from connectors.salesforce.sandbox.replication import ReplicationApi
from connectors.salesforce.sandbox.wire import Router
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World


def router_of(org: Org) -> Router:
    """Give the table of all addresses below a version."""
    router = Router()
    # What has a name of its own comes before what has any: `/deleted` before the record of an id.
    rooms = (
        OrgApi(org),
        CollectionsApi(org),
        CompositeApi(org, router),
        ReplicationApi(org),
        RecordApi(org),
        BulkApi(org),
    )
    for room in rooms:
        room.add_to(router)
    return router


def build(world: World) -> web.Application:
    """Make the application and the org behind it; login host and instance share the address here."""
    org = Org(world)
    world.books = org
    world.progress = org.progress
    # Whoever puts 100 MB of CSV into a job sends it in one request.
    application = web.Application(client_max_size=160 * 1024 * 1024)
    application.add_routes(Front(org, router_of(org)).routes())

    async def start(_: web.Application) -> None:
        await org.messages.start()

    async def stop(_: web.Application) -> None:
        await org.messages.stop()

    application.on_startup.append(start)
    application.on_cleanup.append(stop)
    return application


sandbox = Sandbox(name="salesforce", build=build, render=render, fault_kinds=KINDS | MESSAGE_KINDS | {MIDWAY})
