"""Stripe's sandbox as the kit serves it."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.books import StripeBooks
from connectors.stripe.sandbox.disputes import dispute_test_card
from connectors.stripe.sandbox.doorway import KINDS as REQUEST_KINDS
from connectors.stripe.sandbox.doorway import Doorway
from connectors.stripe.sandbox.payments import book_paid
from connectors.stripe.sandbox.problems import render
from connectors.stripe.sandbox.routes import ROUTES
from connectors.stripe.sandbox.sender import KINDS as DELIVERY_KINDS
from connectors.stripe.sandbox.sender import Sender
from hub.sandbox.limits import limited
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World


def build(world: World) -> web.Application:
    """Make Stripe's application with its account, doorway, sender and books."""
    account = Account(world)
    doorway = Doorway(account)
    sender = Sender(account)
    account.subscribers.append(sender.publish)
    account.payment_watchers += [partial(book_paid, account), partial(dispute_test_card, account)]
    books = StripeBooks(account, doorway, sender)
    world.books = books
    world.progress = books.progress
    application = web.Application(middlewares=[limited(account.limiter, render)], client_max_size=8 * 1024 * 1024)
    for method, path, operation in ROUTES:
        application.router.add_route(method, path, doorway.handler(operation))
    application.router.add_route("*", "/{rest:.*}", doorway.unknown)

    async def start(_: web.Application) -> None:
        await sender.start()

    async def stop(_: web.Application) -> None:
        await books.reset()
        await sender.stop()

    application.on_startup.append(start)
    application.on_cleanup.append(stop)
    return application


sandbox = Sandbox(name="stripe", build=build, render=render, fault_kinds=REQUEST_KINDS | DELIVERY_KINDS)
