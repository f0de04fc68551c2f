"""The sandbox's application: all services of one tenant at one address."""

from __future__ import annotations

from aiohttp import web

from connectors.s4hana.sandbox.events import KINDS as DELIVERY_KINDS
from connectors.s4hana.sandbox.front import KINDS as REQUEST_KINDS
from connectors.s4hana.sandbox.front import Front, render
from connectors.s4hana.sandbox.tenant import Tenant
from connectors.s4hana.sandbox.users import USER
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World

#: What says in an answer which thing it is about.
NAMES = frozenset(
    {
        "AccountingDocument",
        "BillingDocument",
        "BusinessPartner",
        "CreditMemoRequest",
        "Customer",
        "Product",
        "PurchaseOrderByCustomer",
        "SalesOrder",
    }
)


def build(world: World) -> web.Application:
    """Make the application and the tenant behind it."""
    tenant = Tenant(world)
    world.books = tenant
    world.progress = tenant.progress
    world.names = NAMES
    application = web.Application(client_max_size=32 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", Front(tenant).handle)

    async def start(_: web.Application) -> None:
        await tenant.events.start()

    async def stop(_: web.Application) -> None:
        tenant.inbox.forget()
        await tenant.events.stop()

    application.on_startup.append(start)
    application.on_cleanup.append(stop)
    return application


sandbox = Sandbox(
    name="s4hana", build=build, render=render, fault_kinds=REQUEST_KINDS | DELIVERY_KINDS, clients=(USER,)
)
