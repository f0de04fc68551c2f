"""Stripe's sandbox as the kit serves it."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.books import StripeBooks
from connectors.stripe.sandbox.disputes import dispute_test_card
from connectors.stripe.sandbox.doorway import KINDS as REQUEST_KINDS
from connectors.stripe.sandbox.doorway import Doorway
from connectors.stripe.sandbox.doorway_v2 import DoorwayV2
from connectors.stripe.sandbox.limits import Limits
from connectors.stripe.sandbox.payments import book_paid
from connectors.stripe.sandbox.problems import render
from connectors.stripe.sandbox.routes import ROUTES, ROUTES_V2, STREAM
from connectors.stripe.sandbox.sender import KINDS as DELIVERY_KINDS
from connectors.stripe.sandbox.sender import Sender
from connectors.stripe.sandbox.subscription_billing import listener
from connectors.stripe.sandbox.ticker import Ticker
from connectors.stripe.sandbox.v2 import stream_meter_events
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World


def build(world: World) -> web.Application:
    """Make Stripe's application with its account, doorway, sender and books."""
    account = Account(world)
    doorway, doorway_v2, limits = Doorway(account), DoorwayV2(account), Limits(account)
    sender = Sender(account)
    tickers: list[Ticker] = []
    serving = False

    def join(joining: Account) -> None:
        joining.subscribers += [sender.publish, listener(joining)]
        joining.payment_watchers += [partial(book_paid, joining), partial(dispute_test_card, joining)]
        joining.thin_subscribers.append(sender.publish_thin)
        tickers.append(Ticker(joining))
        if serving:
            tickers[-1].start()

    account.joined = join
    join(account)
    books = StripeBooks(account, doorway, doorway_v2, sender, limits)
    world.books = books
    world.progress = books.progress
    application = web.Application(middlewares=[limits.middleware()], client_max_size=8 * 1024 * 1024)
    for method, path, operation in ROUTES:
        application.router.add_route(method, path, doorway.handler(operation))
    for method, path, second in ROUTES_V2:
        application.router.add_route(method, path, doorway_v2.handler(second))
    application.router.add_route("POST", STREAM, doorway_v2.stream(stream_meter_events))
    application.router.add_route("*", "/{rest:.*}", doorway.unknown)

    async def start(_: web.Application) -> None:
        nonlocal serving
        await sender.start()
        for ticker in tickers:
            ticker.start()
        serving = True

    async def stop(_: web.Application) -> None:
        for ticker in tickers:
            ticker.stop()
        await books.reset()
        await sender.stop()

    application.on_startup.append(start)
    application.on_cleanup.append(stop)
    return application


sandbox = Sandbox(name="stripe", build=build, render=render, fault_kinds=REQUEST_KINDS | DELIVERY_KINDS)
