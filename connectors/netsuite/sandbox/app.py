"""The sandbox's application: all services of one account at one address."""

from __future__ import annotations

from aiohttp import web

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.governance import govern
from connectors.netsuite.sandbox.job_api import JobApi
from connectors.netsuite.sandbox.problems import render
from connectors.netsuite.sandbox.record_api import RecordApi
from connectors.netsuite.sandbox.services import Services
from connectors.netsuite.sandbox.suiteql.service import SuiteQl
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World


def build(world: World) -> web.Application:
    """Make the application and the account behind it; SuiteTalk and RESTlets share the host here."""
    account = Account(world)
    world.books = account
    world.progress = account.progress
    application = web.Application(middlewares=[govern(account)], client_max_size=32 * 1024 * 1024)
    for rooms in (Services(account), SuiteQl(account), JobApi(account), RecordApi(account)):
        application.add_routes(rooms.routes())
    return application


sandbox = Sandbox(name="netsuite", build=build, render=render)
